"""Commands about wallets, vaults and outcomes, and what `/info` says afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from commander import Commander

from hlmonitor.simulator.testing import running, wallet

A, B, NEW = wallet(0xA), wallet(0xB), wallet(0xC)


class Client(Commander):
    async def last_delta(self, user: str) -> dict[str, object]:
        rows = await self.answer("userNonFundingLedgerUpdates", user=user, startTime=0)
        return dict(rows[-1]["delta"])


@asynccontextmanager
async def client() -> AsyncIterator[Client]:
    async with running() as server, httpx.AsyncClient(base_url=server.url) as http:
        yield Client(http)


async def test_money_can_be_moved_in_every_way() -> None:
    async with client() as it:
        for address in (A, B):
            await it.do("deposit", address=address, amount="10000")
        await it.do("deposit", address=A, amount="100", token=150)
        await it.do("send_usd", address=A, destination=B, amount="100")
        await it.do("class_transfer", address=A, amount="500", to_perp=False)
        await it.do("send_token", address=A, destination=NEW, token=150, amount="10")
        assert (await it.last_delta(NEW))["type"] == "spotTransfer"
        await it.do("send_asset", address=A, token=0, source_dex="", destination_dex="xyz", amount="50")
        await it.do("withdraw_usdc", address=A, amount="10")
        for command in ("rewards", "genesis", "deploy_gas"):
            await it.do(command, address=A, token=150, amount="1")
        await it.do("stake", address=A, amount="5")
        await it.do("borrow_lend", address=A, token=150, operation="supply", amount="20")
        rows = await it.answer("userNonFundingLedgerUpdates", user=A, startTime=0)
        assert [row["delta"]["type"] for row in rows] == [
            "deposit", "spotTransfer", "internalTransfer", "accountClassTransfer", "spotTransfer", "send", "withdraw",
            "rewardsClaim", "spotGenesis", "deployGasAuction", "cStakingTransfer", "borrowLend",
        ]  # fmt: skip
        assert "cannot spare" in await it.refused("send_usd", address=A, destination=B, amount="1000000")
        assert "amount" in await it.refused("send_usd", address=A, destination=B, amount="-1")
        wrong = {"address": A, "token": 0, "source_dex": "nope", "destination_dex": "", "amount": "1"}
        assert "source_dex" in await it.refused("send_asset", **wrong)


async def test_roles_are_those_of_the_registry() -> None:
    async with client() as it:
        await it.do("deposit", address=A, amount="10000")
        sub = (await it.do("sub_account", address=A, name="one"))["address"]
        await it.do("sub_account_transfer", address=A, sub=sub, amount="100")
        await it.do("agent", address=A, agent=NEW)
        vault = (await it.do("vault", address=A, name="Growth", amount="1000"))["address"]
        roles = {user: await it.answer("userRole", user=user) for user in (A, B, NEW, sub, vault)}
        assert roles == {
            A: {"role": "user"},
            B: {"role": "missing"},
            NEW: {"role": "agent", "data": {"user": A}},
            sub: {"role": "subAccount", "data": {"master": A}},
            vault: {"role": "vault"},
        }
        (shown,) = await it.answer("subAccounts", user=A)
        assert shown["clearinghouseState"]["marginSummary"]["accountValue"] == "100.0"
        await it.do("abstraction", address=B, abstraction="unifiedAccount", dexes=True, keeps_dust=True)
        assert await it.answer("userAbstraction", user=B) == "unifiedAccount"
        assert await it.answer("userDexAbstraction", user=B) is True


async def test_vaults_are_filled_emptied_and_shown() -> None:
    async with client() as it:
        for address in (A, B):
            await it.do("deposit", address=address, amount="10000")
        vault = (await it.do("vault", address=A, name="Growth", amount="1000"))["address"]
        await it.do("vault_action", vault=vault, action="deposit", address=B, amount="500")
        details = await it.answer("vaultDetails", vaultAddress=vault, user=B)
        assert (details["followerState"]["vaultEquity"], details["isClosed"]) == ("500.0", False)
        assert [name for name, _ in details["portfolio"]][:2] == ["day", "week"]
        assert (await it.answer("userVaultEquities", user=B))[0]["equity"] == "500.0"
        assert (await it.answer("leadingVaults", user=A))[0]["address"] == vault
        assert (await it.answer("vaultSummaries"))[0]["tvl"] == "1500.0"
        assert await it.answer("vaultDetails", vaultAddress=A) is None
        assert "lockup" in await it.refused("vault_action", vault=vault, action="withdraw", address=B, amount="1")
        assert "address" in await it.refused("vault_action", vault=vault, action="deposit", amount="1")
        assert "amount" in await it.refused("vault_action", vault=vault, action="distribute")
        await it.do("vault_action", vault=vault, action="net")
        await it.do("vault_action", vault=vault, action="distribute", amount="150")
        await it.do("vault_action", vault=vault, action="close")
        assert (await it.last_delta(B))["usdc"] == "450.0"


async def test_outcomes_are_converted_and_settled() -> None:
    async with client() as it:
        await it.do("deposit", address=A, amount="1000", token=0)
        await it.do("outcome", address=A, conversion="split", number=41, amount="100")
        await it.do("outcome", address=A, conversion="negate", number=41, amount="60")
        await it.do("outcome", address=A, conversion="merge_question", number=5, amount="10")
        await it.do("outcome", address=A, conversion="merge", number=41, amount="5")
        await it.do("settle_outcome", outcome=41, fraction="1", details="as expected")
        assert (await it.answer("settledOutcome", outcome=41))["details"] == "as expected"
        await it.do("convert_dust")
        spot = await it.answer("spotClearinghouseState", user=A)
        assert [row["coin"] for row in spot["balances"]] == ["USDC"]
        dirs = {fill["dir"] for fill in await it.answer("userFills", user=A)}
        assert dirs == {"Split Outcome", "Negate Outcome", "Merge Question", "Merge Outcome", "Settlement"}
        assert "not listed" in await it.refused("outcome", address=A, conversion="split", number=41, amount="1")
        assert "fraction" in await it.refused("settle_outcome", outcome=33, fraction="NaN")


async def test_a_perp_is_delisted() -> None:
    async with client() as it:
        await it.do("delist", coin="DOGE")
        rows = {row["name"]: row for row in (await it.answer("meta"))["universe"]}
        assert rows["DOGE"]["isDelisted"] is True
        assert "coin" in await it.refused("delist", coin="NOPE")


@pytest.mark.parametrize("command", ["deposit", "rewards"])
async def test_outcome_tokens_do_not_come_from_nowhere(command: str) -> None:
    async with client() as it:
        assert "oken" in await it.refused(command, address=A, amount="1", token=100_000_330)
