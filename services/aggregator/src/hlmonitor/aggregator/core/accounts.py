"""What is known of a wallet's account: values for rates, and the row of `hl_position_cache`."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from hlmonitor.aggregator.core.metadata import Markets
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.decimals import ZERO, parse_amount
from hlmonitor.domain.fills import is_spot
from hlmonitor.v1.events_pb2 import AccountSnapshot, DexState, Position, SpotBalance
from hlmonitor.v1.storage_pb2 import PositionCacheRow

_USD = Decimal("0.000001")


@dataclass(slots=True)
class Account:
    """The last complete snapshots of a wallet. Each part replaces the one before, nothing is merged."""

    address: Address
    dexes: dict[str, DexState] = field(default_factory=dict)
    balances: list[SpotBalance] | None = None
    received_at_ms: int = 0
    changed: bool = False
    """The position cache's row has not seen the last change."""

    def replace(self, snapshot: AccountSnapshot, received_at_ms: int) -> None:
        """Take a snapshot in.

        Raises:
            AmountError: a number in it cannot be used; the account is as before.
        """
        _check(snapshot)
        if snapshot.HasField("perps"):
            # A frame sometimes lacks the main dex: what is absent is then kept, not emptied.
            self.dexes |= {dex.dex: dex for dex in snapshot.perps.dexes}
        if snapshot.HasField("spot"):
            self.balances = list(snapshot.spot.balances)
        self.received_at_ms = received_at_ms
        self.changed = True

    def value_for(self, coin: str, markets: Markets) -> Decimal | None:
        """What a position in this coin is measured against, in USD; None when it is unknown or not above zero."""
        if is_spot(coin):
            value = self.spot_total_usd(markets) if self.balances is not None else None
        else:
            dex = self.dexes.get(dex_of(coin))
            value = parse_amount(dex.account_value) if dex else None
        return value if value is not None and value > 0 else None

    def leverage_of(self, coin: str) -> int | None:
        """The leverage of the open position in this coin, if there is one."""
        position = self._position(coin)
        return position.leverage_value if position else None

    def open_positions(self) -> int:
        """How many perp positions are open."""
        return sum(len(dex.positions) for dex in self.dexes.values())

    def spot_total_usd(self, markets: Markets) -> Decimal:
        """The sum of balances at mid prices; tokens without a price count nothing."""
        worth = (parse_amount(item.total) * (markets.token_usd(item.coin) or ZERO) for item in self.balances or ())
        return sum(worth, ZERO)

    def cache_row(self, markets: Markets, now_ms: int) -> PositionCacheRow:
        """The row of `hl_position_cache`, in the original's form."""
        main = self.dexes.get("")
        return PositionCacheRow(
            address=self.address,
            spot_balances_json=_json(self._balance_rows(markets)),
            spot_total_usd=str(self.spot_total_usd(markets).quantize(_USD, ROUND_HALF_EVEN)),
            futures_positions_json=_json(self._position_rows(markets)),
            account_value=main.account_value if main else "0",
            total_margin_used=main.total_margin_used if main else "0",
            total_ntl_pos=main.total_ntl_pos if main else "0",
            withdrawable=main.withdrawable if main else "0",
            updated_at_ms=now_ms,
        )

    def _position(self, coin: str) -> Position | None:
        dex = self.dexes.get(dex_of(coin))
        return next((item for item in dex.positions if item.coin == coin), None) if dex else None

    def _balance_rows(self, markets: Markets) -> list[dict[str, str]]:
        return [
            {
                "coin": markets.display_token(item.coin),
                "total": item.total,
                "hold": item.hold,
                "entry_ntl": item.entry_ntl,
            }
            for item in self.balances or ()
            if not parse_amount(item.total).is_zero()
        ]

    def _position_rows(self, markets: Markets) -> list[dict[str, object]]:
        return [
            {
                "coin": markets.symbol_of(item.coin),
                "szi": item.szi,
                "entry_px": item.entry_px,
                "unrealized_pnl": item.unrealized_pnl,
                "leverage": {"type": item.leverage_type, "value": item.leverage_value},
                "margin_used": item.margin_used,
                "position_value": item.position_value,
                "return_on_equity": item.return_on_equity,
            }
            for dex in self.dexes.values()
            for item in dex.positions
        ]


def dex_of(coin: str) -> str:
    """The builder dex of a coin (`xyz:CL`), empty for the main one."""
    dex, separator, _ = coin.partition(":")
    return dex if separator else ""


def _check(snapshot: AccountSnapshot) -> None:
    for dex in snapshot.perps.dexes:
        parse_amount(dex.account_value)
        for position in dex.positions:
            parse_amount(position.szi)
    for balance in snapshot.spot.balances:
        parse_amount(balance.total)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
