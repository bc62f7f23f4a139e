import subprocess
import sys

from hlmonitor.local import ports

_ANOTHER_PROGRAM = """
from hlmonitor.local import ports
ports._FIRST, ports._LAST, ports._TRIES = {first}, {last}, {last} - {first}
print(ports.free_port())
"""

_MANY = """
from hlmonitor.local.ports import free_port
print(*(free_port() for _ in range(1_000)))
"""


def test_no_port_is_handed_out_twice_before_somebody_can_have_listened_on_it() -> None:
    # By another program: the worker's own servers keep theirs.
    given = subprocess.run([sys.executable, "-c", _MANY], capture_output=True, text=True, check=True).stdout.split()
    assert len(set(given)) == len(given) == 1_000


def test_a_port_that_one_program_was_given_is_given_to_no_other_until_that_ends() -> None:
    first, last = 31_000, 31_020
    program = _ANOTHER_PROGRAM.format(first=first, last=last)
    claimed = [port for port in range(first, last) if port not in ports._given and ports._claimed(port)]
    refused = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "no free port" in refused.stderr
    for port in claimed:
        ports._let_go(port)
    # The other one ends, and its claim with it.
    for _ in range(4):
        given = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert int(given.stdout) in range(first, last)
