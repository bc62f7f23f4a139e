"""Spot dust: once a day, at midnight UTC, balances below one lot and worth at most a dollar are sold together.

By the venue's documentation: a token's dust is left alone if its book is one-sided or the dust is worth too
much for it; dust that makes no lot even together is burned; what the sale brings is shared by size. A share
is a fill of the system with tid 0. Burned dust leaves no fill (an assumption).
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .accounts import ZERO
from .balance_fills import BalanceFills
from .durations import DAY_MS
from .instruments import USDC
from .orders import ZERO_HASH, Order, Origin, Side, Tif
from .precision import round_px, round_sz

if TYPE_CHECKING:
    from .instruments import Instrument
    from .margin import Margin
    from .matching import Matcher
    from .state import ExchangeState

DUSTER: Final = "0x" + blake2b(b"spot dust conversion", digest_size=20).hexdigest()
"""The account through which dust is sold."""

_LITTLE: Final = Decimal(1)
_MOST: Final = Decimal(3_000)
_MOST_OF: Final = {"PURR": Decimal(10_000)}
_CENT: Final = Decimal("0.00000001")


class DustConverter:
    """Looks at all balances when a day begins."""

    def __init__(self, state: ExchangeState, margin: Margin, matcher: Matcher) -> None:
        self._state = state
        self._margin = margin
        self._matcher = matcher
        self._fills = BalanceFills(state)
        self._day = state.now_ms // DAY_MS

    def run(self) -> None:
        """Convert if this is the first block of a day."""
        day = self._state.now_ms // DAY_MS
        if day != self._day:
            self._day = day
            self.convert()

    def convert(self) -> None:
        """Convert the dust of every token that has a pair against USDC."""
        for pair in self._state.universe.spot:
            mid = self._state.books[pair.coin].mid()
            if pair.quote == USDC and mid is not None:
                self._convert(pair, mid)

    def _convert(self, pair: Instrument, mid: Decimal) -> None:
        dust = self._dust(pair, mid)
        total = sum(dust.values(), ZERO)
        most = _MOST_OF.get(self._state.universe.token_by_index[pair.base].name, _MOST)
        if not dust or total * mid > most:
            return
        lots = round_sz(pair, total)
        brought = self._sell(pair, total, lots) if lots else ZERO
        for address, sz in dust.items():
            if lots:
                self._fills.take(
                    address, pair, sz, (brought / total).quantize(_CENT), "Spot Dust Conversion", has_tid=False
                )
                share = (brought * sz / total).quantize(_CENT, ROUND_DOWN)
                self._state.credit_token(address, USDC, share)
                self._state.credit_token(DUSTER, USDC, -share)
            else:
                self._state.credit_token(address, pair.base, -sz, -self._cost(address, pair.base))

    def _dust(self, pair: Instrument, mid: Decimal) -> dict[str, Decimal]:
        lot = Decimal(1).scaleb(-pair.sz_decimals)
        found = {}
        for account in self._state.accounts.values():
            balance = account.spot.get(pair.base)
            if balance is None or account.keeps_dust or account.address == DUSTER:
                continue
            if 0 < balance.total < lot and balance.total * mid <= _LITTLE and not self._margin.hold(account, pair.base):
                found[account.address] = balance.total
        return found

    def _cost(self, address: str, token: int) -> Decimal:
        return self._state.account(address).balance(token).entry_ntl

    def _sell(self, pair: Instrument, total: Decimal, lots: Decimal) -> Decimal:
        """Sell whole lots at market; return what that brought. What is left of the dust is burned."""
        state = self._state
        before = state.account(DUSTER).balance(USDC).total
        state.credit_token(DUSTER, pair.base, total)
        bound = state.mark(pair.coin) * (1 - state.config.market_slippage)
        order = Order(
            oid=state.new_oid(),
            address=DUSTER,
            coin=pair.coin,
            side=Side.SELL,
            limit_px=round_px(pair, bound),
            orig_sz=lots,
            remaining=lots,
            tif=Tif.IOC,
            reduce_only=False,
            cloid=None,
            placed_ms=state.now_ms,
            tx_hash=ZERO_HASH,
            origin=Origin.DUST,
        )
        self._matcher.submit(order)
        left = state.account(DUSTER).balance(pair.base)
        state.credit_token(DUSTER, pair.base, -left.total, -left.entry_ntl)
        return state.account(DUSTER).balance(USDC).total - before
