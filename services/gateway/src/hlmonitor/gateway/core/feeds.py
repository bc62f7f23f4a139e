"""The feeds of fills of a wallet: what is known of one, and the REST work that proves more of it."""

from dataclasses import dataclass
from typing import TypeAlias

from hlmonitor.v1 import events_pb2 as pb

Feed: TypeAlias = pb.Feed.ValueType
FEEDS: tuple[Feed, ...] = (pb.FEED_USER_FILLS, pb.FEED_USER_TWAP_SLICE_FILLS)


@dataclass(frozen=True, slots=True)
class Catchup:
    """REST work that proves a stretch of a feed, or was asked for."""

    feed: Feed
    from_ms: int
    to_ms: int | None
    oids: tuple[int, ...]
    """Orders whose status may have been missed."""
    reads_rows: bool
    through_ms: int
    """How far the feed is known without reading rows."""
    generation: int | None
    """The opening that this belongs to: void when another one came. None: valid always."""
    routine: bool = False
    """Nothing is known to be missing, and nobody waits."""
    singly: bool = False
    """The venue's list does not show these orders any more: each is asked for by itself."""


@dataclass(slots=True)
class FeedState:
    """How far one feed of one wallet is told. Times are ms of venue time."""

    last_ms: int = 0
    """Everything before this was forwarded, as far as the stream showed."""
    proven_ms: int = 0
    """Everything before this was forwarded, as REST and snapshots show: the stream alone proves no calm."""
    covered_from_ms: int | None = None
    """Everything from here on was forwarded without a break; None while that is not proven."""
    gap_told: bool = False
    resumed: bool = False
    resumed_from_ms: int = 0
    """From where the answer to the opening had it taken up."""
    resumed_oids: frozenset[int] = frozenset()
    """The open orders that answers to the opening named, as of the last one."""
