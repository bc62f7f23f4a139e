"""Turning one match into two fills: positions, balances, fees, `dir` texts and the public trade."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from .accounts import MICRO, ZERO, Account, Position
from .events import Fill, LiquidationMark, Trade
from .instruments import MAIN_DEX
from .orders import ZERO_HASH, Order, Origin, Side
from .positions import Positions

if TYPE_CHECKING:
    from .instruments import Instrument
    from .state import ExchangeState

_TENTH_BP: Final = Decimal("0.00001")


@dataclass(frozen=True, slots=True)
class _Match:
    """What both sides of one trade have in common."""

    instrument: Instrument
    px: Decimal
    sz: Decimal
    hash: str
    tid: int
    liquidation: LiquidationMark | None


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a fill did to its owner's account."""

    start: Decimal
    dir: str
    pnl: Decimal
    fee: Decimal
    fee_token: str
    builder_fee: Decimal | None = None


def liquidated_dir(position: Position) -> str:
    """Return the venue's display text for a fill that liquidates a position, as it is before the fill."""
    how = "Cross" if position.raw_usd is None else "Isolated"
    return f"Liquidated {how} {'Long' if position.szi > 0 else 'Short'}"


def perp_dir(start: Decimal, side: Side, sz: Decimal) -> str:
    """Return the venue's display text for an ordinary perp fill."""
    own, other = ("Long", "Short") if side is Side.BUY else ("Short", "Long")
    if start * side.sign >= 0:
        return f"Open {own}"
    return f"Close {other}" if sz <= abs(start) else f"{other} > {own}"


