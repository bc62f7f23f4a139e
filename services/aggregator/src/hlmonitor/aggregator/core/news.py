"""What consumers are told on `hl.status.v1.>` beside heartbeats: gaps, coverage, and where events come from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

import msgspec

from hlmonitor.aggregator.core.convert import feed_of
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Feed
from hlmonitor.v1 import storage_pb2

SUBJECT = "hl.status.v1"
UNCOVERED_S = 5.0
"""A wallet that no gateway serves for so long is told as uncovered: shorter breaks are those of a moving stream."""


class _News(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    aggregator: str
    partition: int
    time_ms: int
    """The aggregator's clock."""
    address: str


GapState: TypeAlias = Literal["open", "covered", "unprovable", "removed", "late"]


class GapNews(_News, frozen=True, kw_only=True, tag="gap"):
    """What `hl_gap` says of a stretch of a feed has changed, or a new owner of the wallet says it again."""

    feed: Feed
    state: GapState
    from_ms: int
    to_ms: int | None
    reason: str


class CoverageNews(_News, frozen=True, kw_only=True, tag="caught_up"):
    """Everything of the feed up to this time was told, or is in a gap."""

    feed: Feed
    through_ms: int


class SourceNews(_News, frozen=True, kw_only=True, tag="source"):
    """Another gateway serves the wallet, or none does."""

    state: Literal["served", "uncovered"]
    gateway: str | None
    egress_group: str | None


News: TypeAlias = GapNews | CoverageNews | SourceNews


def subject_of(news: News) -> str:
    """`hl.status.v1.<type>.<address>`."""
    return f"{SUBJECT}.{news.__struct_config__.tag}.{news.address}"


@dataclass(frozen=True, slots=True)
class Source:
    """A gateway as consumers know it."""

    gateway: str
    egress_group: str


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who tells."""

    aggregator: str
    partition: int

    def of_batch(self, batch: storage_pb2.CommitBatch, now: Now) -> list[News]:
        """What a committed batch says of feeds."""
        coverage = [
            CoverageNews(
                aggregator=self.aggregator,
                partition=self.partition,
                time_ms=now.wall_ms,
                address=row.address,
                feed=feed_of(row.feed),
                through_ms=row.watermark_ms,
            )
            for row in batch.watermarks
        ]
        return [*(self._gap(row, now) for row in batch.gaps), *coverage]

    def of_owner(self, partition: Partition, now: Now) -> list[News]:
        """What is open in a partition that has a new owner: the one before may have died before it told."""
        return [self._gap(row, now) for row in partition.coverage.open_gaps(partition.wallets.values())]

    def of_sources(self, changes: Iterable[tuple[Address, Source | None]], now: Now) -> list[News]:
        """Who serves the wallets now."""
        return [
            SourceNews(
                aggregator=self.aggregator,
                partition=self.partition,
                time_ms=now.wall_ms,
                address=address,
                state="served" if source else "uncovered",
                gateway=source.gateway if source else None,
                egress_group=source.egress_group if source else None,
            )
            for address, source in changes
        ]

    def _gap(self, row: storage_pb2.GapRow, now: Now) -> GapNews:
        return GapNews(
            aggregator=self.aggregator,
            partition=self.partition,
            time_ms=now.wall_ms,
            address=row.address,
            feed=feed_of(row.feed),
            state=cast("GapState", row.state),
            from_ms=row.from_ms,
            to_ms=row.to_ms if row.HasField("to_ms") else None,
            reason=row.reason,
        )


@dataclass(slots=True)
class Sources:
    """Who serves each wallet of a partition, as consumers were told."""

    _told: dict[Address, Source | None] = field(default_factory=dict)
    _missing_since_s: dict[Address, float] = field(default_factory=dict)

    def changes(self, serving: Mapping[Address, Source | None], now_s: float) -> list[tuple[Address, Source | None]]:
        """What to tell, given who serves each watched wallet now (None: nobody)."""
        for known in (self._told, self._missing_since_s):
            for address in known.keys() - serving.keys():
                del known[address]
        changed = []
        for address, source in serving.items():
            if source is not None:
                self._missing_since_s.pop(address, None)
            elif now_s - self._missing_since_s.setdefault(address, now_s) < UNCOVERED_S:
                continue
            if address not in self._told or self._told[address] != source:
                self._told[address] = source
                changed.append((address, source))
        return changed
