"""Commands that break things: rules for frames, for what stands in them, for replies and new connections."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import TYPE_CHECKING

import msgspec

from hlmonitor.simulator.core.faults import Edit, Effect, FaultConfig, Refusal, ReplyFault, Target
from hlmonitor.simulator.wire import edits
from hlmonitor.simulator.wire.addresses import Address

from .base import BadInputError, Chance, Duration, HttpStatus, Positive, ServerCommand

if TYPE_CHECKING:
    from hlmonitor.simulator.io.server import Simulator


class FaultsBody(ServerCommand, frozen=True):
    """What is wrong with every connection, all the time. Faults that are left out stay as they are."""

    duplicate: Chance | None = None
    reorder: Chance | None = None
    split: Chance | None = None
    status_first: bool | None = None
    reorder_ms: Positive | None = None
    merge: Chance | None = None
    drop: Chance | None = None
    truncate: Chance | None = None
    delay_ms: Duration | None = None

    def apply(self, simulator: Simulator) -> object:
        """Change them; tells how they are now."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        simulator.faults.standing = dataclasses.replace(simulator.faults.standing, **given)
        return simulator.faults.standing


class _RuleBody(ServerCommand, frozen=True):
    """A fault of what is meant, until it is cleared or `for_ms` of venue time is over.

    `feed` is a subscription type, or the type of an `/info` request; `client` an IP address.
    """

    feed: str | None = None
    user: Address | None = None
    coin: str | None = None
    client: str | None = None
    for_ms: Positive | None = None

    @abstractmethod
    def effect(self) -> Effect:
        """Return what it does; raise BadInputError."""

    def target(self, simulator: Simulator) -> Target:  # noqa: ARG002 some must know the connections
        """Return what it means."""
        return Target(self.feed, self.user and self.user.lower(), self.coin, self.client)

    def apply(self, simulator: Simulator) -> object:
        """Put the rule in force; tells its id and end."""
        now_ms = simulator.now_ms
        until_ms = None if self.for_ms is None else now_ms + self.for_ms
        rule = simulator.faults.add(self.target(simulator), self.effect(), until_ms, _said(self))
        return {"id": rule.id, "until": until_ms}


class DisturbBody(_RuleBody, frozen=True):
    """Frames of what is meant are lost, doubled, held back, split, joined, cut or late, by these chances."""

    duplicate: Chance = 0.0
    reorder: Chance = 0.0
    split: Chance = 0.0
    merge: Chance = 0.0
    drop: Chance = 0.0
    truncate: Chance = 0.0
    delay_ms: Duration = 0
    reorder_ms: Positive = 300

    def effect(self) -> FaultConfig:
        """Return the chances."""
        config = FaultConfig(
            duplicate=self.duplicate,
            reorder=self.reorder,
            split=self.split,
            reorder_ms=self.reorder_ms,
            merge=self.merge,
            drop=self.drop,
            truncate=self.truncate,
            delay_ms=self.delay_ms,
        )
        if config.is_harmless:
            raise BadInputError("drop, duplicate, reorder, split, merge, truncate or delay_ms: one must be above zero")
        return config


class StallBody(_RuleBody, frozen=True):
    """A feed falls silent while its socket lives and pongs. `later` silences connections to come as well."""

    later: bool = False

    def target(self, simulator: Simulator) -> Target:
        """Mean only the connections that there are, unless those to come are meant too."""
        target = super().target(simulator)
        return target if self.later else dataclasses.replace(target, newest=simulator.stats.connections_opened)

    def effect(self) -> FaultConfig:
        """Return that everything is lost."""
        return FaultConfig(drop=1.0)


class OmitBody(_RuleBody, frozen=True, kw_only=True):
    """A key is missing from frames and replies, wherever it would stand."""

    field: str

    def effect(self) -> Edit:
        """Return the change."""
        return Edit("omit", edits.omit(self.field))


class AddBody(_RuleBody, frozen=True, kw_only=True):
    """A key that nobody has seen before stands in each object that has the key `beside`."""

    field: str
    value: object = "new"
    beside: str = "coin"

    def effect(self) -> Edit:
        """Return the change."""
        return Edit("add", edits.add(self.field, self.value, self.beside))


class ReplaceBody(_RuleBody, frozen=True, kw_only=True):
    """A key has another value, wherever it stands; with `value` only where it had that one."""

    field: str
    becomes: object
    value: object = None

    def effect(self) -> Edit:
        """Return the change."""
        if self.field == "dir":
            raise BadInputError("field: a `dir` is changed by new_dir, so that the ledger and what is expected know it")
        values = () if self.value is None else (self.value,)
        return Edit("replace", edits.replace(self.field, self.becomes, *values))


class RestBody(_RuleBody, frozen=True):
    """`/info` requests fail: an HTTP status, no answer in time, JSON or a connection that breaks off.

    `text` is the body that goes with `status`; by default it is the venue's, or its gateway's.
    """

    chance: Chance = 1.0
    status: HttpStatus | None = None
    text: str | None = None
    delay_ms: Duration = 0
    truncate: bool = False
    reset: bool = False
    hang: bool = False

    def effect(self) -> ReplyFault:
        """Return what happens."""
        if not (self.status or self.delay_ms or self.truncate or self.reset or self.hang):
            raise BadInputError("status, delay_ms, truncate, reset or hang: one must say what happens")
        return ReplyFault(
            self.chance, self.status, self.text, self.delay_ms, truncate=self.truncate, reset=self.reset, hang=self.hang
        )


class RefuseBody(ServerCommand, frozen=True):
    """New WebSocket connections are refused with an HTTP status, or cut (`reset`)."""

    client: str | None = None
    for_ms: Positive | None = None
    chance: Chance = 1.0
    status: HttpStatus = 503
    reset: bool = False

    def apply(self, simulator: Simulator) -> object:
        """Put the rule in force; tells its id and end."""
        until_ms = None if self.for_ms is None else simulator.now_ms + self.for_ms
        refusal = Refusal(self.chance, None if self.reset else self.status)
        rule = simulator.faults.add(Target(client=self.client), refusal, until_ms, _said(self))
        return {"id": rule.id, "until": until_ms}


class ClearBody(ServerCommand, frozen=True):
    """End one fault, or (without `id`) all: rules, what is standing, half-open connections, new `dir` texts."""

    id: int | None = None

    def apply(self, simulator: Simulator) -> object:
        """End them; tells how many rules there were."""
        if self.id is None:
            for connection in list(simulator.connections):
                if connection.is_mute:
                    connection.abort("half_open")
            simulator.market.exchange.state.new_dirs.clear()
        return {"cleared": simulator.faults.clear(self.id)}


def _said(body: ServerCommand) -> dict[str, object]:
    """Return a body without what was left out."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(type(body))}
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value != defaults[name]}
    return {"fault": type(body).__name__.removesuffix("Body").lower(), **given}
