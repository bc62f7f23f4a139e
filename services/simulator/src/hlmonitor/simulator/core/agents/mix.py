"""Which styles there are, and how a population is made of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .cautious import Cautious
from .extremes import Dormant, Quoter
from .isolated import IsolatedGambler
from .outcomes import OutcomeTrader
from .styles import (
    HIP3,
    LEVERAGED,
    OTHER_COLLATERAL,
    PERPS,
    SPOT,
    CollateralTrader,
    Flipper,
    Gambler,
    Hip3Trader,
    Patient,
    Scalper,
    SpotTrader,
    SwingTrader,
    TwapUser,
)
from .sub_account import SubAccountTrader
from .unified import PortfolioTrader, UnifiedTrader
from .vault import VaultTrader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .whale import Whale

_UNIFIED: Final = ("BTC", "ETH", "xyz:NVDA", "xyz:GOLD", "@107", "@142")
_OUTCOMES: Final = ("#330", "#331")

STYLES: Final[dict[str, tuple[type[Whale], tuple[str, ...]]]] = {
    kind.style: (kind, coins)
    for kind, coins in (
        (Scalper, PERPS),
        (Flipper, PERPS[:4]),
        (Patient, PERPS),
        (SpotTrader, SPOT),
        (Hip3Trader, HIP3),
        (TwapUser, PERPS[:6]),
        (Gambler, LEVERAGED),
        (SwingTrader, PERPS),
        (Quoter, PERPS[:2]),
        (Dormant, PERPS),
        (Cautious, PERPS),
        (IsolatedGambler, LEVERAGED),
        (OutcomeTrader, _OUTCOMES),
        (VaultTrader, PERPS[:4]),
        (UnifiedTrader, _UNIFIED),
        (PortfolioTrader, _UNIFIED),
        (CollateralTrader, OTHER_COLLATERAL),
        (SubAccountTrader, PERPS),
    )
}
LIVELY: Final = (
    "scalper=1,flipper=1,patient=1,spot=1,hip3=1,twap=1,gambler=1,swing=1,cautious=1,isolated=1"
    ",outcome=1,vault=1,unified=1,portfolio=1,collateral=1,sub=1"
)
"""Every kind of trader in equal numbers: few wallets show all that can happen."""
NATURAL: Final = (
    "dormant=631,swing=80,scalper=70,spot=50,patient=40,flipper=25,hip3=20,gambler=8,isolated=5,twap=6"
    ",cautious=25,maker=1,outcome=6,vault=4,unified=12,portfolio=3,collateral=6,sub=8"
)
"""Most wallets sleep, few make the market."""
_PRESETS: Final = {"lively": LIVELY, "natural": NATURAL}
_PART: Final = re.compile(r"([a-z0-9]+)=([0-9]{1,6})")


class MixError(ValueError):
    """A mix that cannot be read; the text names the wrong part."""


def read_mix(text: str) -> dict[str, int]:
    """Read `lively`, `natural`, or styles with their shares (`scalper=3,dormant=97`); raise MixError."""
    mix: dict[str, int] = {}
    for part in _PRESETS.get(text, text).split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise MixError(f"{part!r} is no style with a share: write for example scalper=3,dormant=97, or {_names()}")
        style, share = match.groups()
        if style not in STYLES:
            raise MixError(f"{style!r} is no style: there are {', '.join(STYLES)}")
        mix[style] = int(share)
    if not any(mix.values()):
        raise MixError("all shares are 0: at least one style needs a share")
    return mix


def _names() -> str:
    return " or ".join(_PRESETS)


def deal(mix: Mapping[str, int], count: int) -> Iterator[str]:
    """Yield the styles of `count` wallets: each prefix is as close to the mix as whole wallets can be.

    Equal shares take turns, so that the first wallets show every style.
    """
    total, credit = sum(mix.values()), dict.fromkeys(mix, 0)
    for _ in range(count):
        for style, share in mix.items():
            credit[style] += share
        chosen = max(credit, key=credit.__getitem__)
        credit[chosen] -= total
        yield chosen
