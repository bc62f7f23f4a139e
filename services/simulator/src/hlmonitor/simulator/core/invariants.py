"""What must be true of the exchange after every block, whatever wallets did.

Positions of a coin add up to zero. Cash of a collateral token, fees and deposits balance, over all dexes that
it backs and the spot balances together. Each fill starts where its wallet's last one ended. No book is
crossed. Prices and sizes are as fine as allowed. `check` looks at what a block touched; now and then, and
whenever a balance seems wrong, everything is counted anew: then also open orders, open interest, the index of
holders, and that nobody who fell below maintenance margin was overlooked.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from .accounts import ZERO
from .liquidation import LIQUIDATOR
from .orders import Side, Status
from .precision import is_valid_px, is_valid_sz

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from .accounts import Account
    from .events import Block, Fill
    from .exchange import Exchange

_FREE_OF_TICKS: Final = frozenset(
    {
        "Settlement",
        "Net Child Vaults",
        "Spot Dust Conversion",
        "Split Outcome",
        "Merge Outcome",
        "Merge Question",
        "Negate Outcome",
    }
)


class BrokenInvariantError(RuntimeError):
    """The exchange broke a rule of its own: what it says can no longer be trusted."""

    def __init__(self, block: Block, problems: list[str]) -> None:
        super().__init__(f"block {block.number} (time {block.time_ms}): " + "; ".join(problems))
        self.problems = problems


class Invariants:
    """Follows one exchange from now on. `full_every` is in blocks."""

    def __init__(self, exchange: Exchange, *, full_every: int = 500) -> None:
        self._exchange = exchange
        self._state = exchange.state
        self._full_every = full_every
        self._szi: dict[tuple[str, str], Decimal] = {}
        self._cash: dict[tuple[str, str], Decimal] = {}
        self._tokens: dict[tuple[str, int], Decimal] = {}
        self._held: dict[int, Decimal] = {}
        self._count_all()

    def check(self, block: Block) -> None:
        """Check a block that has just ended; raise BrokenInvariantError."""
        problems = [*self._fills(block), *self._orders(block), *self._money(block)]
        if problems:
            raise BrokenInvariantError(block, problems)
        if block.number % self._full_every == 0:
            self.check_all()

    def check_all(self) -> None:
        """Check everything anew; raise BrokenInvariantError."""
        self._count_all()
        problems = [*self._positions(), *self._balances(), *self._books(), *self._dangers()]
        if problems:
            raise BrokenInvariantError(self._state.block, problems)

    def _fills(self, block: Block) -> Iterator[str]:
        net: dict[str, Decimal] = defaultdict(lambda: ZERO)
        touched: dict[tuple[str, str], str] = {}
        for fill in block.fills:
            yield from self._fill(fill, block)
            instrument = self._state.universe.get(fill.coin)
            if instrument.is_spot:
                continue
            key = (fill.address, fill.coin)
            held = self._szi.get(key, ZERO)
            if fill.start_position != held:
                yield f"{fill.address} {fill.coin}: a fill starts at {fill.start_position}, the last ended at {held}"
            delta = fill.sz * fill.side.sign
            self._szi[key] = fill.start_position + delta
            net[fill.coin] += delta
            touched[key] = instrument.dex
        yield from (f"{coin}: the block's fills move positions by {delta}" for coin, delta in net.items() if delta)
        for key, dex in touched.items():
            szi = self._state.accounts[key[0]].on(dex).szi(key[1])
            if szi != self._szi[key]:
                yield f"{key[0]} {key[1]}: holds {szi}, its fills say {self._szi[key]}"
            if not szi:
                del self._szi[key]

    def _fill(self, fill: Fill, block: Block) -> Iterator[str]:
        if fill.time != block.time_ms:
            yield f"fill {fill.tid} has the time {fill.time}"
        instrument = self._state.universe.get(fill.coin)
        if fill.dir in _FREE_OF_TICKS:
            return
        if not is_valid_px(instrument, fill.px) or not is_valid_sz(instrument, fill.sz):
            yield f"{fill.coin}: a fill of {fill.sz} at {fill.px} is finer than allowed"

    def _orders(self, block: Block) -> Iterator[str]:
        coins: dict[str, None] = {}
        for update in block.order_updates:
            coins[update.coin] = None
            if update.status is Status.OPEN and not is_valid_px(self._state.universe.get(update.coin), update.limit_px):
                yield f"order {update.oid} is open at {update.limit_px}, which is finer than allowed"
            if not ZERO <= update.sz <= update.orig_sz:
                yield f"order {update.oid} has {update.sz} of {update.orig_sz} left"
        for coin in coins:
            yield from self._crossed(coin)

    def _crossed(self, coin: str) -> Iterator[str]:
        book = self._state.books[coin]
        bid, ask = book.best_px(Side.BUY), book.best_px(Side.SELL)
        if bid is not None and ask is not None and bid >= ask:
            yield f"{coin}: the book is crossed, {bid} is bid and {ask} asked"

    def _money(self, block: Block) -> Iterator[str]:
        """Count the money of whoever the block touched; everybody's, when it does not add up."""
        perps, wallets = self._touched(block)
        for address, dex in perps:
            self._count_cash(self._state.accounts[address], dex)
        for address in wallets:
            account = self._state.accounts.get(address)
            if account is not None:
                self._count(account)
        if any(True for _ in self._balances()):
            self._count_all()
            yield from self._balances()

    def _touched(self, block: Block) -> tuple[dict[tuple[str, str], None], dict[str, None]]:
        """Return whose cash on which dex, and whose money altogether, the block may have moved."""
        get = self._state.universe.get
        perps = {(LIQUIDATOR, event_dex): None for event_dex in self._liquidated_on(block)}
        perps |= {(paid.address, get(paid.coin).dex): None for paid in block.fundings}
        wallets = dict.fromkeys(update.address for update in block.ledger_updates)
        wallets |= dict.fromkeys(sorted(block.spot_changed))
        for fill in block.fills:
            instrument = get(fill.coin)
            if instrument.is_spot:
                wallets[fill.address] = None
            else:
                perps[fill.address, instrument.dex] = None
        return perps, wallets

    def _liquidated_on(self, block: Block) -> Iterator[str]:
        for liquidation in block.liquidations:
            yield from (self._state.universe.get(coin).dex for coin, _ in liquidation.positions[:1])

    def _count(self, account: Account) -> None:
        for dex in account.margin:
            self._count_cash(account, dex)
        for token, balance in account.spot.items():
            owned = (account.address, token)
            self._add(token, balance.total - self._tokens.get(owned, ZERO))
            self._tokens[owned] = balance.total

    def _count_cash(self, account: Account, dex: str) -> None:
        cash, key = account.on(dex).cash, (account.address, dex)
        self._add(self._state.universe.collateral(dex), cash - self._cash.get(key, ZERO))
        self._cash[key] = cash

    def _add(self, token: int, amount: Decimal) -> None:
        if amount:
            self._held[token] = self._held.get(token, ZERO) + amount

    def _count_all(self) -> None:
        self._cash.clear()
        self._tokens.clear()
        self._held.clear()
        self._szi.clear()
        for account in self._state.accounts.values():
            self._count(account)
            for margin in account.margin.values():
                self._szi |= {(account.address, coin): held.szi for coin, held in margin.positions.items()}

    def _balances(self) -> Iterator[str]:
        state, wanted = self._state, dict(self._state.token_deposits)
        for token, fee in state.token_fees.items():
            wanted[token] = wanted.get(token, ZERO) - fee
        for dex, amount in state.perp_deposits.items():
            token = state.universe.collateral(dex)
            wanted[token] = wanted.get(token, ZERO) + amount
        for dex, fee in state.perp_fees.items():
            token = state.universe.collateral(dex)
            wanted[token] = wanted.get(token, ZERO) - fee
        for token in wanted.keys() | self._held.keys():
            held, due = self._held.get(token, ZERO), wanted.get(token, ZERO)
            if held != due:
                yield f"token {token}: wallets own {held}, deposits less fees are {due}"

    def _positions(self) -> Iterator[str]:
        state = self._state
        total: dict[str, Decimal] = defaultdict(lambda: ZERO)
        longs: dict[str, Decimal] = defaultdict(lambda: ZERO)
        holders: dict[str, set[str]] = defaultdict(set)
        for (address, coin), szi in self._szi.items():
            total[coin] += szi
            longs[coin] += max(szi, ZERO)
            holders[coin].add(address)
            if not szi:
                yield f"{address} {coin}: an empty position is kept"
        yield from (f"{coin}: positions add up to {szi}" for coin, szi in total.items() if szi)
        for instrument in state.universe.perps():
            coin = instrument.coin
            if state.open_interest[coin] != longs[coin]:
                yield f"{coin}: open interest is {state.open_interest[coin]}, longs hold {longs[coin]}"
            if state.holders[coin].keys() != holders[coin]:
                yield f"{coin}: the index of holders differs from the positions"

    def _books(self) -> Iterator[str]:
        resting: set[int] = set()
        for coin, book in self._state.books.items():
            yield from self._crossed(coin)
            for order in (order for side in Side for _, orders in book.levels(side) for order in orders):
                resting.add(order.oid)
                if order.remaining <= 0 or not order.is_open:
                    yield f"{coin}: order {order.oid} rests with {order.remaining} left, {order.status}"
        known = {oid for account in self._state.accounts.values() for oid in account.open_orders}
        if resting != known:
            yield f"orders in books and of wallets differ: {sorted(resting ^ known)[:5]}"

    def _dangers(self) -> Iterator[str]:
        """Whoever is under maintenance must be looked at again: after a change of its own, or of a price."""
        state, margin = self._state, self._exchange.margin
        for account in state.accounts.values():
            if account.house:
                continue
            for dex in account.margin:
                for pool in margin.pools(account, dex):
                    seen = (account.address, dex) in state.unsettled or state.repriced.keys() & pool.positions().keys()
                    if not seen and margin.pool_value(pool) < margin.pool_maintenance(pool):
                        yield f"{account.address} on {dex!r} is under maintenance, and nobody looks"
