"""What of a wallet's feeds is read again, and why: holes in its chains, positions that differ, gaps, and routine."""

from dataclasses import dataclass

from hlmonitor.aggregator.core.continuity import Break
from hlmonitor.aggregator.core.coverage import Coverage
from hlmonitor.aggregator.core.decider import Decider
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.requests import BackfillRequest
from hlmonitor.aggregator.core.vigil import OVERLAP_MS, ROUTINE_S
from hlmonitor.aggregator.core.wallet import Wallet
from hlmonitor.v1 import events_pb2

FILL_FEEDS = (events_pb2.FEED_USER_FILLS, events_pb2.FEED_USER_TWAP_SLICE_FILLS)
REREAD_S = 60.0
"""For balances that do not chain, a wallet's fills are read again at most this often: many transfers cost no more."""
IDLE_S = 10.0
"""An order without a fill for so long may have ended unheard."""
MAX_OIDS = 20
"""Orders that one routine look asks for, the latest ones."""


@dataclass(slots=True)
class Doubts:
    """Asks for what a partition's wallets may have missed."""

    decider: Decider
    coverage: Coverage
    routine_s: float = ROUTINE_S

    def look(self, wallet: Wallet, now: Now) -> None:
        """See what time has made certain of a wallet; called every second."""
        tally, vigil = self.decider.tally, wallet.vigil
        for found in wallet.positions.breaks(now.mono_s):
            tally.breaks += 1
            self.lost_sight(wallet, self._since(wallet, found.coin, found.from_ms), found.reason, now)
        for broken in wallet.balances.breaks(now.mono_s):
            self._check_balance(wallet, broken)
        self._read_again(wallet, now)
        frames = vigil.take_frames()
        if wallet.gaps:
            vigil.standings.forget_doubts()
            if vigil.is_gap_due(now.mono_s):
                self._ask_for_gaps(wallet)
            return
        vigil.no_gap()
        if wallet.entry is None or wallet.is_by_trades or not vigil.is_served:
            return
        for state in frames:
            vigil.standings.told(state, wallet.positions, wallet.entry.signals_from_ms, now.mono_s)
        if vigil.may_differ(now.mono_s):
            self._compare_positions(wallet, now)
        if not wallet.gaps and vigil.is_routine_due(wallet.address, self.routine_s, now.mono_s):
            self._ask_routine(wallet, now)

    def lost_sight(self, wallet: Wallet, from_ms: int, reason: str, now: Now) -> None:
        """Something was missed from then on, and nobody can say by which feed: both are read again."""
        for feed in FILL_FEEDS:
            gap = events_pb2.Gap(address=wallet.address, feed=feed, from_ms=from_ms, reason=reason)
            self.coverage.lost(wallet, gap, now)
            self._ask(BackfillRequest(wallet.address, feed, from_ms, ()))

    def _compare_positions(self, wallet: Wallet, now: Now) -> None:
        for found in wallet.vigil.standings.differing(wallet.positions, now.mono_s):
            self.decider.tally.position_differences += 1
            wallet.vigil.differed(now.mono_s)
            self.lost_sight(wallet, self._since(wallet, found.coin, found.from_ms), found.reason, now)

    def _since(self, wallet: Wallet, coin: str, found_ms: int) -> int:
        """From when a coin's fills are in doubt.

        Fills that lead back to where a position was can stand in the chain in another order than they happened, so a
        hole may be older than where it shows; but not than the last frame that agreed, or than what REST has proven.
        """
        proven_ms = min(wallet.resume_from_ms(feed) for feed in FILL_FEEDS) - OVERLAP_MS
        good_ms = wallet.vigil.standings.good_ms(coin)
        return max(min(found_ms, good_ms) if good_ms else found_ms, proven_ms, 0)

    def _check_balance(self, wallet: Wallet, found: Break) -> None:
        """A balance changed between two fills, by a transfer or by a fill that was missed.

        When the venue's balance is where our fills led to, nothing was missed after them; else fills are read again. It
        is no gap: that there was a fill at all is not proven.
        """
        explained = wallet.account.balance_of(found.coin) == wallet.balances.end_of(found.coin)
        self.decider.tally.balance_breaks["explained" if explained else "read_again"] += 1
        if not explained:
            wallet.reread_from_ms = min(found.from_ms, wallet.reread_from_ms or found.from_ms)

    def _read_again(self, wallet: Wallet, now: Now) -> None:
        from_ms = wallet.reread_from_ms
        if from_ms is not None and now.mono_s - wallet.reread_at_s >= REREAD_S:
            wallet.reread_from_ms, wallet.reread_at_s = None, now.mono_s
            self._ask(BackfillRequest(wallet.address, events_pb2.FEED_USER_FILLS, from_ms, ()))

    def _ask_for_gaps(self, wallet: Wallet) -> None:
        for feed, gap in wallet.gaps.items():
            self._ask(BackfillRequest(wallet.address, feed, min(gap.from_ms, wallet.resume_from_ms(feed)), ()))

    def _ask_routine(self, wallet: Wallet, now: Now) -> None:
        idle = [
            order.ref.oid
            for order in wallet.orders.values()
            if order.status is None and order.ref.oid > 0 and now.mono_s - order.last_fill_at_s >= IDLE_S
        ]
        oids = tuple(sorted(idle)[-MAX_OIDS:])
        signals_from_ms = wallet.entry.signals_from_ms if wallet.entry else 0
        for feed in FILL_FEEDS:
            from_ms = max(wallet.resume_from_ms(feed) - OVERLAP_MS, signals_from_ms)
            asked = oids if feed == events_pb2.FEED_USER_FILLS else ()
            self._ask(BackfillRequest(wallet.address, feed, from_ms, asked, routine=True))

    def _ask(self, request: BackfillRequest) -> None:
        self.decider.requests.append(request)
