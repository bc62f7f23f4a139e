"""Publishes committed signals: JetStream first, then the original's subject."""

import asyncio
from dataclasses import dataclass, field
from secrets import token_hex
from typing import NamedTuple

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from hlmonitor.aggregator.core.payload import LEGACY_SUBJECT, legacy_json
from hlmonitor.aggregator.core.publishing import PublishQueue
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.orders import is_void_id
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.nats import STREAM_EXISTS, WRONG_LAST_SEQUENCE, jetstream_of
from hlmonitor.v1.storage_pb2 import SignalRow

STREAM = "HL_SIGNALS"
SUBJECTS = "hl.signals.v1.>"
RETRY_S = 0.25
MAX_RETRY_S = 2.0

_MARK = "Hlmon-Publish"
"""Header with a token of the attempt to publish one signal, the same over its repeats."""


@dataclass(frozen=True, slots=True)
class Published:
    """A signal that the stream holds."""

    row: SignalRow
    seq: int
    by_us: bool
    """This process sent it; False when it was found to have been sent by an owner before."""


@dataclass(slots=True)
class Publisher:
    """The way to NATS for every partition of this process."""

    client: Client
    settings: AggregatorSettings
    metrics: Metrics
    log: Log
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Bound how many publishes wait for NATS at once."""
        self._slots = asyncio.Semaphore(self.settings.publish_concurrency)

    async def ensure_stream(self) -> None:
        """Make the stream if it is not there, tried until NATS answers. What an operator has set on it stays."""
        config = StreamConfig(
            name=STREAM,
            subjects=[SUBJECTS],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            max_age=self.settings.signal_retention,
            allow_direct=True,
        )
        while True:
            try:
                await jetstream_of(self.client).add_stream(config)
            except APIError as error:
                if error.err_code == STREAM_EXISTS:
                    return
                self.log.error("stream_refused", stream=STREAM, error=str(error))  # noqa: TRY400 no trace is needed
            except (NatsError, TimeoutError):
                pass
            else:
                return
            await asyncio.sleep(RETRY_S)

    async def publish_next(self, address: Address, queue: PublishQueue) -> Published | None:
        """Publish the head of a wallet's queue, however long that takes; None when there is nothing to publish."""
        row = queue.head()
        if row is None:
            return None
        # An unanswered message may have arrived, and so may another owner's of the same bytes: only a mark tells.
        mark, marks, wait_s = token_hex(8), frozenset[str](), RETRY_S
        while True:
            if (seq := queue.head_seq) is not None:
                return Published(queue.confirmed(seq), seq, by_us=mark in marks)
            try:
                async with self._slots:
                    seq = await self._send(address, row, queue.last_seq, mark)
                return Published(queue.confirmed(seq), seq, by_us=True)
            except APIError as error:
                if error.err_code == WRONG_LAST_SEQUENCE and (found := await self._behind(address, queue.last_seq)):
                    queue.refused(found.ids, found.last_seq)
                    marks = found.marks
                    continue
                self._failed("refused", error)
            except NoStreamResponseError as error:
                # A server that lost its disk has no stream any more.
                self._failed("no_stream", error)
                await self.ensure_stream()
            except (NatsError, TimeoutError, OSError) as error:
                self._failed("unreachable", error)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, MAX_RETRY_S)

    async def publish_legacy(self, published: Published) -> None:
        """The original's message, once; for a signal that an owner before us may have sent, as the setting says."""
        payload = published.row.payload
        is_void = is_void_id(published.row.signal_id)
        in_doubt = not published.by_us and self.settings.legacy_on_doubt == "skip"
        if not self.settings.legacy or is_void or in_doubt:
            return
        try:
            await self.client.publish(LEGACY_SUBJECT, legacy_json(payload))
        except (NatsError, OSError) as error:
            self._failed("legacy", error)
        else:
            self.metrics.legacy_published_total.inc()

    async def _send(self, address: Address, row: SignalRow, last_seq: int, mark: str) -> int:
        headers = {
            _MARK: mark,
            "Nats-Expected-Last-Subject-Sequence": str(last_seq),
            "Nats-Expected-Last-Subject-Sequence-Subject": f"hl.signals.v1.{address}.>",
        }
        ack = await jetstream_of(self.client).publish(row.subject, row.payload, stream=STREAM, headers=headers)
        return ack.seq

    async def _behind(self, address: Address, seq: int) -> "_Found | None":
        """What the stream holds of the wallet behind a sequence; None when NATS did not say."""
        jetstream, subject = jetstream_of(self.client), f"hl.signals.v1.{address}.>"
        ids: dict[str, int] = {}
        marks: set[str] = set()
        try:
            last_seq = (await jetstream.get_last_msg(STREAM, subject)).seq or 0
            while seq < last_seq:
                message = await jetstream.get_msg(STREAM, seq=seq + 1, subject=subject, next=True)
                seq = message.seq or last_seq
                ids[msgspec.json.decode(message.data or b"{}", type=_Identified).id] = seq
                marks.add((message.headers or {}).get(_MARK, ""))
        except NotFoundError:
            return _Found(ids, seq if ids else 0, frozenset(marks))
        except (NatsError, TimeoutError):
            return None
        return _Found(ids, last_seq, frozenset(marks))

    def _failed(self, kind: str, error: Exception) -> None:
        self.metrics.signal_errors_total.labels(kind).inc()
        self.log.debug("publish_failed", kind=kind, error=repr(error))


class _Found(NamedTuple):
    ids: dict[str, int]
    last_seq: int
    marks: frozenset[str]


class _Identified(msgspec.Struct):
    id: str = ""
