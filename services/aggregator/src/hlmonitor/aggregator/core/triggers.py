"""When an order's unemitted fills become signals (DESIGN §6.4 to §6.6)."""

from dataclasses import dataclass
from enum import StrEnum

from hlmonitor.aggregator.core.episodes import QUIET_S
from hlmonitor.aggregator.core.orders import OrderState
from hlmonitor.domain.orders import Kind

ASK_AGAIN_S = 10.0
"""For the fills of an end that tells of some and has none, a gateway is asked this often."""


class Trigger(StrEnum):
    """Why a signal is sent."""

    STATUS = "status"
    """The order ended and all its fills were seen."""
    TIMEOUT = "timeout"
    """No end came in time: a partial."""
    GRACE = "grace"
    """The order ended, but its fills and its status do not add up."""
    SYSTEM = "system"
    """The venue's own fills, for which no status comes."""
    EPISODE = "episode"
    """No further trades of the wallet in the coin for a while, or none that may be waited for."""
    REMOVAL = "removal"
    """The wallet's grace after its removal is over."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds of local monotonic time."""

    order_timeout_s: float = 300.0
    status_grace_s: float = 10.0
    missing_fills_s: float = 1.0
    system_quiet_s: float = 1.0
    episode_quiet_s: float = QUIET_S
    rest_after_s: float = 60.0
    """An order of which everything was sent goes from memory to SQL after this long without a fill."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an order now."""

    trigger: Trigger | None = None
    complete: bool = False
    """Every fill of the order was seen."""
    closes: bool = False
    """Nothing more is expected: the order is finished."""
    ask_backfill: bool = False
    rests: bool = False
    """Nothing is unsent and nothing is expected soon: SQL may keep it alone."""
    look_again_s: float | None = None
    """Monotonic time at which to judge again; None: at the next event only."""


def judge(
    order: OrderState, patience: Patience, now_s: float, *, paused_until_s: float | None, has_gap: bool, is_unread: bool
) -> Verdict:
    """Judge an order. While paused (its wallet's gateway has to catch up, and may bring what it lacks) no timer ends.

    `paused_until_s` is monotonic, None when the wallet's timers run; whoever ends a pause sooner has the order judged
    again. System fills and a timeout of 0 are never paused: nothing urgent waits. But while its wallet `has_gap`,
    paused or no longer, silence does not prove that all of a system order was seen. An end that tells of fills of which
    none came proves nothing while `is_unread`: nobody has read the feed through it.
    """
    if order.ref.is_system:
        return _system(order, patience, now_s, has_gap=has_gap)
    if order.ref.kind is Kind.EPISODE:
        return _episode(order, patience, now_s, has_gap=has_gap)
    if order.is_whole:
        return Verdict(Trigger.STATUS, complete=True, closes=True)
    rests_at_s = max(order.last_fill_at_s + patience.rest_after_s, now_s)
    if patience.order_timeout_s == 0 and order.first_pending_at_s is not None:
        return Verdict(Trigger.TIMEOUT, look_again_s=rests_at_s)
    if order.status is not None:
        return _does_not_add_up(order, patience, now_s, paused_until_s, is_unread=is_unread)
    if order.first_pending_at_s is None:
        return Verdict(rests=True) if rests_at_s == now_s else Verdict(look_again_s=rests_at_s)
    due_s = order.first_pending_at_s + patience.order_timeout_s
    if now_s >= due_s and paused_until_s is None:
        return Verdict(Trigger.TIMEOUT, look_again_s=rests_at_s)
    return Verdict(look_again_s=max(due_s, paused_until_s or due_s))


def _system(order: OrderState, patience: Patience, now_s: float, *, has_gap: bool) -> Verdict:
    due_s = order.last_fill_at_s + patience.system_quiet_s
    if now_s >= due_s or patience.order_timeout_s == 0:
        # In a gap, or right at a fill's receipt, others may still be on their way.
        return Verdict(Trigger.SYSTEM, complete=now_s >= due_s and not has_gap, closes=True)
    return Verdict(look_again_s=due_s)


def _episode(order: OrderState, patience: Patience, now_s: float, *, has_gap: bool) -> Verdict:
    quiet_at_s = order.last_fill_at_s + patience.episode_quiet_s
    if order.is_urgent or patience.order_timeout_s == 0:
        return Verdict(Trigger.EPISODE, closes=True)
    if now_s >= quiet_at_s:
        return Verdict(Trigger.EPISODE, complete=not has_gap, closes=True)
    begun_s = now_s if order.first_pending_at_s is None else order.first_pending_at_s
    if now_s >= begun_s + patience.order_timeout_s:
        return Verdict(Trigger.TIMEOUT, closes=True)
    return Verdict(look_again_s=min(quiet_at_s, begun_s + patience.order_timeout_s))


def _does_not_add_up(
    order: OrderState, patience: Patience, now_s: float, paused_until_s: float | None, *, is_unread: bool
) -> Verdict:
    asks_at_s = order.status_at_s + patience.missing_fills_s
    asks = order.backfill_asked_at_s is None and now_s >= asks_at_s
    asked_s = now_s if asks else order.backfill_asked_at_s or asks_at_s
    # While SQL is away no timer runs: what was asked for late may come as late.
    grace_ends_s = order.status_at_s + patience.status_grace_s + max(asked_s - asks_at_s, 0)
    if now_s >= grace_ends_s and paused_until_s is None:
        if is_unread:
            return Verdict(ask_backfill=True, look_again_s=now_s + ASK_AGAIN_S)
        return Verdict(Trigger.GRACE, closes=True, ask_backfill=asks)
    if order.backfill_asked_at_s is None and not asks:
        return Verdict(look_again_s=asks_at_s)
    return Verdict(ask_backfill=asks, look_again_s=max(grace_ends_s, paused_until_s or grace_ends_s))
