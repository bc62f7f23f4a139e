"""Values that occur everywhere (facts 1.8, 3.1, 3.2)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, UnsetType

Amount = Annotated[str, Meta(pattern=r"^-?(0|[1-9]\d*)\.\d+$")]
"""A signed decimal as a string."""
Unsigned = Annotated[str, Meta(pattern=r"^(0|[1-9]\d*)\.\d+$")]
"""A decimal that cannot be negative."""
Address = Annotated[str, Meta(pattern="^0x[0-9a-f]{40}$")]
"""Echoes are lower-case."""
Hash = Annotated[str, Meta(pattern="^0x[0-9a-f]{64}$")]
Cloid = Annotated[str, Meta(pattern="^0x[0-9a-f]{32}$")]
Coin = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Millis = Annotated[int, Meta(ge=1_500_000_000_000, lt=3_000_000_000_000)]
Seconds = Annotated[int, Meta(ge=1_500_000_000, lt=3_000_000_000)]

Side = Literal["B", "A"]
Tif = Literal["Gtc", "Ioc", "Alo", "FrontendMarket", "LiquidationMarket"]
OrderType = Literal[
    "Market",
    "Limit",
    "Stop Market",
    "Stop Limit",
    "Take Profit Market",
    "Take Profit Limit",
    "Vault Close",
    "Spot Dust Conversion",
    "Twap Slice",
]
Dir = Literal[
    "Open Long",
    "Open Short",
    "Close Long",
    "Close Short",
    "Long > Short",
    "Short > Long",
    "Buy",
    "Sell",
    "Liquidated Cross Long",
    "Liquidated Cross Short",
    "Liquidated Isolated Long",
    "Liquidated Isolated Short",
    "Auto-Deleveraging",
    "Settlement",
    "Net Child Vaults",
    "Spot Dust Conversion",
    "Split Outcome",
    "Merge Outcome",
    "Merge Question",
    "Negate Outcome",
]
Status = Literal[
    "open",
    "filled",
    "canceled",
    "triggered",
    "rejected",
    "marginCanceled",
    "vaultWithdrawalCanceled",
    "openInterestCapCanceled",
    "selfTradeCanceled",
    "reduceOnlyCanceled",
    "siblingFilledCanceled",
    "delistedCanceled",
    "liquidatedCanceled",
    "outcomeSettledCanceled",
    "scheduledCancel",
    "internalCancel",
    "tickRejected",
    "minTradeNtlRejected",
    "perpMarginRejected",
    "reduceOnlyRejected",
    "badAloPxRejected",
    "iocCancelRejected",
    "badTriggerPxRejected",
    "marketOrderNoLiquidityRejected",
    "positionIncreaseAtOpenInterestCapRejected",
    "positionFlipAtOpenInterestCapRejected",
    "tooAggressiveAtOpenInterestCapRejected",
    "openInterestIncreaseRejected",
    "insufficientSpotBalanceRejected",
    "oracleRejected",
    "perpMaxPositionRejected",
    "tooManyOpenOrdersRejected",
    "minTradeSpotNtlRejected",
]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An object without unknown fields; its field names are in camel case on the wire."""


def never_false(flag: bool | UnsetType) -> None:  # noqa: FBT001 the flag is what is checked
    """Raise ValueError for a flag that is there without being set: on the wire it is then absent."""
    if flag is False:
        raise ValueError("a flag that is not set must be absent")
