"""The last position of a wallet in a coin, when several fills share the latest time."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """What a fill found and what it left of a position."""

    start: Decimal
    end: Decimal


def end_of_chain(steps: Sequence[Step]) -> Decimal:
    """The position after all steps of one time: the end that no other step starts from.

    Steps come in the order of their tids. When the chain closes on itself or is broken, the last of those that could be
    the end is taken: the next positions frame corrects it.
    """
    starts = [step.start for step in steps]
    open_ends = []
    for step in steps:
        if step.end in starts:
            starts.remove(step.end)
        else:
            open_ends.append(step.end)
    return open_ends[-1] if open_ends else steps[-1].end
