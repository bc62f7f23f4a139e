"""The venue's `/info` endpoint."""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec
import stamina

from hlmonitor.domain.addresses import Address
from hlmonitor.venue.core import wire
from hlmonitor.venue.core.limits import REST_WEIGHT_PER_MINUTE, RateLedger, most_weight_of, weight_of
from hlmonitor.venue.errors import (
    BadReplyError,
    CutReplyError,
    RateLimitedError,
    RequestRefusedError,
    ServerError,
    TransportError,
    VenueError,
)

T = TypeVar("T")

_TOO_MANY = 429
_SERVER_ERRORS = 500
_OK = 200
# Anything else ends an order.
_STATUS_ORDER = {"open": 0, "triggered": 1}
_WAIT_SLICE_S = 0.25


class InfoClient:
    """Asks the venue, within the weight budget of this egress IP.

    Every call raises a `VenueError` when the venue cannot be reached, refuses, or answers what cannot be read; 429,
    5xx, lost connections and replies that break off are tried again with back-off before that. Use as an async context
    manager.
    """

    def __init__(
        self,
        base_url: str,
        *,
        ledger: RateLedger | None = None,
        local_address: str = "",
        timeout_s: float = 10.0,
        attempts: int = 5,
    ) -> None:
        self._ledger = ledger or RateLedger(REST_WEIGHT_PER_MINUTE)
        self._attempts = attempts
        transport = httpx.AsyncHTTPTransport(local_address=local_address or None)
        # No proxy from the environment: the egress address is what the limits are counted by.
        self._http = httpx.AsyncClient(base_url=base_url, transport=transport, timeout=timeout_s, trust_env=False)

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self._http.__aexit__(kind, error, trace)

    async def spot_meta(self) -> wire.SpotMeta:
        """Spot pairs and tokens."""
        return await self._ask({"type": "spotMeta"}, wire.SpotMeta)

    async def all_perp_metas(self) -> list[wire.PerpMeta]:
        """The perpetuals of every dex; the place in the list is the dex' index in `perp_dexs`."""
        return await self._ask({"type": "allPerpMetas"}, list[wire.PerpMeta])

    async def perp_dexs(self) -> list[wire.PerpDex | None]:
        """The dexes; the first is None, the main one."""
        return await self._ask({"type": "perpDexs"}, list[wire.PerpDex | None])

    async def all_mids(self, dex: str = "") -> dict[str, str]:
        """Mid price by coin; spot mids come with the main dex only."""
        return await self._ask({"type": "allMids", "dex": dex}, dict[str, str])

    async def user_fills_by_time(self, address: Address, start_ms: int, end_ms: int | None = None) -> list[wire.Fill]:
        """At most 2000 fills from the start on, both bounds inclusive; the venue promises no order."""
        request = _ranged("userFillsByTime", address, start_ms, end_ms)
        return await self._ask(request, list[wire.Fill])

    async def user_twap_slice_fills_by_time(
        self, address: Address, start_ms: int, end_ms: int | None = None
    ) -> list[wire.TwapSliceFill]:
        """The same for fills of TWAPs, which `user_fills_by_time` leaves out."""
        request = _ranged("userTwapSliceFillsByTime", address, start_ms, end_ms)
        return await self._ask(request, list[wire.TwapSliceFill])

    async def twap_history(self, address: Address) -> list[wire.TwapHistoryRow]:
        """The latest status changes of a wallet's TWAPs."""
        return await self._ask({"type": "twapHistory", "user": address}, list[wire.TwapHistoryRow])

    async def order_status(self, address: Address, oid: int) -> wire.OrderUpdate | None:
        """An order's last status; None when the venue knows it no more (it keeps about 2000 per account)."""
        request = {"type": "orderStatus", "user": address, "oid": oid}
        return (await self._ask(request, wire.OrderStatusReply)).order

    async def historical_orders(self, address: Address) -> list[wire.OrderUpdate]:
        """The last status of each order among the venue's latest 2000 changes of a status, oldest first.

        The venue has a row for each change, so an order that is done was `open` in another row; within a millisecond
        the rows' order is not promised, and what ends an order counts.
        """
        rows = await self._ask({"type": "historicalOrders", "user": address}, list[wire.OrderUpdate])
        rows.sort(key=lambda row: (row.status_timestamp, _STATUS_ORDER.get(row.status, len(_STATUS_ORDER))))
        return list({row.order.oid: row for row in rows}.values())

    async def _ask(self, request: Mapping[str, object], kind: type[T]) -> T:
        name, body = str(request["type"]), msgspec.json.encode(request)
        retries = stamina.retry_context(
            # A reply that breaks off is whole the next time.
            on=(TransportError, RateLimitedError, ServerError, CutReplyError),
            attempts=self._attempts,
            timeout=None,
            wait_initial=0.5,
            wait_max=10.0,
        )
        async for attempt in retries:
            with attempt:
                return await self._attempt(name, body, kind)
        raise VenueError(f"{name} was not tried")  # not reached: the last attempt raises its own error

    async def _attempt(self, name: str, body: bytes, kind: type[T]) -> T:
        most = most_weight_of(name)
        taken_at = await self._await_budget(most)

        def settle(cost: int) -> None:
            self._ledger.settle(most, cost, taken_at, time.monotonic())

        try:
            response = await self._send(body)
        except httpx.HTTPError as error:
            if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                # The venue never saw it. Counted, a long outage would spend the budget that the way back needs.
                settle(0)
            raise TransportError(f"{name}: no answer from {self._http.base_url}: {error!r}") from error
        if response.status_code == _OK:
            reply = _decoded(name, response.content, kind)
            settle(weight_of(name, len(reply) if isinstance(reply, list) else 0))
            return reply
        settle(weight_of(name))
        raise self._refusal(name, response)

    def _refusal(self, name: str, response: httpx.Response) -> VenueError:
        detail = f"{name}: the venue answered {response.status_code} {response.text[:200]!r}"
        if response.status_code == _TOO_MANY:
            # Somebody else spends this IP's budget too: assume that nothing is left of it.
            self._ledger.spend_all(time.monotonic())
            return RateLimitedError(detail)
        return ServerError(detail) if response.status_code >= _SERVER_ERRORS else RequestRefusedError(detail)

    async def _send(self, body: bytes) -> httpx.Response:
        headers = {"content-type": "application/json"}
        try:
            return await self._http.post("/info", content=body, headers=headers)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # The venue drops idle keep-alive connections silently (python-sdk #293): a fresh one is tried at once.
            return await self._http.post("/info", content=body, headers=headers)

    async def _await_budget(self, weight: int) -> float:
        # In slices: a reply with fewer rows than were reserved for gives budget back at any time.
        while (wait_s := self._ledger.take(weight, now := time.monotonic())) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(wait_s, _WAIT_SLICE_S))
        return now


def _decoded(name: str, body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadReplyError(f"the venue's answer to {name} is not as documented: {error}") from error
    except msgspec.DecodeError as error:
        raise CutReplyError(f"the venue's answer to {name} cannot be read: {error}") from error


def _ranged(name: str, address: Address, start_ms: int, end_ms: int | None) -> dict[str, object]:
    request: dict[str, object] = {"type": name, "user": address, "startTime": start_ms}
    if name == "userFillsByTime":
        # Joined rows have another size and tid: the two granularities must never meet in one store.
        request["aggregateByTime"] = False
    return request if end_ms is None else request | {"endTime": end_ms}
