"""What a long run that ends with a line of verdict does around itself."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec


class Judgement(NamedTuple):
    """What a run came to."""

    verdict: msgspec.Struct
    complaints: Sequence[str]
    """Why it is not good; nothing when it is."""
    remarks: Sequence[str] = ()


def end_with_verdict(name: str, judge: Callable[[Path], Judgement]) -> NoReturn:
    """Run in a directory that is kept unless all was good; exit status 1 when it was not."""
    directory = Path(tempfile.mkdtemp(prefix=f"hlmonitor-{name}-"))
    # The database servers run as users of their own, below it.
    directory.chmod(0o755)
    good = False
    try:
        verdict, complaints, remarks = judge(directory)
        for sentence in (*complaints, *remarks):
            say(sentence)
        say(msgspec.json.encode(verdict).decode())
        good = not complaints
    finally:
        if good:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            say(f"logs and data are kept in {directory}")
    sys.exit(0 if good else 1)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201
