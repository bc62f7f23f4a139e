"""Messages as a line of the trace."""

from google.protobuf.message import Message

from hlmonitor.v1 import events_pb2, ingest_pb2, storage_pb2

_LETTERS = 4


def describe(message: Message) -> str:
    """What a reader of the trace wants to know of a message."""
    match message:
        case ingest_pb2.EventBatch():
            return f"batch {message.batch}: " + ", ".join(_event(event) for event in message.events)
        case storage_pb2.CommitBatch():
            signals = [signal.signal_id for unit in message.units for signal in unit.signals]
            fills = sum(len(unit.fills) for unit in message.units)
            parts = [f"{fills} fills", *signals]
            parts += [_watermark(row) for row in message.watermarks]
            parts += [_gap(row) for row in message.gaps]
            parts += [f"published {mark.signal_id}" for mark in message.published]
            return f"commit {message.partition}.{message.epoch}.{message.number}: " + ", ".join(parts)
        case _:
            return f"{type(message).__name__} {' '.join(str(message).split())}"[:300]


def _watermark(row: storage_pb2.Watermark) -> str:
    return f"{_feed(row.feed)} of {_who(row.address)} through {row.watermark_ms}"


def _gap(row: storage_pb2.GapRow) -> str:
    return f"gap {row.state} {_feed(row.feed)} of {_who(row.address)} {row.from_ms}-"


def _event(event: events_pb2.Event) -> str:
    kind = event.WhichOneof("event") or "nothing"
    value = getattr(event, kind, None)
    if kind == "fill":
        fill = events_pb2.Fill.FromString(event.fill)
        text = f"fill {fill.tid} of {_who(fill.address)} at {fill.time_ms}"
    elif isinstance(value, events_pb2.OrderStatus):
        text = f"{value.status} {value.oid or value.twap_id} of {_who(value.address)}"
    elif isinstance(value, events_pb2.Gap | events_pb2.CaughtUp):
        text = f"{kind} {_feed(value.feed)} of {_who(value.address)} from {value.from_ms}"
    else:
        text = f"{kind} of {_who(value.address)}" if value else kind
    return f"{event.partition}/{event.seq} {text}"


def _who(address: str) -> str:
    return address[: 2 + _LETTERS]


def _feed(feed: int) -> str:
    return events_pb2.Feed.Name(events_pb2.Feed.ValueType(feed)).removeprefix("FEED_").lower()
