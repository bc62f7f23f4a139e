"""What a fault does: to frames, to what stands in them, to REST replies, to new connections."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class FaultConfig:
    """Chances from 0 to 1 per frame, and times in venue milliseconds.

    `duplicate`, `reorder`, `split` and `merge` meet increments only: there is nothing to split in a state.
    `drop`, `truncate` and `delay_ms` meet whatever a subscription sends, snapshots and states included. What is
    held back to be reordered or merged is late by at most `reorder_ms`; what is delayed keeps its order within
    its feed. `status_first` sends the order statuses of a block before its fills.
    """

    duplicate: float = 0.0
    reorder: float = 0.0
    split: float = 0.0
    status_first: bool = False
    reorder_ms: int = 300
    merge: float = 0.0
    drop: float = 0.0
    truncate: float = 0.0
    delay_ms: int = 0

    @property
    def is_harmless(self) -> bool:
        """Tell whether it changes nothing about single frames."""
        return not (self.duplicate or self.reorder or self.split or self.merge or self.hits_everything)

    @property
    def hits_everything(self) -> bool:
        """Tell whether more than increments are hit."""
        return bool(self.drop or self.truncate or self.delay_ms)


def worst(configs: Iterable[FaultConfig]) -> FaultConfig:
    """Return the faults that several sets make together: of each kind the greatest."""
    several = list(configs)
    if len(several) == 1:
        return several[0]
    names = [field.name for field in fields(FaultConfig)]
    return FaultConfig(**{name: max(getattr(config, name) for config in several) for name in names})


@dataclass(frozen=True, slots=True)
class Edit:
    """Changes what stands in frames and replies. `apply` takes and returns JSON; unchanged is the same object."""

    name: str
    apply: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class ReplyFault:
    """What happens to an `/info` request in place of, or to, its answer.

    With `status` the request is not looked at; `delay_ms` is waited out first. `truncate` cuts the JSON of the
    answer, `reset` the connection: both together cut it in the middle of the body. `hang` never answers.
    """

    chance: float = 1.0
    status: int | None = None
    text: str | None = None
    delay_ms: int = 0
    truncate: bool = False
    reset: bool = False
    hang: bool = False

    @property
    def kind(self) -> str:
        """Name under which it is counted."""
        if self.status is not None:
            return f"rest_{self.status}"
        named = {"truncate": self.truncate, "reset": self.reset, "hang": self.hang}
        return "rest_" + "_".join([name for name, is_so in named.items() if is_so] or ["delay"])


@dataclass(frozen=True, slots=True)
class Refusal:
    """New WebSocket connections are answered with this HTTP status, or cut when there is none."""

    chance: float = 1.0
    status: int | None = 503


Effect = FaultConfig | Edit | ReplyFault | Refusal
