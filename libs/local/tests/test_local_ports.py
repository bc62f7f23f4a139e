import subprocess
import sys

from hlmonitor.local import ports
from hlmonitor.local.ports import free_port

_ANOTHER_PROGRAM = """
from hlmonitor.local import ports
ports._FIRST, ports._LAST, ports._TRIES = {first}, {last}, {last} - {first}
print(ports.free_port())
"""


def test_no_port_is_handed_out_twice_before_somebody_can_have_listened_on_it() -> None:
    given = [free_port() for _ in range(1_000)]
    assert len(set(given)) == len(given)


def test_a_port_that_one_program_was_given_is_given_to_no_other_until_that_ends() -> None:
    first, last = 31_000, 31_020
    program = _ANOTHER_PROGRAM.format(first=first, last=last)
    claimed = [port for port in range(first, last) if ports._claimed(port)]
    refused = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "no free port" in refused.stderr
    for port in claimed:
        ports._let_go(port)
    # The other one ends, and its claim with it.
    for _ in range(4):
        given = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert int(given.stdout) in range(first, last)
