"""The words in which the rules' examples are told (semantics_examples.py), and how docs/semantics.md shows them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from textwrap import fill


@dataclass(frozen=True, kw_only=True)
class Trade:
    """A fill. `was` is the position before it, `at` its time in ms after the first moment of the example."""

    buys: bool
    sz: str
    px: str = "100"
    was: str = "0"
    coin: str = "BTC"
    oid: int = 1
    tid: int = 1
    at: int = 0
    dir: str = ""
    """The venue's text; by default what it says of such a fill."""
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The venue's `dir`."""
        return self.dir or _usual_dir(self)

    def _as_trade(self) -> str:
        verb = "buys" if self.buys else "sells"
        return f"trade {self.tid}: the wallet {verb} {self.sz} {self.coin} at {self.px}, at {self.at:+d} ms"

    def __str__(self) -> str:
        if self.more.get("feed") == 3:
            return self._as_trade()
        name = f"fill {self.tid}" if self.tid else "a fill without trade id"
        of = "" if self.oid == 1 else f" of order {self.oid}"
        verb = "buys" if self.buys else "sells"
        facts = [f"{name}{of} {verb} {self.sz} {self.coin} at {self.px}", f"position before: {self.was}"]
        facts += [f"at {self.at:+d} ms"] * bool(self.at) + [f"dir `{self.dir}`"] * bool(self.dir)
        return ", ".join([*facts, *filter(None, (_said_of(name, value) for name, value in self.more.items()))])


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A status, of an order of `of` coins of which `left` remain."""

    status: str
    of: str = "1"
    left: str = "0"
    coin: str = "BTC"
    oid: int = 1
    twap_id: int | None = None

    def __str__(self) -> str:
        who = f"order {self.oid}" if self.twap_id is None else f"TWAP {self.twap_id}"
        return f"{who} is `{self.status}`: size {self.of}, {self.left} left"


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:g} s pass"


COLLATERAL = {"": "USDC", "flx": "USDH"}
"""The token in which each dex of the examples keeps its accounts."""


@dataclass(frozen=True)
class Account:
    """What the wallet owns: account value per dex, balances per token."""

    values: Mapping[str, str] = field(default_factory=dict)
    balances: Mapping[str, str] = field(default_factory=dict)
    mode: str | None = None
    """The venue's `abstraction`."""

    def __str__(self) -> str:
        values = [f"{value} {COLLATERAL[dex]} on {dex or 'the main dex'}" for dex, value in self.values.items()]
        facts = values + [f"{total} {token}" for token, total in self.balances.items()]
        return f"the account{f' (`{self.mode}`)' if self.mode else ''}: " + ", ".join(facts)


@dataclass(frozen=True)
class Positions:
    """The venue tells all positions, as they were `at` ms after the first moment."""

    sizes: Mapping[str, str]
    at: int = 0

    def __str__(self) -> str:
        told = ", ".join(f"{size} {coin}" for coin, size in self.sizes.items()) or "none"
        return f"the venue tells the positions{f' at {self.at:+d} ms' * bool(self.at)}: {told}"


@dataclass(frozen=True)
class Gap:
    """The connection was lost: nobody vouches for the feed."""

    trades: bool = False

    def __str__(self) -> str:
        return f"the gateway reports a gap{' of the trades' if self.trades else ''}"


@dataclass(frozen=True)
class Covered:
    """The feed was read again, over gaps too."""

    trades: bool = False

    def __str__(self) -> str:
        return "the feed is read again"


@dataclass(frozen=True)
class Removed:
    """The wallet leaves the watch list."""

    def __str__(self) -> str:
        return "the wallet is removed from the watch list"


@dataclass(frozen=True)
class Returned:
    """It is put back on the list."""

    def __str__(self) -> str:
        return "the wallet is put back"


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What has to come out now. Every field here is compared; `also` names more of the message's."""

    leg: str
    side: str
    size: str
    px: str = "100"
    close_rate: str | None = None
    complete: bool = True
    trigger: str = "status"
    kind: str = "order"
    also: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        facts = [f"**{self.leg} {self.side}** {self.size} at {self.px}"]
        facts += [f"close_rate {self.close_rate}"] * (self.close_rate is not None)
        facts += [f"kind {self.kind}"] * (self.kind != "order")
        facts += [f"{name} {'null' if value is None else value}" for name, value in self.also.items()]
        return ", ".join([*facts, f"{'complete' if self.complete else '*not complete*'}, {self.trigger}"])


