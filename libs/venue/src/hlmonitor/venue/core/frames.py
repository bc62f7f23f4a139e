"""Decoding of websocket frames: text in, one typed frame out, never an exception.

A frame that cannot be read is a value too (`Malformed`), and a bad row costs only itself: the connection and the
other rows go on (DESIGN G7).
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from hlmonitor.venue.core import wire

Row = TypeVar("Row")


class Rows(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Rows of a user's feed; `isSnapshot` is on the first frame after a subscribe and absent later."""

    channel: str
    user: str = ""
    """Lower case; empty on `orderUpdates` and `trades`, which name no user."""
    is_snapshot: bool = False
    rows: list[Row]
    rejected: tuple[str, ...] = ()
    """Why rows were left out, one reason each."""


class UserFills(Rows[wire.Fill], frozen=True, kw_only=True):
    """Fills of a wallet, those of TWAPs left out."""


class TwapSliceFills(Rows[wire.TwapSliceFill], frozen=True, kw_only=True):
    """Fills of a wallet's TWAPs."""


class TwapHistory(Rows[wire.TwapHistoryRow], frozen=True, kw_only=True):
    """Status changes of a wallet's TWAPs."""


class OrderUpdates(Rows[wire.OrderUpdate], frozen=True, kw_only=True):
    """Status changes of orders of the one user of the connection."""


class Trades(Rows[wire.Trade], frozen=True, kw_only=True):
    """Public trades of one coin."""


class PerpStates(msgspec.Struct, frozen=True):
    """The complete state of a wallet on every perpetuals dex, by the dex' name."""

    user: str
    states: list[tuple[str, wire.ClearinghouseState]]


class SpotState(msgspec.Struct, frozen=True):
    """The complete spot balances of a wallet."""

    user: str
    state: wire.SpotClearinghouseState


class AccountMode(msgspec.Struct, frozen=True):
    """Where a wallet keeps the collateral of its perps, from `webData3`."""

    user: str
    abstraction: str
    """`default` when the venue names none."""


class Acknowledgement(msgspec.Struct, frozen=True):
    """The venue's echo of a subscribe or unsubscribe, with its defaults filled in."""

    method: str
    subscription: dict[str, object]


class ErrorFrame(msgspec.Struct, frozen=True):
    """The venue's complaint, as it wrote it."""

    text: str


class Pong(msgspec.Struct, frozen=True):
    """Answer to a ping."""


class PlainText(msgspec.Struct, frozen=True):
    """Not JSON: old servers greet with `Websocket connection established.`."""

    text: str


class UnknownChannel(msgspec.Struct, frozen=True):
    """A channel that nobody here subscribed to or knows."""

    channel: str


class Malformed(msgspec.Struct, frozen=True):
    """A frame that cannot be read."""

    reason: str
    sample: str


Frame = (
    UserFills
    | TwapSliceFills
    | TwapHistory
    | OrderUpdates
    | Trades
    | PerpStates
    | SpotState
    | AccountMode
    | Acknowledgement
    | ErrorFrame
    | Pong
    | PlainText
    | UnknownChannel
    | Malformed
)

_SAMPLE_CHARACTERS = 200


