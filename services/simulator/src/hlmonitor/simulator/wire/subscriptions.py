"""Subscription types, and what the server makes of the one that a client sends (facts 1.2, 1.7).

Normalising adds the defaults that acknowledgements show and drops every field that the type does not know.
Where the facts do not give a default's place, an assumption is made: a dex is "" (the main one) for feeds
whose frames name their dex, and null for `allMids`, whose frames name it only when it was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.candles import Interval
from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.wire.addresses import is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hlmonitor.simulator.core.instruments import Universe

    Option = str | int | bool | None
    Check = Callable[[Universe, object], bool]

ALL_DEXS: Final = "ALL_DEXS"

_SIG_FIGS: Final = (2, 3, 4, 5)
_MANTISSAS: Final = (1, 2, 5)


class InvalidSubscriptionError(ValueError):
    """A known type with arguments that do not fit it."""


class UnknownTypeError(ValueError):
    """A type that the server does not have, such as the former `webData2`."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription after normalising. `options` are the type's own fields, in the order of the echo."""

    type: str
    user: str | None = None
    coin: str | None = None
    options: tuple[tuple[str, Option], ...] = ()

    def option(self, name: str) -> Option:
        """Return an option, None if the type has no such one."""
        return next((value for known, value in self.options if known == name), None)

    @property
    def dex(self) -> str:
        """The dex asked for; the main one when none was named."""
        return str(self.option("dex") or MAIN_DEX)

    @property
    def key(self) -> str:
        """Whom or what it is about: the user, else the coin, else nothing."""
        return self.user or self.coin or ""

    def echo(self) -> dict[str, object]:
        """Return it as acknowledgements show it."""
        named = {"coin": self.coin, "user": self.user}
        return {"type": self.type, **{k: v for k, v in named.items() if v is not None}, **dict(self.options)}


class CoinKind(Enum):
    """Which coins a type takes."""

    NONE = "none"
    ANY = "any"
    PERP = "perp"


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """A field with a default, for which null stands too."""

    default: Option
    check: Check
    is_optional: bool = True


@dataclass(frozen=True, slots=True)
class Spec:
    """What a subscription type needs and knows."""

    user: bool = False
    coin: CoinKind = CoinKind.NONE
    options: Mapping[str, OptionSpec] | None = None


def _is_bool(_: Universe, value: object) -> bool:
    return isinstance(value, bool)


def _is_dex(universe: Universe, value: object) -> bool:
    return isinstance(value, str) and universe.dex(value) is not None


def _is_dex_or_all(universe: Universe, value: object) -> bool:
    return value == ALL_DEXS or _is_dex(universe, value)


def _is_interval(_: Universe, value: object) -> bool:
    return isinstance(value, str) and value in set(Interval)


def _is_sig_figs(_: Universe, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _SIG_FIGS


def _is_mantissa(_: Universe, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _MANTISSAS


_USER: Final = Spec(user=True)
_USER_ON_DEX: Final = Spec(user=True, options={"dex": OptionSpec(MAIN_DEX, _is_dex)})
_COIN: Final = Spec(coin=CoinKind.ANY)

SPECS: Final[Mapping[str, Spec]] = {
    "allMids": Spec(options={"dex": OptionSpec(None, _is_dex)}),
    "notification": _USER,
    "webData3": _USER,
    "twapStates": _USER_ON_DEX,
    "clearinghouseState": _USER_ON_DEX,
    "openOrders": Spec(user=True, options={"dex": OptionSpec(MAIN_DEX, _is_dex_or_all)}),
    "candle": Spec(coin=CoinKind.ANY, options={"interval": OptionSpec(None, _is_interval, is_optional=False)}),
    "l2Book": Spec(
        coin=CoinKind.ANY,
        options={
            "nSigFigs": OptionSpec(None, _is_sig_figs),
            "mantissa": OptionSpec(None, _is_mantissa),
            "fast": OptionSpec(default=False, check=_is_bool),
        },
    ),
    "trades": _COIN,
    "orderUpdates": _USER,
    "userEvents": _USER,
    "userFills": Spec(user=True, options={"aggregateByTime": OptionSpec(default=False, check=_is_bool)}),
    "userFundings": _USER,
    "userNonFundingLedgerUpdates": _USER,
    "activeAssetCtx": _COIN,
    "activeAssetData": Spec(user=True, coin=CoinKind.PERP),
    "userTwapSliceFills": _USER,
    "userTwapHistory": _USER,
    "bbo": _COIN,
    "spotState": Spec(user=True, options={"ignorePortfolioMargin": OptionSpec(default=False, check=_is_bool)}),
    "allDexsClearinghouseState": _USER,
    "allDexsAssetCtxs": Spec(),
    "outcomeMetaUpdates": Spec(),
    "fastAssetCtxs": Spec(),
    "assetCtxs": Spec(options={"dex": OptionSpec(MAIN_DEX, _is_dex)}),
    "spotAssetCtxs": Spec(),
    "userHistoricalOrders": _USER,
}
"""Every type that the public host serves: the documented 24, and the three that work besides (facts 1.7)."""


def normalise(wanted: Mapping[str, object], universe: Universe) -> Subscription:
    """Return the subscription; raise UnknownTypeError or InvalidSubscriptionError."""
    kind = wanted.get("type")
    spec = SPECS.get(kind) if isinstance(kind, str) else None
    if spec is None:
        raise UnknownTypeError(f"there is no subscription type {kind!r}")
    subscription = Subscription(
        str(kind),
        _user(wanted) if spec.user else None,
        _coin(wanted, spec.coin, universe) if spec.coin is not CoinKind.NONE else None,
        tuple((name, _option(wanted, name, option, universe)) for name, option in (spec.options or {}).items()),
    )
    if subscription.option("mantissa") is not None and subscription.option("nSigFigs") != _SIG_FIGS[-1]:
        raise InvalidSubscriptionError("mantissa")
    return subscription


def _user(wanted: Mapping[str, object]) -> str:
    user = wanted.get("user")
    if not isinstance(user, str) or not is_address(user):
        raise InvalidSubscriptionError("user")
    return user.lower()


def _coin(wanted: Mapping[str, object], kind: CoinKind, universe: Universe) -> str:
    coin = wanted.get("coin")
    instrument = universe.by_coin.get(coin) if isinstance(coin, str) else None
    if instrument is None or (kind is CoinKind.PERP and instrument.is_spot):
        raise InvalidSubscriptionError("coin")
    return instrument.coin


def _option(wanted: Mapping[str, object], name: str, option: OptionSpec, universe: Universe) -> Option:
    value = wanted.get(name)
    if option.is_optional and (value is None or (value == MAIN_DEX and option.default is None)):
        return option.default
    if not option.check(universe, value):
        raise InvalidSubscriptionError(name)
    if value is None or isinstance(value, str | int):
        return value
    raise InvalidSubscriptionError(name)