@dataclass(frozen=True)
class AsksAgain:
    """A gateway is asked to read the order's fills over REST."""

    def __str__(self) -> str:
        return "the fills are asked for over REST"


@dataclass(frozen=True)
class RecordsGap:
    """A stretch that nothing can prove is recorded."""

    reason: str

    def __str__(self) -> str:
        return f"an unprovable gap is recorded: {self.reason}"


@dataclass(frozen=True)
class RecordsLate:
    """Fills that came too late are recorded, with their bounds in ms after the first moment."""

    from_ms: int
    to_ms: int

    def __str__(self) -> str:
        return f"a late gap is recorded, from {self.from_ms:+d} ms to {self.to_ms:+d} ms"


Input = Trade | Ended | Wait | Account | Positions | Gap | Covered | Removed | Returned
Output = Signal | AsksAgain | RecordsGap | RecordsLate


@dataclass(frozen=True, kw_only=True)
class Example:
    """One story: each input, followed by what must come of it and nothing else."""

    title: str
    story: tuple[Input | Output, ...]
    order_timeout_s: float | None = None
    watch_from: int = 0
    """When the wallet's watch began, in ms after the first moment; 0: long before."""
    backfill_from: int | None = None
    """When its signals start instead, in ms after the first moment."""
    days_later: int | None = None
    """How long after the first moment everything is told; None: when it happens."""

    def steps(self) -> Iterator[tuple[Input, list[Output]]]:
        """Inputs with their outputs."""
        step: tuple[Input, list[Output]] | None = None
        for item in self.story:
            if isinstance(item, Output):
                assert step, f"{self.title}: an output comes of nothing"
                step[1].append(item)
                continue
            if step:
                yield step
            step = item, []
        if step:
            yield step


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule and the examples that show it."""

    title: str
    text: str
    examples: tuple[Example, ...]


HEAD = """<!-- Written by `make docs` from tests/support/semantics_examples.py. Change the examples, not this file. -->

# What becomes a signal

Every rule by which fills and statuses become [signals](signals.md), each with examples that
[a test](../tests/semantics/test_semantics_examples.py) runs as they stand here: after each line on the left come
exactly the signals on the right. Then everything is said once more, and nothing may come of it.

Unless a line says otherwise: the coin is BTC, the order is order 1, no account value is known, and a wallet's order
timeout is 5 minutes. What is written of a signal: leg and side, size and price, `close_rate` if it has one, `kind` if
it is not `order`, whether it is complete, and its `trigger`.
"""


def page(rules: tuple[Rule, ...]) -> str:
    """docs/semantics.md."""
    return "\n".join([HEAD, *(line for rule in rules for line in _section(rule))])


def _section(rule: Rule) -> Iterator[str]:
    yield f"## {rule.title}\n\n{fill(rule.text, width=118)}\n"
    for example in rule.examples:
        yield f"### {example.title}\n"
        yield from _settings(example)
        yield "| what comes in | what comes of it |\n|---|---|"
        for given, outputs in example.steps():
            yield f"| {_cell(given)} | {'<br>'.join(map(_cell, outputs))} |"
        yield ""


def _settings(example: Example) -> Iterator[str]:
    if example.order_timeout_s is not None:
        yield f"The wallet's order timeout is {example.order_timeout_s:g} s.\n"
    if example.watch_from:
        yield f"The wallet is watched from {example.watch_from:+d} ms on.\n"
    if example.backfill_from is not None:
        yield f"Its signals start at {example.backfill_from:+d} ms (`--backfill-from`).\n"
    if example.days_later is not None:
        yield f"All this is told {example.days_later} days later.\n"


def _cell(item: object) -> str:
    return str(item).replace("|", "\\|")


def _said_of(name: str, value: object) -> str:
    match name:
        case "twap_id":
            return f"a slice of TWAP {value}"
        case "feed":
            return ""
        case "replayed":
            return "by a snapshot or REST"
        case "crossed":
            return "as maker"
        case "hash":
            return "with a zero hash"
        case _:
            return f"{name} {value}"


def _usual_dir(trade: Trade) -> str:
    if trade.coin.startswith("@"):
        return "Buy" if trade.buys else "Sell"
    before, size = Decimal(trade.was), Decimal(trade.sz)
    after = before + (size if trade.buys else -size)
    if before * after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    if abs(after) > abs(before):
        return "Open Long" if trade.buys else "Open Short"
    return "Close Short" if trade.buys else "Close Long"
