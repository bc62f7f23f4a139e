"""Vaults. Nobody has made one yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.wire.requests import vaults as asked

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()


@TOPIC.answers_to(asked.UserVaultEquities)
def _user_vault_equities(_request: asked.UserVaultEquities, _exchange: Exchange) -> object:
    return []
