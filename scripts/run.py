"""`make run-SERVICE`: one program in the foreground, with its defaults and the venue's settings."""

import os
import sys

from layout import ROOT, Layout, LayoutError, refuse

SERVICES = ("simulator", "gateway", "aggregator", "writer", "address-loader", "cleaner")


def main() -> None:
    """Become the program."""
    venue, service, *arguments = sys.argv[1:]
    try:
        environment = Layout(venue).environment()
    except LayoutError as error:
        refuse(str(error))
    os.chdir(ROOT)
    (ROOT / ".run").mkdir(exist_ok=True)
    if service == "nats":
        commands = {entry.name: entry.command for entry in Layout(venue).entries()}
        command = commands["nats"].split()[1:]
    elif service == "hlmon":
        command = [".venv/bin/hlmon", *arguments]
    elif service in SERVICES:
        command = [f".venv/bin/hlmon-{service}", *arguments]
    else:
        refuse(f"there is no service {service}: run-SERVICE knows nats, {', '.join(SERVICES)}")
    os.execve(command[0], command, environment)  # noqa: S606 our own program


if __name__ == "__main__":
    main()
