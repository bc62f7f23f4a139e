"""All faults that are in force."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from .effects import Edit, Effect, FaultConfig, Refusal, ReplyFault, worst
from .rules import Rule, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .rules import Subject


class FaultBoard:
    """Holds what is wrong with everything (`standing`) and the rules, oldest first."""

    def __init__(self, standing: FaultConfig) -> None:
        self._numbers = count(1)
        self._rules: list[Rule] = []
        self._frames: list[tuple[Target, FaultConfig | Edit]] = []
        self.standing = standing

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules in force."""
        return self._rules

    @property
    def is_quiet(self) -> bool:
        """Tell whether no frame is met by anything, so that none has to be looked at."""
        return not self._frames and self.standing.is_harmless

    @property
    def status_first(self) -> bool:
        """Tell whether order statuses go before the fills of their block."""
        return self.standing.status_first

    def add(
        self, target: Target, effect: Effect, until_ms: int | None = None, said: Mapping[str, object] | None = None
    ) -> Rule:
        """Put a rule in force."""
        rule = Rule(next(self._numbers), target, effect, until_ms, said or {})
        self._keep([*self._rules, rule])
        return rule

    def clear(self, number: int | None = None) -> int:
        """End a rule, or all of them and what is standing; return how many rules ended."""
        before = len(self._rules)
        self._keep([] if number is None else [rule for rule in self._rules if rule.id != number])
        if number is None:
            self.standing = FaultConfig()
        return before - len(self._rules)

    def expire(self, now_ms: int) -> None:
        """End the rules whose time is over."""
        if any(rule.until_ms is not None and rule.until_ms <= now_ms for rule in self._rules):
            self._keep([rule for rule in self._rules if rule.until_ms is None or rule.until_ms > now_ms])

    def is_in_force(self, rule: Rule) -> bool:
        """Tell whether a rule has not ended."""
        return rule in self._rules

    def _keep(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._frames = [(rule.target, rule.effect) for rule in rules if isinstance(rule.effect, FaultConfig | Edit)]

    def frame_faults(
        self, subject: Subject | None, channel: str, client: str, connection: int, *, live: bool
    ) -> tuple[FaultConfig, list[Edit]]:
        """Return what meets a frame."""
        met = [effect for target, effect in self._frames if target.means(subject, channel, client, connection)]
        configs = [effect for effect in met if isinstance(effect, FaultConfig)]
        if self._stands_for(subject, live=live):
            configs.append(self.standing)
        edits = [effect for effect in met if isinstance(effect, Edit)]
        return worst(configs) if configs else FaultConfig(), edits

    def _stands_for(self, subject: Subject | None, *, live: bool) -> bool:
        """Tell whether what is standing meets a frame. Where it changes nothing its times do not count either."""
        return not self.standing.is_harmless if live else subject is not None and self.standing.hits_everything

    def request_faults(self, kind: str, user: str | None, coin: str | None, client: str) -> list[Rule]:
        """Return the rules that meet an `/info` request: faults of its reply, and edits."""
        wanted = [rule for rule in self._rules if isinstance(rule.effect, ReplyFault | Edit)]
        return [rule for rule in wanted if rule.target.means_request(kind, user, coin, client)]

    def refusals(self, client: str) -> list[Refusal]:
        """Return what meets a client that opens a connection."""
        wanted = [(rule.target, rule.effect) for rule in self._rules if isinstance(rule.effect, Refusal)]
        return [refusal for target, refusal in wanted if target.means_client(client)]
