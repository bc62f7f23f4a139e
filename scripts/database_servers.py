"""Install the database servers that the tests run, where they are missing and may be installed.

Before the tests and not by them: a test has minutes, a package may need more.
"""

from layout import say

from hlmonitor.local.databases import MariaDbServer, Missing, PostgresServer


def main() -> None:
    """Say what is installed, and what cannot be."""
    for kind in (PostgresServer, MariaDbServer):
        if kind.find() is None:
            say(f"installing {kind.name}")
        found = kind.find_or_install()
        if isinstance(found, Missing):
            say(f"{found.reason}: its tests will be skipped, or fail where CI is set")


if __name__ == "__main__":
    main()
