"""A seed gives the same run, whatever the process that runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dst.run import run

# Many minutes on a machine that does other things too.
pytestmark = pytest.mark.timeout(600)

SEED = 9
_PRINT = f"from dst.run import run; print(run({SEED}, traced=True).digest)"


def test_a_seed_takes_the_same_steps_in_every_process() -> None:
    paths = os.pathsep.join(str(path) for path in sys.path if path and Path(path).is_dir())
    told = subprocess.run(
        [sys.executable, "-c", _PRINT],
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": paths},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert told == f"{run(SEED, traced=True).digest}\n"


def test_another_seed_takes_other_steps() -> None:
    assert run(SEED, traced=True).digest != run(SEED + 1, traced=True).digest


@pytest.mark.parametrize("seed", range(1, 5))
def test_what_was_told_stands_after_all_faults(seed: int) -> None:
    result = run(seed)
    assert result.problems == ()
    assert result.signals > 0


def test_a_trace_tells_who_did_what_when() -> None:
    lines = run(SEED, traced=True).lines
    assert any("nemesis" in line for line in lines)
    assert any("commit" in line for line in lines)
    assert [float(line.split()[0]) for line in lines] == sorted(float(line.split()[0]) for line in lines)