class _Envelope(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Perps(wire.Wire, frozen=True, kw_only=True):
    user: str
    clearinghouse_states: list[tuple[str, wire.ClearinghouseState]]


class _Spot(wire.Wire, frozen=True, kw_only=True):
    user: str
    spot_state: wire.SpotClearinghouseState


class _UserState(wire.Wire, frozen=True, kw_only=True):
    user: str
    abstraction: str | None = None


class _WebData3(wire.Wire, frozen=True, kw_only=True):
    user_state: _UserState


_envelopes = msgspec.json.Decoder(_Envelope)
_perps = msgspec.json.Decoder(_Perps)
_spot = msgspec.json.Decoder(_Spot)
_web_data = msgspec.json.Decoder(_WebData3)
_acknowledgements = msgspec.json.Decoder(Acknowledgement)
_texts = msgspec.json.Decoder(str)
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_lists = msgspec.json.Decoder(list[msgspec.Raw])


def decode_frame(raw: str | bytes) -> Frame:
    """Read one frame. Whatever is wrong with it is in the result."""
    try:
        envelope = _envelopes.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _not_an_envelope(raw, error)
    reader = _READERS.get(envelope.channel)
    if reader is None:
        return UnknownChannel(envelope.channel)
    try:
        return reader(envelope.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Malformed(f"{envelope.channel}: {error}", _sample(raw))


def _not_an_envelope(raw: str | bytes, error: Exception) -> Frame:
    sample = _sample(raw)
    # A greeting is text; anything that begins like JSON was meant to be a frame.
    return Malformed(str(error), sample) if sample.lstrip()[:1] in ("{", "[", "") else PlainText(sample)


def _sample(raw: str | bytes) -> str:
    text = raw if isinstance(raw, str) else raw[: 4 * _SAMPLE_CHARACTERS].decode("utf-8", "replace")
    return text[:_SAMPLE_CHARACTERS]


class _RowReader(Generic[Row]):
    """Reads `{user, isSnapshot?, <key>: rows}`, or bare rows when there is no key."""

    def __init__(self, kind: Callable[..., Frame], channel: str, row: type[Row], key: str | None) -> None:
        self._kind, self._channel, self._key = kind, channel, key
        self._row: msgspec.json.Decoder[Row] = msgspec.json.Decoder(row)
        self._rows: msgspec.json.Decoder[list[Row]] = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]

    def __call__(self, data: msgspec.Raw) -> Frame:
        if self._key is None:
            return self._frame(data, "", is_snapshot=False)
        body = _objects.decode(data)
        if self._key not in body:
            raise msgspec.ValidationError(f"`{self._key}` is missing")
        user = _texts.decode(body["user"]).lower() if "user" in body else ""
        return self._frame(body[self._key], user, is_snapshot=bytes(body.get("isSnapshot", b"")) == b"true")

    def _frame(self, rows: msgspec.Raw, user: str, *, is_snapshot: bool) -> Frame:
        found, rejected = self._read(rows)
        return self._kind(channel=self._channel, user=user, is_snapshot=is_snapshot, rows=found, rejected=rejected)

    def _read(self, data: msgspec.Raw) -> tuple[list[Row], tuple[str, ...]]:
        try:
            return self._rows.decode(data), ()
        except msgspec.ValidationError:
            return self._read_one_by_one(data)

    def _read_one_by_one(self, data: msgspec.Raw) -> tuple[list[Row], tuple[str, ...]]:
        rows, rejected = [], []
        for raw in _lists.decode(data):
            try:
                rows.append(self._row.decode(raw))
            except msgspec.ValidationError as error:
                rejected.append(str(error))
        return rows, tuple(rejected)


def _read_perps(data: msgspec.Raw) -> Frame:
    body = _perps.decode(data)
    return PerpStates(body.user.lower(), body.clearinghouse_states)


def _read_spot(data: msgspec.Raw) -> Frame:
    body = _spot.decode(data)
    return SpotState(body.user.lower(), body.spot_state)


def _read_mode(data: msgspec.Raw) -> Frame:
    state = _web_data.decode(data).user_state
    return AccountMode(state.user.lower(), state.abstraction or "default")


_READERS: dict[str, Callable[[msgspec.Raw], Frame]] = {
    "userFills": _RowReader(UserFills, "userFills", wire.Fill, "fills"),
    "userTwapSliceFills": _RowReader(TwapSliceFills, "userTwapSliceFills", wire.TwapSliceFill, "twapSliceFills"),
    "userTwapHistory": _RowReader(TwapHistory, "userTwapHistory", wire.TwapHistoryRow, "history"),
    "orderUpdates": _RowReader(OrderUpdates, "orderUpdates", wire.OrderUpdate, None),
    "trades": _RowReader(Trades, "trades", wire.Trade, None),
    "allDexsClearinghouseState": _read_perps,
    "spotState": _read_spot,
    "webData3": _read_mode,
    "subscriptionResponse": _acknowledgements.decode,
    "error": lambda data: ErrorFrame(_texts.decode(data)),
    "pong": lambda _: Pong(),
}
