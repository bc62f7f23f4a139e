"""Trigger orders: stops and profits alone, under a parent order, and of a whole position.

What the venue's documents say: the mark price triggers; a triggered market order may slip by 10 %; children have the
size of their parent and become active when it is filled, also when it was cancelled for lack of margin after a part
was filled, and are gone with it otherwise; siblings end with the one that is filled. Assumed, as nothing is said: an
order keeps its oid when it triggers, its fills have the zero hash (no transaction caused them), and of several that
one price triggers the oldest goes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import RefusedError
from .orders import ZERO_HASH, Grouping, Order, Side, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .margin import Margin
    from .matching import Matcher
    from .state import ExchangeState


class TriggerDesk:
    """Lets trigger orders wait and wakes them, and keeps parents, children and siblings in step."""

    def __init__(self, state: ExchangeState, margin: Margin, matcher: Matcher) -> None:
        self._state = state
        self._margin = margin
        self._matcher = matcher

    def submit(self, order: Order) -> None:
        """Check a trigger order and let it wait."""
        refusal = self._matcher.admission.trigger_refusal(order)
        if refusal is not None:
            self._state.report(order, refusal)
        else:
            self._state.wait(order)

    def hold_back(self, order: Order) -> None:
        """Keep a child until its parent is filled, or refuse it."""
        refusal = self._matcher.admission.child_refusal(order)
        if refusal is not None:
            self._state.ledger.record_order(order)
            self._state.report(order, refusal)
        else:
            self._state.accounts[order.address].held_back[order.oid] = order

    def run(self) -> None:
        """Wake everybody whose price has come. What that does to prices wakes others in the next block."""
        state = self._state
        for coin, book in list(state.trigger_books.items()):
            if not book:
                continue
            for order in book.due(state.mark(coin)):
                # One that fired before may have cancelled this one: a sibling, or by closing the position.
                if order.oid in state.accounts[order.address].waiting:
                    self._fire(order)
                    self.settle_links()

    def _fire(self, order: Order) -> None:
        state = self._state
        state.wake(order)
        order.tx_hash = ZERO_HASH
        if order.is_position_tpsl and not order.orig_sz:
            order.taken_on = order.remaining = self._margin.reducible(order)
        state.report(order, Status.TRIGGERED)
        self._matcher.submit(order)

    def settle_links(self) -> None:
        """Tell the children and siblings of orders that ended."""
        ends = self._state.linked_ends
        while ends:
            order = ends.popleft()
            for child in order.children:
                self._follow(order, child)
            if order.filled:
                for sibling in order.siblings:
                    if sibling.is_open:
                        self._state.withdraw(sibling, Status.SIBLING_FILLED_CANCELED)

    def _follow(self, parent: Order, child: Order) -> None:
        state = self._state
        if child.oid not in state.accounts[child.address].held_back:
            return
        is_short_of_margin = parent.status is Status.MARGIN_CANCELED and parent.filled
        if parent.status is Status.FILLED or is_short_of_margin:
            self._activate(child)
        else:
            # A child ends like its parent; a rejection's reason is the parent's own.
            state.withdraw(child, Status.REJECTED if parent.status.is_rejection else parent.status)

    def _activate(self, child: Order) -> None:
        state = self._state
        if not self._margin.reducible(child):
            state.withdraw(child, Status.REDUCE_ONLY_CANCELED)
            return
        del state.accounts[child.address].held_back[child.oid]
        state.ledger.record_order(child)
        state.wait(child)


def check_grouping(orders: Sequence[Order], grouping: Grouping) -> None:
    """Raise RefusedError for a group that cannot be one: wrong coins, sides, kinds or sizes."""
    if grouping is Grouping.NONE:
        return
    protecting = orders[1:] if grouping is Grouping.NORMAL else orders
    if not protecting:
        raise RefusedError("A group needs at least one take profit or stop loss.")
    side = orders[0].side.opposite if grouping is Grouping.NORMAL else orders[0].side
    kinds = [order.trigger.tpsl for order in protecting if order.trigger is not None]
    if len(kinds) != len(protecting) or len(set(kinds)) != len(kinds):
        raise RefusedError("A group holds at most one take profit and one stop loss, each a trigger order.")
    if any(not _protects(order, orders[0].coin, side) for order in protecting):
        raise RefusedError("Take profits and stop losses of a group must be reduce only, of one coin and side.")
    if grouping is Grouping.NORMAL and not all(order.remaining for order in orders):
        raise RefusedError("Order has zero size.")


def _protects(order: Order, coin: str, side: Side) -> bool:
    return order.reduce_only and order.coin == coin and order.side is side


def link(orders: Sequence[Order], grouping: Grouping) -> None:
    """Make the orders of a group each other's parent, children and siblings."""
    protecting = () if grouping is Grouping.NONE else tuple(orders[1:] if grouping is Grouping.NORMAL else orders)
    for order in protecting:
        order.siblings = tuple(other for other in protecting if other is not order)
        order.is_position_tpsl = grouping is Grouping.POSITION
    if grouping is Grouping.NORMAL:
        orders[0].children = protecting
