"""What is known of a wallet's account: values for rates, and the row of `hl_position_cache`."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import msgspec

from hlmonitor.aggregator.core.metadata import Markets
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.decimals import ZERO, parse_amount, product, total
from hlmonitor.domain.fills import is_spot
from hlmonitor.v1.events_pb2 import AccountSnapshot, DexState, Position, SpotBalance
from hlmonitor.v1.storage_pb2 import PositionCacheRow

_USD = Decimal("0.000001")
_UNIFIED = "unifiedAccount"
_PORTFOLIO = "portfolioMargin"


@dataclass(slots=True)
class Account:
    """The last complete snapshots of a wallet. Each part replaces the one before, nothing is merged."""

    address: Address
    dexes: dict[str, DexState] = field(default_factory=dict)
    balances: list[SpotBalance] | None = None
    abstraction: str = "default"
    """Where the collateral of perps is kept, in the venue's words; what is unknown is taken for each dex' own."""
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
        if snapshot.HasField("abstraction"):
            self.abstraction = snapshot.abstraction
        if snapshot.HasField("spot"):
            self.balances = list(snapshot.spot.balances)
        if snapshot.HasField("perps") or snapshot.HasField("spot"):
            self.received_at_ms = received_at_ms
            self.changed = True

    def share_of(self, coin: str, notional: Decimal, markets: Markets) -> Fraction | None:
        """What share of the account a notional in quote units is; None when the account's value is not known.

        Values in different tokens are never added without their prices. A perp is measured against its dex, in the
        dex' collateral. A unified account keeps collateral as a spot balance, of which what perps are worth is a part
        already, so there it is measured against that balance. What backs all of an account (spot, portfolio margin)
        is counted in USD.
        """
        if is_spot(coin) or self.abstraction == _PORTFOLIO:
            price = markets.token_usd(markets.quote_of(coin) or "")
            worth = None if price is None else product(notional, price)
            value = None if self.balances is None else self.spot_total_usd(markets)
        else:
            worth, value = notional, self._collateral_behind(dex_of(coin), markets)
        return Fraction(worth) / Fraction(value) if worth is not None and value is not None and value > 0 else None

    def _collateral_behind(self, dex: str, markets: Markets) -> Decimal | None:
        """The value behind a dex' positions, in its collateral."""
        if self.abstraction == _UNIFIED:
            token = markets.collateral_of(dex)
            return self.balance_of(token) if token else None
        state = self.dexes.get(dex)
        return None if state is None else parse_amount(state.account_value)

    def leverage_of(self, coin: str) -> int | None:
        """The leverage of the open position in this coin, if there is one."""
        position = self._position(coin)
        return position.leverage_value if position else None

    def balance_of(self, token: str) -> Decimal | None:
        """The last known balance of a token; None while balances were not told."""
        if self.balances is None:
            return None
        return total(parse_amount(item.total) for item in self.balances if item.coin == token)

    def open_positions(self) -> int:
        """How many perp positions are open."""
        return sum(len(dex.positions) for dex in self.dexes.values())

    def spot_total_usd(self, markets: Markets) -> Decimal:
        """The sum of balances at mid prices; tokens without a price count nothing."""
        return total(
            product(parse_amount(item.total), markets.token_usd(item.coin) or ZERO) for item in self.balances or ()
        )

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
