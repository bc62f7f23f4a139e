"""Money out of vaults: withdrawals, distributions, and the end of a vault.

What cannot be paid out of free margin is made free: first the vault's orders are cancelled, then positions are
closed at market, as much of each as is withdrawn of the vault, and all of it if that is not enough.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Final

from .accounts import MICRO, ZERO
from .errors import RefusedError
from .instruments import MAIN_DEX
from .ledger_updates import VaultDistribution, VaultLeaderCommission, VaultWithdraw
from .margin import Pool
from .orders import Order, Side, Status, Tif
from .precision import round_px, round_sz
from .vaults import LEADER_COMMISSION, LEADER_FRACTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from .margin import Margin
    from .matching import Matcher
    from .state import ExchangeState
    from .transfers import Transfers
    from .vaults import Vault, Vaults

_WHOLE: Final = Decimal(1)


class VaultPayouts:
    """Pays holders. `cancel` takes all orders of an address away with a status."""

    def __init__(
        self,
        state: ExchangeState,
        margin: Margin,
        matcher: Matcher,
        transfers: Transfers,
        vaults: Vaults,
        cancel: Callable[[str, Status], object],
    ) -> None:
        self._state = state
        self._margin = margin
        self._matcher = matcher
        self._transfers = transfers
        self._vaults = vaults
        self._cancel = cancel

    def withdraw(self, address: str, user: str, usdc: Decimal) -> None:
        """Take `usdc` of a wallet's share out; closing costs and the leader's commission come off that.

        Raises:
            RefusedError: the share is locked or worth less, or the leader would keep less than a twentieth.
        """
        vault, state = self._vaults.get(address), self._state
        self._check(vault, user, usdc)
        worth, share = self._vaults.equity(vault), vault.holders[user]
        sold = share.shares if usdc == self._vaults.share_equity(vault, user) else vault.total * usdc / worth
        basis = (share.basis * sold / share.shares).quantize(MICRO)
        state.new_hash()
        closing_cost = self._make_free(vault, usdc, usdc / worth)
        profit = max(usdc - closing_cost - basis, ZERO)
        commission = ZERO if user == vault.leader else (profit * LEADER_COMMISSION).quantize(MICRO, ROUND_DOWN)
        net = usdc - closing_cost - commission
        self._transfers.take(address, MAIN_DEX, net + commission)
        self._transfers.give(user, MAIN_DEX, net)
        share.shares -= sold
        share.basis -= basis
        share.realized += net - basis
        if not share.shares:
            del vault.holders[user]
        state.record(VaultWithdraw(address, user, usdc, commission, closing_cost, basis, net), user, address)
        if commission:
            self._transfers.give(vault.leader, MAIN_DEX, commission)
            state.record(VaultLeaderCommission(vault.leader, commission), vault.leader)

    def distribute(self, address: str, usdc: Decimal) -> None:
        """Pay everybody's part of `usdc` out of free margin, without touching shares; raise RefusedError."""
        vault = self._vaults.get(address)
        if usdc > self._free(vault):
            raise RefusedError(f"Vault {address} has only {self._free(vault)} to distribute")
        self._state.new_hash()
        self._pay_all(vault, usdc)

    def close(self, address: str) -> None:
        """End a vault: close everything, and pay everybody what is there.

        Raises:
            RefusedError: there are vaults below it, or no liquidity to close a position. Orders are gone then.
        """
        vault = self._vaults.get(address)
        if self._vaults.children(address):
            raise RefusedError(f"Vault {address} has vaults below it")
        self._state.new_hash()
        self._cancel(address, Status.VAULT_WITHDRAWAL_CANCELED)
        self._close_positions(vault, _WHOLE)
        margin = self._state.account(address).on(MAIN_DEX)
        if margin.positions:
            raise RefusedError(f"Vault {address} has a position that finds no liquidity")
        if margin.raw_usd > 0:
            self._pay_all(vault, margin.raw_usd)
        vault.is_closed = True

    def _check(self, vault: Vault, user: str, usdc: Decimal) -> None:
        share = vault.holders.get(user)
        if share is None or self._state.now_ms < share.locked_until_ms:
            raise RefusedError("Cannot withdraw: no share, or its lockup period has not ended")
        worth = self._vaults.share_equity(vault, user)
        if not 0 < usdc <= worth:
            raise RefusedError(f"Cannot withdraw {usdc}: the share is worth {worth}")
        rest = self._vaults.equity(vault) - usdc
        if user == vault.leader and len(vault.holders) > 1 and worth - usdc < rest * LEADER_FRACTION:
            raise RefusedError("The leader would hold less than a twentieth of the vault")

    def _free(self, vault: Vault) -> Decimal:
        return self._margin.transferable(Pool(self._state.account(vault.address), MAIN_DEX))

    def _make_free(self, vault: Vault, usdc: Decimal, fraction: Decimal) -> Decimal:
        """Close what must be closed to pay `usdc`; return what that cost, fees included."""
        if usdc <= self._free(vault) and not vault.closes_on_withdraw:
            return ZERO
        self._cancel(vault.address, Status.VAULT_WITHDRAWAL_CANCELED)
        before = self._vaults.equity(vault)
        for part in (fraction, _WHOLE):
            if usdc > self._free(vault) or (vault.closes_on_withdraw and part == fraction):
                self._close_positions(vault, part)
        cost = max(before - self._vaults.equity(vault), ZERO).quantize(MICRO)
        if usdc - cost > self._free(vault):
            raise RefusedError(f"Vault {vault.address} cannot free {usdc}: its positions find no liquidity")
        return min(cost, usdc)

    def _close_positions(self, vault: Vault, fraction: Decimal) -> None:
        account = self._state.account(vault.address)
        for coin, position in list(account.on(MAIN_DEX).positions.items()):
            instrument = self._state.universe.get(coin)
            sz = abs(position.szi) if fraction == _WHOLE else round_sz(instrument, abs(position.szi) * fraction)
            if sz:
                self._close(vault.address, coin, Side.SELL if position.szi > 0 else Side.BUY, sz)

    def _close(self, address: str, coin: str, side: Side, sz: Decimal) -> None:
        """Send a market order of the type `Vault Close`. It has statuses and a place in the vault's order history."""
        state = self._state
        bound = state.mark(coin) * (1 + state.config.market_slippage * side.sign)
        order = Order(
            oid=state.new_oid(),
            address=address,
            coin=coin,
            side=side,
            limit_px=round_px(state.universe.get(coin), bound),
            orig_sz=sz,
            remaining=sz,
            tif=Tif.MARKET,
            reduce_only=True,
            cloid=None,
            placed_ms=state.now_ms,
            tx_hash=state.tx_hash or state.new_hash(),
            is_vault_close=True,
        )
        state.ledger.record_order(order)
        self._matcher.submit(order)

    def _pay_all(self, vault: Vault, usdc: Decimal) -> None:
        total = vault.total
        parts = {
            user: (usdc * share.shares / total).quantize(MICRO, ROUND_DOWN) for user, share in vault.holders.items()
        }
        # What rounding leaves goes to the leader, so that a vault that closes is empty.
        parts[vault.leader] = parts.get(vault.leader, ZERO) + usdc - sum(parts.values(), ZERO)
        for user, part in parts.items():
            if part:
                self._transfers.take(vault.address, MAIN_DEX, part)
                self._transfers.give(user, MAIN_DEX, part)
                if user in vault.holders:
                    vault.holders[user].realized += part
                self._state.record(VaultDistribution(vault.address, part), user, vault.address)
