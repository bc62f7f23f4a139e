"""How many examples, and that a failing one is printed so that anybody can run it again."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("EXAMPLES", "300"))

settings.register_profile(
    "hl-monitor",
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[phase for phase in Phase if phase is not Phase.explain],
)
settings.load_profile("hl-monitor")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Many examples take long: the limit is for each, not for all together."""
    for item in items:
        item.add_marker(pytest.mark.timeout(120 + EXAMPLES))
