"""What must be true when the faults are over and everything has come to rest (DESIGN G1 to G4).

Amounts are compared with what an oracle in exact fractions expects; it shares no code with the services.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from oracle import Execution, TrueOrder, pieces, signal_of

from dst.settings import WALLETS
from dst.world import World

FillKey = tuple[str, str, int, int, str]


@dataclass(slots=True)
class Findings:
    """What SQL, the stream and the venue say."""

    world: World
    problems: list[str] = field(default_factory=list)

    def look_at_rest(self) -> bool:
        """Nothing is known to be under way: a cheap look before the long one."""
        (stored,) = self.world.sql.rows("SELECT count(*) FROM hl_fill")[0]
        (waiting,) = self.world.sql.rows(
            "SELECT (SELECT count(*) FROM hl_fill WHERE close_number IS NULL AND open_number IS NULL)"
            " + (SELECT count(*) FROM hl_address_signals WHERE published_seq IS NULL)"
            " + (SELECT count(*) FROM hl_gap WHERE state = 'open')"
        )[0]
        happened = sum(len(order.executions) for order in self.world.venue.market.orders)
        forgets = self.world.conditions.kept_rows < happened
        return not waiting and (stored == happened or forgets) and not self.world.unacknowledged()

    def all(self) -> list[str]:
        """Every problem there is."""
        self.problems = []
        truth = self._check_fills()
        signals = self._signals()
        self._check_legs(truth, signals)
        for wallet in WALLETS:
            self._check_stream(wallet, {number: row for (address, number), row in signals.items() if address == wallet})
        self._check_gaps()
        held = self.world.unacknowledged()
        self._expect(not held, f"{held} events are not acknowledged")
        return self.problems

    def _check_fills(self) -> dict[FillKey, tuple[TrueOrder, Execution]]:
        truth = {
            (order.address, order.coin, one.time_ms, one.tid, one.side): (order, one)
            for order in self.world.venue.market.orders
            for one in order.executions
        }
        stored = self.world.sql.rows("SELECT address, coin, time_ms, tid, side FROM hl_fill")
        self._expect(len(stored) == len(set(stored)), "a fill is stored twice")
        for key in stored:
            self._expect(key in truth, f"a fill is stored that never was: {key}")
        for key in truth.keys() - set(stored):
            self._expect(self._is_excused(*truth[key]), f"a fill is not stored: {key}")
        return truth

    def _is_excused(self, order: TrueOrder, one: Execution) -> bool:
        """The venue does not show it any more, and a gap says so."""
        kept = self.world.venue.kept(order.address, twap=order.twap_id is not None)
        if any(row is one for _, row in kept):
            return False
        feed = "userFills" if order.twap_id is None else "userTwapSliceFills"
        gaps = self.world.sql.rows("SELECT address, feed, from_ms, to_ms FROM hl_gap WHERE state = 'unprovable'")
        return any(
            (address, name) == (order.address, feed) and from_ms <= one.time_ms <= to_ms
            for address, name, from_ms, to_ms in gaps
        )

    def _signals(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Every decided signal by address and number."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for data in self.world.witness.signals.values():
            says = msgspec.json.decode(data)
            key = (says["address"], says["number"])
            self._expect(key not in found, f"two signals have the number {key}")
            found[key] = says
        for wallet in WALLETS:
            numbers = sorted(number for address, number in found if address == wallet)
            self._expect(numbers == list(range(1, len(numbers) + 1)), f"numbers of {wallet} are not dense: {numbers}")
        return found

    def _check_legs(
        self, truth: dict[FillKey, tuple[TrueOrder, Execution]], signals: dict[tuple[str, int], dict[str, Any]]
    ) -> None:
        taken: dict[tuple[str, int], list[tuple[TrueOrder, str, Execution]]] = defaultdict(list)
        rows = self.world.sql.rows(
            "SELECT address, coin, time_ms, tid, side, close_number, open_number FROM hl_fill ORDER BY time_ms, tid"
        )
        for *key, closing, opening in rows:
            order, one = truth[tuple(key)]
            legs = pieces(order.coin, one)
            for leg, number in (("close", closing), ("open", opening)):
                self._expect((number is not None) == (leg in legs), f"{leg} of {one} is taken by {number}")
                if number is not None:
                    taken[order.address, number].append((order, leg, one))
        for key_, says in signals.items():
            self._check_signal(says, taken.pop(key_, []))
        self._expect(not taken, f"fills are taken by signals that do not exist: {list(taken)}")

    def _check_signal(self, says: dict[str, Any], shares: list[tuple[TrueOrder, str, Execution]]) -> None:
        if says["kind"] == "void":
            self._expect(condition=False, problem=f"{says['id']} is void: {says['reason']}")
            return
        if len({(id(order), leg) for order, leg, _ in shares}) != 1:
            self._expect(condition=False, problem=f"{says['id']} takes fills of several legs, or none: {shares}")
            return
        order, leg, _ = shares[0]
        executions = sorted((one for _, _, one in shares), key=lambda one: one.index)
        for name, value in signal_of(order, leg, executions).items():
            told = Fraction(Decimal(says[name])) if isinstance(value, Fraction) else says[name]
            self._expect(told == value, f"{says['id']}: {name} is {says[name]}, should be {value}")

    def _check_stream(self, wallet: str, signals: dict[int, dict[str, Any]]) -> None:
        prefix = f"hl.signals.v1.{wallet}."
        messages = [one for one in self.world.nats.signals or [] if one.subject.startswith(prefix)]
        ids = [msgspec.json.decode(one.data)["id"] for one in messages]
        self._expect(len(ids) == len(set(ids)), f"{wallet}: a signal is in the stream twice")
        expected = [signals[number]["id"] for number in sorted(signals)]
        self._expect(ids == expected, f"{wallet}: the stream has {len(ids)} signals, SQL has {len(expected)}")
        for signal_id, message in zip(ids, messages, strict=True):
            is_same = self.world.witness.signals.get(signal_id) == message.data
            self._expect(is_same, f"{signal_id} has other bytes in the stream")
        unconfirmed = self.world.sql.rows(
            f"SELECT number FROM hl_address_signals WHERE address = '{wallet}' AND published_seq IS NULL"
        )
        self._expect(not unconfirmed, f"{wallet}: {len(unconfirmed)} published signals are not noted as such")

    def _check_gaps(self) -> None:
        for gap in self.world.sql.rows("SELECT address, feed, from_ms, reason, state FROM hl_gap"):
            *_, state = gap
            self._expect(state in {"covered", "unprovable"}, f"a gap is left: {gap}")
            if self.world.conditions.kept_rows >= 1_000:
                self._expect(state != "unprovable", f"a gap is unprovable though the venue has everything: {gap}")

    def _expect(self, condition: bool, problem: str) -> None:  # noqa: FBT001 as an assert
        if not condition:
            self.problems.append(problem)