class Settlement:
    """Applies matches to accounts and writes the fills."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self._positions = Positions(state)

    def settle(self, taker: Order, maker: Order, sz: Decimal) -> None:
        """Execute `sz` of two crossing orders at the maker's price."""
        state = self._state
        buyer, seller = (taker, maker) if taker.side is Side.BUY else (maker, taker)
        is_dual = maker.coin != taker.coin
        match = _Match(
            state.universe.get(taker.coin),
            1 - maker.limit_px if is_dual else maker.limit_px,
            sz,
            taker.tx_hash if taker.origin is Origin.ORDINARY else ZERO_HASH,
            state.tid(buyer.oid, seller.oid),
            LiquidationMark(taker.address, state.mark(taker.coin)) if taker.origin is Origin.LIQUIDATION else None,
        )
        other = self._dual(match, taker, maker) if is_dual else match
        for order, own in ((taker, match), (maker, other)):
            order.remaining -= sz
            fill = self._fill(own, order, crossed=order is taker)
            state.block.fills.append(fill)
            state.ledger.record_fill(fill)
        self._publish_trade(match, taker.side, buyer.address, seller.address)

    def _dual(self, match: _Match, taker: Order, maker: Order) -> _Match:
        """Return the maker's view of a match between the two sides of an outcome.

        Two buyers make new pairs, each paying for one side; two sellers give pairs back. The public trade is
        printed once, under the taker's coin, with the maker as its counterparty (an assumption).
        """
        instrument = self._state.universe.get(maker.coin)
        tokens = match.instrument.base, instrument.base
        self._state.keep_pairs(instrument.quote, tokens, match.sz * taker.side.sign)
        return replace(match, instrument=instrument, px=maker.limit_px)

    def _fill(self, match: _Match, order: Order, *, crossed: bool) -> Fill:
        account = self._state.accounts[order.address]
        apply = self._apply_spot if match.instrument.is_spot else self._apply_perp
        effect = apply(match, order, account, crossed=crossed)
        return Fill(
            order.address,
            order.coin,
            match.px,
            match.sz,
            order.side,
            self._state.now_ms,
            effect.start,
            self._state.new_dirs.get(effect.dir, effect.dir),
            effect.pnl,
            match.hash,
            order.oid,
            crossed,
            effect.fee,
            effect.fee_token,
            match.tid,
            order.cloid,
            match.liquidation,
            order.twap_id,
            effect.builder_fee,
        )

    def _apply_perp(self, match: _Match, order: Order, account: Account, *, crossed: bool) -> _Effect:
        state, dex = self._state, match.instrument.dex
        delta = match.sz * order.side.sign
        notional = match.px * match.sz
        fee = (notional * self._perp_rate(account, dex, crossed=crossed)).quantize(MICRO)
        builder_fee = self._builder_fee(order, notional, match.instrument.quote, MICRO)
        if builder_fee is not None:
            fee += builder_fee
        text = ""
        if order.origin is Origin.LIQUIDATION:
            text = liquidated_dir(account.on(dex).positions[order.coin])
        moved = self._positions.apply(account, match.instrument, delta, match.px, fee)
        state.perp_fees[dex] = state.perp_fees.get(dex, ZERO) + fee
        text = text or perp_dir(moved.start, order.side, match.sz)
        token = state.universe.token_by_index[match.instrument.quote]
        return _Effect(moved.start, text, moved.pnl, fee, token.name, builder_fee)

    def _builder_fee(self, order: Order, notional: Decimal, token: int, unit: Decimal) -> Decimal | None:
        """Return the builder's part of a fee, in whole units, and put it to what that builder may claim.

        Of spot orders builders get something of sells only: a buy's fee is in the bought token.
        """
        if order.builder is None:
            return None
        fee = (notional * order.builder.tenths_bp * _TENTH_BP).quantize(unit)
        key = (order.builder.address, token)
        self._state.builder_fees[key] = self._state.builder_fees.get(key, ZERO) + fee
        return fee

    def _perp_rate(self, account: Account, dex: str, *, crossed: bool) -> Decimal:
        fees = self._state.config.fees
        if account.house and not crossed:
            return fees.house_maker
        rate = fees.perp_taker if crossed else fees.perp_maker
        return rate if dex == MAIN_DEX else rate * fees.builder_dex_factor

    def _apply_spot(self, match: _Match, order: Order, account: Account, *, crossed: bool) -> _Effect:
        state, instrument = self._state, match.instrument
        state.block.spot_changed.add(account.address)
        base, quote = account.balance(instrument.base), account.balance(instrument.quote)
        start, notional = base.total, match.px * match.sz
        rate = self._spot_rate(instrument, crossed=crossed)
        pnl, builder_fee = ZERO, None
        if order.side is Side.BUY:
            paid_in = instrument.quote if instrument.is_outcome else instrument.base
            token, text = state.universe.token_by_index[paid_in], "Buy"
            fee = self._token_amount(match.sz * rate, token.wei_decimals)
            base.total += match.sz - fee
            base.entry_ntl += notional
            quote.total -= notional
        else:
            token, text = state.universe.token_by_index[instrument.quote], "Sell"
            fee = self._token_amount(notional * rate, token.wei_decimals)
            builder_fee = self._builder_fee(order, notional, token.index, Decimal(1).scaleb(-token.wei_decimals))
            fee += builder_fee or ZERO
            cost = self._token_amount(base.entry_ntl * match.sz / start, 6) if start > 0 else ZERO
            pnl = notional - cost
            base.total -= match.sz
            base.entry_ntl -= cost
            quote.total += notional - fee
        state.token_fees[token.index] = state.token_fees.get(token.index, ZERO) + fee
        return _Effect(start, text, pnl, fee, token.name, builder_fee)

    def _spot_rate(self, instrument: Instrument, *, crossed: bool) -> Decimal:
        """Return the fee rate; outcomes cost nothing (the venue's documentation)."""
        if instrument.is_outcome:
            return ZERO
        return self._state.config.fees.spot_taker if crossed else self._state.config.fees.spot_maker

    @staticmethod
    def _token_amount(amount: Decimal, decimals: int) -> Decimal:
        return amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)

    def _publish_trade(self, match: _Match, side: Side, buyer: str, seller: str) -> None:
        state, coin = self._state, match.instrument.coin
        state.publish(Trade(coin, side, match.px, match.sz, state.now_ms, match.hash, match.tid, buyer, seller))
