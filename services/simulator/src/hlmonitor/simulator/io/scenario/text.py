"""Reading a scenario file. Every error names its line, and the field or word that is wrong."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from hlmonitor.simulator.io.commands import COMMANDS, BadInputError, MarketCommand, ServerCommand
from hlmonitor.simulator.wire.addresses import is_address

from .fields import Unfit, fill_in, spelled_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hlmonitor.simulator.core.exchange import Exchange

_CLAUSES: Final = ("at", "every", "from", "until", "for")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class ScenarioError(ValueError):
    """A scenario that cannot be read. The text names the line, and the field or word in it."""

    def __init__(self, line: int, place: str, what: str) -> None:
        super().__init__(f"line {line}: {place}: {what}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Line:
    """One command and its times in milliseconds since the scenario began: once, or again and again."""

    number: int
    text: str
    first_ms: int
    every_ms: int | None
    until_ms: int | None
    command: MarketCommand | ServerCommand


@dataclass(frozen=True, slots=True)
class Scenario:
    """All lines, in the order of the file, and the wallets that it names."""

    lines: tuple[Line, ...]
    wallets: dict[str, str]


def parse(text: str, names: Mapping[str, str], exchange: Exchange) -> Scenario:
    """Read a scenario; `names` are wallets that it may use beside its own. Raise ScenarioError."""
    wallets: dict[str, str] = {}
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        words = _words(number, line)
        if words and words[0] == "wallet":
            name, address = _wallet(number, words[1:], {**names, **wallets})
            wallets[name] = address
        elif words:
            lines.append(_line(number, line.strip(), words, {**names, **wallets}, exchange))
    return Scenario(tuple(lines), wallets)


def _words(number: int, line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise ScenarioError(number, "quotes", str(error)) from error


def _wallet(number: int, words: list[str], known: Mapping[str, str]) -> tuple[str, str]:
    """Read `wallet NAME [ADDRESS]`; without an address it gets one that follows from its name."""
    if not words or len(words) > 2:  # noqa: PLR2004 a name and perhaps an address
        raise ScenarioError(number, "wallet", "a name, and if you like an address, must follow")
    name = words[0]
    if not _NAME.fullmatch(name):
        raise ScenarioError(number, "wallet", f"{name!r} is no name: a letter, then letters, digits, - and _")
    if name in known:
        raise ScenarioError(number, "wallet", f"{name!r} is taken by {known[name]}")
    if len(words) == 1:
        return name, "0x" + blake2b(f"scenario:{name}".encode(), digest_size=20).hexdigest()
    if not is_address(words[1]):
        raise ScenarioError(number, "wallet", f"{words[1]!r} is no address: 0x and 40 hex digits")
    return name, words[1].lower()


def _line(number: int, text: str, words: list[str], names: Mapping[str, str], exchange: Exchange) -> Line:
    clauses, rest = _clauses(number, words)
    if not rest:
        raise ScenarioError(number, "command", f"none after the time; there are {', '.join(sorted(COMMANDS))}")
    first_ms, every_ms = _start(number, clauses)
    if "for" in clauses:
        rest.append(f"for_ms={clauses['for']}")
    command = _command(number, rest[0], rest[1:], names)
    if isinstance(command, MarketCommand):
        try:
            command.check(exchange)
        except BadInputError as error:
            raise ScenarioError(number, rest[0], str(error)) from error
    return Line(number, text, first_ms, every_ms, clauses.get("until"), command)


def _clauses(number: int, words: list[str]) -> tuple[dict[str, int], list[str]]:
    """Take the words of time off the front of a line."""
    clauses: dict[str, int] = {}
    rest = list(words)
    while rest and rest[0] in _CLAUSES:
        clause = rest.pop(0)
        if clause in clauses:
            raise ScenarioError(number, clause, "is there twice")
        try:
            clauses[clause] = spelled_duration(rest.pop(0) if rest else "")
        except Unfit as error:
            raise ScenarioError(number, clause, str(error)) from error
    return clauses, rest


def _start(number: int, clauses: Mapping[str, int]) -> tuple[int, int | None]:
    every = clauses.get("every")
    if ("at" in clauses) == (every is not None):
        raise ScenarioError(number, "at", "a line begins with `at TIME`, or with `every TIME`")
    if every is None:
        stray = [clause for clause in ("from", "until") if clause in clauses]
        if stray:
            raise ScenarioError(number, stray[0], "goes with `every`; how long a fault lasts says `for`")
        return clauses["at"], None
    if every < 1:
        raise ScenarioError(number, "every", "must be above zero")
    return clauses.get("from", every), every


def _command(number: int, name: str, words: list[str], names: Mapping[str, str]) -> MarketCommand | ServerCommand:
    kind = COMMANDS.get(name)
    if kind is None:
        raise ScenarioError(number, "command", f"{name!r} is none of {', '.join(sorted(COMMANDS))}")
    given: dict[str, str] = {}
    for word in words:
        field, equals, value = word.partition("=")
        if not equals or not field:
            raise ScenarioError(number, name, f"{word!r} must be a field, = and a value")
        if field in given:
            raise ScenarioError(number, field, "is there twice")
        given[field] = value
    try:
        return msgspec.convert(fill_in(kind, given, names), kind, strict=False)
    except Unfit as error:
        raise ScenarioError(number, error.field, str(error)) from error
    except msgspec.ValidationError as error:
        raise ScenarioError(number, *_place(name, str(error), kind)) from error


def _place(name: str, message: str, kind: type[MarketCommand | ServerCommand]) -> tuple[str, str]:
    """Return the field that a message of msgspec is about, and what it says."""
    what, _, path = message.partition(" - at `$.")
    if path:
        return path.rstrip("`"), what
    named = re.search("field `([^`]+)`", message)
    known = ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
    if named and "unknown" in message:
        return named[1], f"{name} has no such field; it has {known}"
    if named:
        return named[1], f"{name} needs it"
    return name, message
