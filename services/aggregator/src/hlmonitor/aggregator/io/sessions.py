"""The gateways' streams: what is to be said to each, bounded by saying only the newest."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from hlmonitor.aggregator.core.news import Source
from hlmonitor.aggregator.core.requests import BackfillRequest, Request
from hlmonitor.domain.addresses import Address
from hlmonitor.v1 import events_pb2, ingest_pb2

MAX_REPLIES = 10_000
"""Replies that wait for a gateway that does not read; past it its stream is ended and it starts anew."""


@dataclass(slots=True, eq=False)
class Session:
    """One stream of one gateway."""

    incarnation: str = ""
    source: Source = field(default_factory=lambda: Source("", ""))
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_full: bool = False
    _acks: dict[int, ingest_pb2.Ack] = field(default_factory=dict)
    _replies: deque[ingest_pb2.BatchReply] = field(default_factory=deque)

    def ack(self, partition: int, epoch: int, through_seq: int) -> None:
        """Acknowledge a partition's events; an earlier acknowledgement that was not sent is replaced."""
        self._acks[partition] = ingest_pb2.Ack(partition=partition, epoch=epoch, through_seq=through_seq)
        self.wake.set()

    def say(self, reply: ingest_pb2.BatchReply) -> None:
        """Send a reply in turn."""
        if len(self._replies) >= MAX_REPLIES:
            self.is_full = True
        else:
            self._replies.append(reply)
        self.wake.set()

    def take(self) -> list[ingest_pb2.BatchReply]:
        """Everything that is to be sent now."""
        replies = [*self._replies, *(ingest_pb2.BatchReply(ack=ack) for ack in self._acks.values())]
        self._replies.clear()
        self._acks.clear()
        self.wake.clear()
        return replies


@dataclass(slots=True)
class Sessions:
    """The open streams, and those that serve each wallet: one, or for a while the gateways that hand it over."""

    _serving: dict[Address, list[Session]] = field(default_factory=dict)
    """The one that is asked is the last."""

    def serves(self, address: Address, session: Session) -> None:
        """The wallet's events come by this stream, and its gateway is the one to ask."""
        servers = self._serving.setdefault(address, [])
        if session in servers:
            servers.remove(session)
        servers.append(session)

    def let_go(self, address: Address, session: Session) -> bool:
        """The wallet's events do not come by this stream any more. True: it was the last one."""
        servers = self._serving.get(address, [])
        if session not in servers:
            return False
        servers.remove(session)
        if not servers:
            del self._serving[address]
        return not servers

    def prefer_another(self, address: Address, session: Session) -> bool:
        """This stream has a gap: ask another one that has the wallet, from now on. False: there is none."""
        servers = self._serving.get(address, [])
        if session in servers:
            servers.remove(session)
            servers.insert(0, session)
        return bool(servers) and servers[-1] is not session

    def closed(self, session: Session) -> list[Address]:
        """The stream is gone; returns the wallets that no other one serves."""
        return [address for address in list(self._serving) if self.let_go(address, session)]

    def source_of(self, address: Address) -> Source | None:
        """The gateway that serves a wallet; None when nobody does."""
        session = self._server(address)
        return session.source if session else None

    def ask(self, request: Request) -> bool:
        """Pass a request to the gateway that serves the wallet. False: nobody does, so it asks again when it opens."""
        session = self._server(request.address)
        if session is None:
            return False
        session.say(_reply(request))
        return True

    def _server(self, address: Address) -> Session | None:
        servers = self._serving.get(address)
        return servers[-1] if servers else None


def _reply(request: Request) -> ingest_pb2.BatchReply:
    feed = events_pb2.Feed.ValueType(request.feed)
    if isinstance(request, BackfillRequest):
        return ingest_pb2.BatchReply(
            backfill=ingest_pb2.Backfill(
                address=request.address,
                feed=feed,
                from_ms=request.from_ms,
                oids=request.oids,
                routine=request.routine,
            )
        )
    return ingest_pb2.BatchReply(
        resume=ingest_pb2.Resume(
            address=request.address,
            feed=feed,
            watermark_ms=request.watermark_ms,
            gaps=[ingest_pb2.OpenGap(from_ms=from_ms, reason=reason) for from_ms, reason in request.gaps],
            open_oids=request.open_oids,
        )
    )
