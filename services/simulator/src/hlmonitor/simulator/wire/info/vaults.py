"""Vaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.wire.portfolio import portfolio
from hlmonitor.simulator.wire.requests import vaults as asked
from hlmonitor.simulator.wire.vaults import leading_vaults, user_vault_equities, vault_details, vault_summaries

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()


@TOPIC.answers_to(asked.VaultDetails)
def _vault_details(request: asked.VaultDetails, exchange: Exchange) -> object:
    vault, user = request.vault_address.lower(), None if request.user is None else request.user.lower()
    return vault_details(exchange, vault, user, portfolio(exchange, vault))


@TOPIC.answers_to(asked.VaultSummaries)
def _vault_summaries(_request: asked.VaultSummaries, exchange: Exchange) -> object:
    return vault_summaries(exchange)


@TOPIC.answers_to(asked.UserVaultEquities)
def _user_vault_equities(request: asked.UserVaultEquities, exchange: Exchange) -> object:
    return user_vault_equities(exchange, request.user.lower())


@TOPIC.answers_to(asked.LeadingVaults)
def _leading_vaults(request: asked.LeadingVaults, exchange: Exchange) -> object:
    return leading_vaults(exchange, request.user.lower())
