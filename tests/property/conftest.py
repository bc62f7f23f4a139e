"""How many examples, and that a failing one is printed so that anybody can run it again."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("EXAMPLES", "300"))

settings.register_profile(
    "oracle",
    max_examples=EXAMPLES,
    deadline=None,
    # Hypothesis would draw the same examples each time where CI is set.
    derandomize=False,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Many examples take long: the limit grows with them."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(300 + EXAMPLES))
