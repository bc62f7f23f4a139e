"""What all requests share: their tag, their weight (facts 2.1), and the arguments that many of them take."""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec import Struct

from hlmonitor.simulator.wire.addresses import Address

LIGHT: Final = 2
USUAL: Final = 20
ROLE: Final = 60


class Info(Struct, rename="camel", tag_field="type", tag=lambda name: name[0].lower() + name[1:], frozen=True):
    """A request. `weight` is charged before the answer, one more per `items_per_weight` rows after it."""

    weight: ClassVar[int] = USUAL
    items_per_weight: ClassVar[int] = 0


class ForDex(Info, frozen=True):
    """About one perp dex; the main one has the empty name."""

    dex: str = ""


class ForUser(Info, frozen=True):
    """About one address."""

    user: Address


class ForUserOnDex(Info, frozen=True):
    """About one address on one perp dex."""

    user: Address
    dex: str = ""


class UserRows(Info, frozen=True):
    """A list of an address that costs by its length."""

    items_per_weight: ClassVar[int] = 20
    user: Address
