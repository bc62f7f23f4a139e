"""Spot balances (facts 1.8, 4.3).

What backs the perps of a unified account is part of its spot balance, and held there: the balance alone is what
the account is worth in that token, and a dex' account value must not be added to it. That, and the keys that only
such accounts have, is as replies of mainnet of September 2026 show it; LI.FI's perps tests, sushiswap #2184.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import ZERO, Abstraction, Account, Balance
from hlmonitor.simulator.core.lending import LOAN_TO_VALUE
from hlmonitor.simulator.core.margin import Pool

from .rows import amount

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Token

_UNIT: Final = Decimal("0.00000001")
_RATIO: Final = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class _Holding:
    """A token of an account. `backing` is what perps are worth that it backs, `needed` what may not leave for them."""

    token: Token
    balance: Balance
    ordered: Decimal
    supplied: Decimal
    borrowed: Decimal
    backing: Decimal
    maintenance: Decimal
    isolated: Decimal

    @property
    def total(self) -> Decimal:
        """All of the token, wherever it is."""
        return self.balance.total + self.supplied + self.backing

    @property
    def available(self) -> Decimal:
        """What is left when orders, isolated positions and the maintenance of cross positions have theirs."""
        return self.total - self.ordered - self.isolated - self.maintenance


def spot_state(exchange: Exchange, address: str, *, ignores_portfolio_margin: bool = False) -> dict[str, object]:
    """Write the spot balances of an address; tokens that it does not own are left out.

    What `ignores_portfolio_margin` leaves out (a subscription may ask for it) is an assumption.
    """
    account = exchange.state.accounts.get(address) or Account(address)
    is_portfolio = account.abstraction is Abstraction.PORTFOLIO and not ignores_portfolio_margin
    holdings = [_holding(exchange, account, token) for token in _tokens(exchange, account)]
    state: dict[str, object] = {
        "balances": [_row(held, is_portfolio=is_portfolio) for held in holdings if held.total or held.borrowed],
        "evmEscrows": [],
    }
    if is_portfolio:
        state |= {"portfolioMarginEnabled": True, "portfolioMarginRatio": _ratio(exchange, holdings)}
    if account.is_unified:
        collaterals = {dex.collateral for dex in exchange.state.universe.dexes}
        behind = [held for held in holdings if held.token.index in collaterals and held.total]
        state["tokenToAvailableAfterMaintenance"] = [
            (held.token.index, amount(held.available.quantize(_UNIT))) for held in behind
        ]
    return state


def _tokens(exchange: Exchange, account: Account) -> dict[int, None]:
    """Return the tokens that may be there, those of the spot account first."""
    tokens = dict.fromkeys(account.spot)
    if account.is_unified:
        tokens |= {dex.collateral: None for dex in exchange.state.universe.dexes if dex.name in account.margin}
    return tokens


def _holding(exchange: Exchange, account: Account, token: int) -> _Holding:
    margin, lending = exchange.margin, exchange.lending
    backing = maintenance = isolated = ZERO
    for dex in exchange.state.universe.dexes if account.is_unified else ():
        if dex.collateral == token and dex.name in account.margin:
            backing += margin.value(account, dex.name)
            maintenance += margin.pool_maintenance(Pool(account, dex.name))
            isolated += margin.value(account, dex.name) - margin.pool_value(Pool(account, dex.name))
    return _Holding(
        exchange.state.universe.token_by_index[token],
        account.spot.get(token) or Balance(),
        margin.hold(account, token),
        lending.supplied(account.address, token),
        lending.borrowed(account.address, token),
        backing,
        maintenance,
        isolated,
    )


def _row(held: _Holding, *, is_portfolio: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "coin": held.token.name,
        "token": held.token.index,
        "total": amount(held.total.quantize(_UNIT) if held.backing else held.total),
        "hold": amount((held.ordered + held.backing).quantize(_UNIT) if held.backing else held.ordered),
        "entryNtl": amount(held.balance.entry_ntl),
    }
    if held.token.is_outcome:
        del row["token"]
    elif is_portfolio:
        row["ltv"] = amount(LOAN_TO_VALUE)
    if held.supplied:
        row["supplied"] = amount(held.supplied)
    if held.borrowed:
        row["borrowed"] = amount(held.borrowed)
    return row


def _ratio(exchange: Exchange, holdings: list[_Holding]) -> str:
    """Write the maintenance margin as a part of what backs it, both in USD; at one the account is liquidated."""
    worth = sum((held.total * exchange.state.token_px(held.token.index) for held in holdings), ZERO)
    kept = sum((held.maintenance * exchange.state.token_px(held.token.index) for held in holdings), ZERO)
    return amount((kept / worth).quantize(_RATIO) if worth > 0 else ZERO)
