"""What may happen between two deliveries, under names that a failing example shows."""

from collections.abc import Callable

import msgspec
from harness import FILL_FEED, TWAP_FEED, World
from hypothesis import strategies as st
from strategies import Draw, fortunes

from hlmonitor.domain.addresses import Address

Happening = Callable[[World, Draw], None]


def _again(world: World, draw: Draw, *, replayed: bool = False) -> None:
    if world.market.told:
        world.tell(draw(st.sampled_from(world.market.told)), draw(st.integers(0, 1)), replayed=replayed)


def _commit(world: World, _: Draw) -> None:
    world.freeze()
    world.commit()


def _unheard(world: World, _: Draw) -> None:
    world.publish(heard=False)
    world.restart()


def _long(world: World, draw: Draw) -> None:
    world.wait(draw(st.sampled_from((4.0, 11.0, 70.0, 301.0))), step_s=1.0)


def _address(world: World, draw: Draw) -> Address:
    return draw(st.sampled_from(sorted(world.entries)))


def _gap(world: World, draw: Draw) -> None:
    world.gap(_address(world, draw), draw(st.sampled_from((FILL_FEED, TWAP_FEED))), 0)


def _covered(world: World, draw: Draw) -> None:
    world.caught_up(_address(world, draw), draw(st.sampled_from((FILL_FEED, TWAP_FEED))), 0, world.market.time_ms)


def _patience(world: World, draw: Draw) -> None:
    entry = world.entries[_address(world, draw)]
    world.watch(msgspec.structs.replace(entry, order_timeout_s=draw(st.sampled_from((None, 0.0, 5.0, 60.0)))))


def _removed(world: World, draw: Draw) -> None:
    entry = world.entries[_address(world, draw)]
    world.watch(msgspec.structs.replace(entry, removed_at_ms=world.now.wall_ms))
    world.wait(0.5)
    world.watch(entry)


def _told_what_it_owns(world: World, draw: Draw) -> None:
    world.own(_address(world, draw), draw(fortunes))


CALM: dict[str, Happening] = {
    "nothing": lambda _, __: None,
    "told again": _again,
    "replayed": lambda world, draw: _again(world, draw, replayed=True),
    "told what it owns": _told_what_it_owns,
    "frozen": lambda world, _: world.freeze(),
    "committed": _commit,
    "published": lambda world, _: world.publish(),
    "restarted": lambda world, _: world.restart(),
    "restarted after an unanswered commit": lambda world, _: world.restart(committed=True),
    "restarted after an unanswered publish": _unheard,
}
"""Nothing that lets a timer run out: every order that ends gives its signals whole."""

HASTE: dict[str, Happening] = CALM | {
    "a moment": lambda world, _: world.wait(0.3),
    "a second": lambda world, _: world.wait(1.5),
    "a long time": _long,
    "lost sight": _gap,
    "covered": _covered,
    "another timeout": _patience,
    "removed and added again": _removed,
}
