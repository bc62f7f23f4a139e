"""Which batches may be applied (DESIGN G4)."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says of a partition: who may commit, and what was committed last."""

    epoch: int
    last_batch: int


NEVER_ACQUIRED = Standing(0, 0)


class Verdict(Enum):
    """What becomes of a batch."""

    APPLY = "apply"
    ALREADY_DONE = "already done"
    STALE_EPOCH = "stale epoch"
    OUT_OF_ORDER = "out of order"


def judge(standing: Standing, epoch: int, number: int) -> Verdict:
    """Apply the next batch of the current owner; know a repeated one; refuse everything else."""
    if epoch != standing.epoch:
        return Verdict.STALE_EPOCH
    if number <= standing.last_batch:
        return Verdict.ALREADY_DONE
    if number != standing.last_batch + 1:
        return Verdict.OUT_OF_ORDER
    return Verdict.APPLY
