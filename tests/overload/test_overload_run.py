from pathlib import Path

import pytest

from overload.run import Options, run

SHORT_S = 20.0


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(900)
async def test_ten_times_what_is_sustained_costs_nothing_but_what_gaps_record(tmp_path: Path) -> None:
    verdict = await run(Options(SHORT_S, "sqlite", tmp_path), print)
    assert verdict.complaints() == []
