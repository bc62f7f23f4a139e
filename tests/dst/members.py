"""Who is thought alive: heartbeats and their readers, as what they amount to.

A reader hears of a new member or a goodbye soon, and of a death or a long pause after the time to live; each in its own
time, so that two owners may both think that they own a partition. Heartbeats themselves are tested elsewhere.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from dst.loop import SCOPE, Scope, VirtualLoop
from hlmonitor.runtime.core.membership import TTL_S, Member
from hlmonitor.runtime.membership import Presence

OnView = Callable[[dict[str, Member]], None]


@dataclass(slots=True, eq=False)
class _Reader:
    kind: str
    scope: Scope
    on_view: OnView
    view: dict[str, Member] = field(default_factory=dict)
    is_complete: bool = False

    def apply(self, name: str, before: Member | None, after: Member | None) -> None:
        """Take a change over, unless what it replaces is not there any more."""
        if not self.scope.is_alive or (after is None and self.view.get(name) is not before):
            return
        self.view = {other: member for other, member in self.view.items() if other != name}
        if after is not None:
            self.view[name] = after
        if self.is_complete:
            self.on_view(dict(self.view))


class _Presence(Presence):
    def __init__(self, member: Member, members: "Members", scope: Scope) -> None:
        super().__init__(member)
        self._members, self._scope = members, scope

    def say(self, member: Member) -> None:
        """Tell everybody."""
        if member != self.member:
            before, self.member = self.member, member
            self._members.say(before, member, self._scope)


@dataclass(slots=True)
class Members:
    """All members of a run."""

    loop: VirtualLoop
    chance: random.Random
    _alive: dict[str, tuple[Member, Scope]] = field(default_factory=dict)
    _readers: list[_Reader] = field(default_factory=list)

    @asynccontextmanager
    async def join(self, member: Member) -> AsyncIterator[Presence]:
        """In the place of `runtime.membership.join`."""
        scope = SCOPE.get()
        assert scope is not None
        presence = _Presence(member, self, scope)
        self.say(None, member, scope)
        try:
            yield presence
        finally:
            member = presence.member
            if scope.is_alive and self._alive.get(member.key, (None,))[0] is member:
                del self._alive[member.key]
                self._tell(member, member, None, 0.0, 0.3)

    def say(self, before: Member | None, member: Member, scope: Scope) -> None:
        """A process says something new of itself."""
        if scope.is_alive:
            self._alive[member.key] = member, scope
            self._tell(member, before, member, 0.0, 0.6)

    async def watch(self, kind: str, on_view: OnView) -> None:
        """In the place of `watch_members`."""
        scope = SCOPE.get()
        assert scope is not None
        reader = _Reader(kind, scope, on_view)
        self._readers.append(reader)
        reader.view = {member.name: member for member, _ in self._alive.values() if member.kind == kind}
        try:
            await asyncio.sleep(self.chance.uniform(0.01, 0.5))
            reader.is_complete = True
            on_view(dict(reader.view))
            await asyncio.get_running_loop().create_future()
        finally:
            reader.is_complete = False
            self._readers = [other for other in self._readers if other is not reader]

    def died(self, scope: Scope) -> None:
        """A process is gone without a goodbye."""
        self._readers = [reader for reader in self._readers if reader.scope is not scope]
        for key, (member, held_by) in list(self._alive.items()):
            if held_by is scope:
                del self._alive[key]
                self._tell(member, member, None, TTL_S, TTL_S + 1)

    def silent(self, scope: Scope) -> None:
        """A process is not heard of, though it lives."""
        for member, held_by in list(self._alive.values()):
            if held_by is scope:
                self._tell(member, member, None, 0.0, 1.0)

    def heard_again(self, scope: Scope) -> None:
        """A process that was taken for dead beats again."""
        for member, held_by in list(self._alive.values()):
            if held_by is scope:
                self._tell(member, None, member, 0.1, 0.7)

    def mislead(self) -> str:
        """One reader takes one living member for dead for a while; returns who and whom."""
        readers = [reader for reader in self._readers if reader.view]
        if not readers:
            return "nobody"
        reader = self.chance.choice(readers)
        name = self.chance.choice(sorted(reader.view))
        member = reader.view[name]
        self._deliver(reader, name, member, None, 0.0)
        self._deliver(reader, name, None, member, self.chance.uniform(0.5, 6.0))
        return f"{reader.scope.name} about {name}"

    def _tell(self, member: Member, before: Member | None, after: Member | None, least_s: float, most_s: float) -> None:
        for reader in self._readers:
            if reader.kind == member.kind:
                self._deliver(reader, member.name, before, after, self.chance.uniform(least_s, most_s))

    def _deliver(self, reader: _Reader, name: str, before: Member | None, after: Member | None, delay_s: float) -> None:
        def deliver() -> None:
            if after is not None and not any(member is after for member, _ in self._alive.values()):
                # It died before it was heard of.
                return
            reader.apply(name, before, after)

        self.loop.call_later(delay_s, deliver, context=reader.scope.new_context())
