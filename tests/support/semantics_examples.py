"""The rules by which fills and statuses become signals, by example: docs/semantics.md shows them, a test runs them."""

from typing import Any, Final

from semantics import (
    Account,
    AsksAgain,
    Covered,
    Ended,
    Example,
    Gap,
    Positions,
    RecordsGap,
    RecordsLate,
    Removed,
    Returned,
    Rule,
    Signal,
    Trade,
    Wait,
)


def buys(sz: str, **fields: Any) -> Trade:  # noqa: ANN401 whatever an example is about
    return Trade(buys=True, sz=sz, **fields)


def sells(sz: str, **fields: Any) -> Trade:  # noqa: ANN401 whatever an example is about
    return Trade(buys=False, sz=sz, **fields)


FILLED: Final = Ended(status="filled")
TRADE: Final = {"feed": 3, "oid": None, "start_position": None, "dir": "", "fee": "", "fee_token": "", "closed_pnl": ""}
TWAP: Final = {"twap_id": 77, "feed": 2}

LEGS = Rule(
    title="Which leg a fill belongs to",
    text=(
        "The position before the fill, its side and its size decide; the venue's text `dir` is only compared "
        "with them. `close_rate` is the closed size divided by the size of the position before the first "
        "closing fill."
    ),
    examples=(
        Example(title="A long is opened", story=(buys("1"), FILLED, Signal(leg="open", side="LONG", size="1"))),
        Example(title="A short is opened", story=(sells("1"), FILLED, Signal(leg="open", side="SHORT", size="1"))),
        Example(
            title="A long is added to",
            story=(
                buys("1", was="3"),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"start_position": "3", "end_position": "4"}),
            ),
        ),
        Example(
            title="A short is added to",
            story=(
                sells("1", was="-3"),
                FILLED,
                Signal(leg="open", side="SHORT", size="1", also={"start_position": "-3", "end_position": "-4"}),
            ),
        ),
        Example(
            title="A long is reduced",
            story=(sells("1", was="4"), FILLED, Signal(leg="close", side="LONG", size="1", close_rate="0.25")),
        ),
        Example(
            title="A short is reduced",
            story=(buys("1", was="-4"), FILLED, Signal(leg="close", side="SHORT", size="1", close_rate="0.25")),
        ),
        Example(
            title="A long is closed",
            story=(sells("1", was="1"), FILLED, Signal(leg="close", side="LONG", size="1", close_rate="1")),
        ),
        Example(
            title="A short is closed",
            story=(buys("1", was="-1"), FILLED, Signal(leg="close", side="SHORT", size="1", close_rate="1")),
        ),
        Example(
            title="A text that says otherwise changes nothing",
            story=(
                sells("1", was="4", dir="Open Long"),
                FILLED,
                Signal(leg="close", side="LONG", size="1", close_rate="0.25"),
            ),
        ),
    ),
)

FLIPS = Rule(
    title="Flips",
    text=(
        "A fill that crosses zero is split exactly at zero. The closing signal comes first. Profit belongs to "
        "the closing leg, the fee to both by size."
    ),
    examples=(
        Example(
            title="A short becomes a long",
            story=(
                buys("3", was="-1", more={"closed_pnl": "-5", "fee": "0.3"}),
                Ended(status="filled", of="3"),
                Signal(
                    leg="close",
                    side="SHORT",
                    size="1",
                    close_rate="1",
                    also={"start_position": "-1", "end_position": "0", "closed_pnl": "-5", "fee": "0.1", "number": 1},
                ),
                Signal(
                    leg="open",
                    side="LONG",
                    size="2",
                    also={"start_position": "0", "end_position": "2", "closed_pnl": "0", "fee": "0.2", "number": 2},
                ),
            ),
        ),
        Example(
            title="A long becomes a short, and a long again",
            story=(
                sells("2", was="1"),
                Ended(status="filled", of="2"),
                Signal(leg="close", side="LONG", size="1", close_rate="1"),
                Signal(leg="open", side="SHORT", size="1"),
                buys("4", was="-1", oid=2, tid=2, at=9),
                Ended(status="filled", of="4", oid=2),
                Signal(leg="close", side="SHORT", size="1", close_rate="1"),
                Signal(leg="open", side="LONG", size="3"),
            ),
        ),
        Example(
            title="One order flips twice, as another one flipped back in between",
            story=(
                sells("2", was="1"),
                buys("2", was="-1", oid=2, tid=2, at=1),
                Ended(status="filled", of="2", oid=2),
                Signal(leg="close", side="SHORT", size="1", close_rate="1"),
                Signal(leg="open", side="LONG", size="1"),
                sells("2", was="1", tid=3, at=2),
                Ended(status="filled", of="4"),
                Signal(leg="close", side="LONG", size="2", close_rate="1", also={"fills": 2}),
                Signal(leg="open", side="SHORT", size="2", also={"fills": 2}),
            ),
        ),
    ),
)

SUMS = Rule(
    title="Several fills of one order",
    text=(
        "One signal per leg. The price is the size-weighted mean, computed exactly and rounded half-even to "
        "12 decimals. The first fill is the one with the least time, then along the chain of start positions, "
        "then by trade id; it gives the signal its id and time, whatever came first."
    ),
    examples=(
        Example(
            title="Sizes, fees and prices are put together",
            story=(
                buys("0.4", more={"fee": "0.1"}),
                buys("0.6", px="101", was="0.4", tid=2, more={"fee": "0.1"}),
                FILLED,
                Signal(
                    leg="open",
                    side="LONG",
                    size="1",
                    px="100.6",
                    also={
                        "id": "0xabababababababababababababababababababab:BTC:1:open:1700000000000-1",
                        "number": 1,
                        "fills": 2,
                        "fee": "0.2",
                        "notional_usd": "100.6",
                        "start_position": "0",
                        "end_position": "1",
                        "position_rate": None,
                    },
                ),
            ),
        ),
        Example(
            title="A mean that does not end is rounded",
            story=(
                buys("1", px="1"),
                buys("2", px="2", was="1", tid=2),
                Ended(status="filled", of="3"),
                Signal(leg="open", side="LONG", size="3", px="1.666666666667"),
            ),
        ),
        Example(
            title="A tie goes up to the even digit",
            story=(
                buys("1", px="0.000000000001"),
                buys("1", px="0.000000000002", was="1", tid=2),
                Ended(status="filled", of="2"),
                Signal(leg="open", side="LONG", size="2", px="0.000000000002"),
            ),
        ),
        Example(
            title="A tie goes down to the even digit",
            story=(
                buys("1", px="0.000000000002"),
                buys("1", px="0.000000000003", was="1", tid=2),
                Ended(status="filled", of="2"),
                Signal(leg="open", side="LONG", size="2", px="0.000000000002"),
            ),
        ),
        Example(
            title="Fills of one millisecond stand in the order of their positions",
            story=(
                buys("3", was="3", tid=5),
                buys("2", was="1", tid=3),
                buys("1", was="0", tid=9),
                Ended(status="filled", of="6"),
                Signal(
                    leg="open",
                    side="LONG",
                    size="6",
                    also={
                        "id": "0xabababababababababababababababababababab:BTC:1:open:1700000000000-9",
                        "start_position": "0",
                        "end_position": "6",
                    },
                ),
            ),
        ),
        Example(
            title="A close in parts is measured by the position before its first fill",
            story=(
                sells("1", was="3", tid=2, at=5),
                sells("1", was="4", tid=1),
                Ended(status="filled", of="2"),
                Signal(leg="close", side="LONG", size="2", close_rate="0.5", also={"timestamp": 1_700_000_000_000}),
            ),
        ),
    ),
)

ENDS = Rule(
    title="An order ends",
    text=(
        "The signal comes when the order's terminal status is known and all its fills were seen: their sum is "
        "the original size less the remaining. Which of them comes first, and how often, makes no difference. "
        "A status that nobody knows ends an order by its ending (`…Canceled`, `…Cancel`, `…Rejected`), or when "
        "nothing remains; its signal is then of kind `unknown`."
    ),
    examples=(
        Example(
            title="The status comes before the fills",
            story=(
                FILLED,
                buys("0.4"),
                buys("0.6", was="0.4", tid=2),
                Signal(leg="open", side="LONG", size="1"),
            ),
        ),
        Example(
            title="The status comes between the fills",
            story=(
                buys("0.4"),
                FILLED,
                buys("0.6", was="0.4", tid=2),
                Signal(leg="open", side="LONG", size="1"),
            ),
        ),
        Example(
            title="Everything comes several times",
            story=(
                buys("1"),
                buys("1"),
                buys("1", more={"replayed": True}),
                FILLED,
                Signal(leg="open", side="LONG", size="1"),
                buys("1"),
                FILLED,
                buys("1", more={"replayed": True}),
            ),
        ),
        Example(
            title="A part is filled, the rest canceled",
            story=(
                buys("0.4"),
                Ended(status="canceled", left="0.6"),
                Signal(leg="open", side="LONG", size="0.4", also={"status": "canceled"}),
            ),
        ),
        Example(
            title="A part is filled, then the order expires",
            story=(
                buys("0.4"),
                Ended(status="expired", left="0.6"),
                Signal(leg="open", side="LONG", size="0.4", also={"status": "expired"}),
            ),
        ),
        Example(
            title="Nothing is filled: rejected, canceled, expired",
            story=(
                Ended(status="iocCancelRejected", left="1"),
                Ended(status="canceled", left="1", oid=2),
                Ended(status="expired", left="1", oid=3),
                Wait(600),
            ),
        ),
        Example(
            title="A trigger order is triggered, which is no end",
            story=(
                Ended(status="triggered", left="1"),
                buys("1"),
                Wait(60),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"status": "filled"}),
            ),
        ),
        Example(
            title="The venue invents a status and a text",
            story=(
                buys("1", dir="Teleported Long"),
                Ended(status="vanished"),
                Signal(leg="open", side="LONG", size="1", kind="unknown", also={"status": "vanished"}),
            ),
        ),
        Example(
            title="The venue invents a status, and something remains: that may be no end",
            story=(
                buys("0.4"),
                Ended(status="suspended", left="0.6"),
                Wait(60),
                buys("0.6", was="0.4", tid=2),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"status": "filled"}),
            ),
        ),
        Example(
            title="The venue invents a reason to cancel, which is an end by its ending",
            story=(
                buys("0.4"),
                Ended(status="solarFlareCanceled", left="0.6"),
                Signal(leg="open", side="LONG", size="0.4", also={"status": "solarFlareCanceled"}),
            ),
        ),
    ),
)

MISSING = Rule(
    title="Fills are missing when the order ends",
    text=(
        "After 1 s they are asked for over REST. After `HLMON_STATUS_GRACE` (10 s) what there is goes out as "
        "not complete; what comes later goes into the next signal of its leg. If no fill was ever seen, that "
        "is recorded."
    ),
    examples=(
        Example(
            title="They come within the grace",
            story=(
                buys("0.4"),
                FILLED,
                Wait(1.5),
                AsksAgain(),
                buys("0.6", was="0.4", tid=2, more={"replayed": True}),
                Signal(leg="open", side="LONG", size="1"),
            ),
        ),
        Example(
            title="They come after it",
            story=(
                buys("0.4"),
                FILLED,
                Wait(1.5),
                AsksAgain(),
                Wait(8),
                Wait(1),
                Signal(leg="open", side="LONG", size="0.4", complete=False, trigger="grace"),
                buys("0.6", was="0.4", tid=2),
                Signal(
                    leg="open",
                    side="LONG",
                    size="0.6",
                    also={"id": "0xabababababababababababababababababababab:BTC:1:open:1700000000000-2"},
                ),
            ),
        ),
        Example(
            title="None comes until nobody can bring it any more",
            story=(
                FILLED,
                Wait(1.5),
                AsksAgain(),
                Wait(9),
                AsksAgain(),
                Wait(10),
                AsksAgain(),
                Covered(),
                Wait(10),
                RecordsGap("no fill of order 1 was seen"),
            ),
        ),
        Example(
            title="A stop of a whole position, which shows no size, is cancelled without a fill",
            story=(Ended(status="siblingFilledCanceled", of="0"), Wait(1.5), AsksAgain(), Wait(9)),
        ),
        Example(
            title="The status does not say how large the order was",
            story=(
                buys("1"),
                Ended(status="filled", of="0"),
                Wait(1.5),
                AsksAgain(),
                Wait(9),
                Signal(leg="open", side="LONG", size="1", complete=False, trigger="grace"),
            ),
        ),
        Example(
            title="There are more fills than the status knows of",
            story=(
                buys("1"),
                buys("1", was="1", tid=2),
                FILLED,
                Wait(1.5),
                AsksAgain(),
                Wait(9),
                Signal(leg="open", side="LONG", size="2", complete=False, trigger="grace"),
            ),
        ),
    ),
)

TIMEOUTS = Rule(
    title="An order does not end",
    text=(
        "`HLMON_ORDER_TIMEOUT` (5 minutes, or the wallet's own) after the first fill that no signal took, "
        "what there is goes out as not complete, and the next signal of that leg has only what came since."
    ),
    examples=(
        Example(
            title="A partial, and the rest at the end",
            story=(
                buys("0.4"),
                Wait(299),
                Wait(2),
                Signal(leg="open", side="LONG", size="0.4", complete=False, trigger="timeout"),
                buys("0.6", px="110", was="0.4", tid=2, at=302_000),
                FILLED,
                Signal(leg="open", side="LONG", size="0.6", px="110"),
            ),
        ),
        Example(
            title="An order rests for days and is filled in parts",
            story=(
                sells("1", was="4"),
                Wait(301),
                Signal(leg="close", side="LONG", size="1", close_rate="0.25", complete=False, trigger="timeout"),
                Wait(3600),
                sells("1", was="3", tid=2, at=90_000_000),
                Wait(301),
                Signal(leg="close", side="LONG", size="1", close_rate="0.333333333", complete=False, trigger="timeout"),
                sells("2", was="2", tid=3, at=180_000_000),
                Ended(status="filled", of="4"),
                Signal(leg="close", side="LONG", size="2", close_rate="1"),
            ),
        ),
        Example(
            title="The end adds nothing to the last partial",
            story=(
                buys("0.4"),
                Wait(301),
                Signal(leg="open", side="LONG", size="0.4", complete=False, trigger="timeout"),
                Ended(status="canceled", left="0.6"),
                Wait(600),
            ),
        ),
        Example(
            title="A wallet with timeout 0 gets every fill and leg at once",
            order_timeout_s=0,
            story=(
                buys("0.4"),
                Signal(leg="open", side="LONG", size="0.4", complete=False, trigger="timeout"),
                buys("0.6", was="0.4", tid=2),
                Signal(leg="open", side="LONG", size="0.6", complete=False, trigger="timeout"),
                FILLED,
                sells("3", was="1", oid=2, tid=3),
                Signal(leg="close", side="LONG", size="1", close_rate="1", complete=False, trigger="timeout"),
                Signal(leg="open", side="SHORT", size="2", complete=False, trigger="timeout"),
            ),
        ),
    ),
)

SYSTEM = Rule(
    title="Fills that the venue makes itself",
    text=(
        "Liquidation, auto-deleveraging, settlement, dust, netting of vaults and outcomes get no status: "
        "fills of one address, coin, order id and millisecond are one order, which is complete 1 s after its "
        "last fill, unless a gap is open then: others may have been missed. Its `oid` is a negative number."
    ),
    examples=(
        Example(
            title="A liquidation in two fills",
            story=(
                sells("1", was="2", dir="Liquidated Cross Long"),
                Wait(0.5),
                sells("1", was="1", tid=2, dir="Liquidated Cross Long"),
                Wait(0.5),
                Wait(1),
                Signal(leg="close", side="LONG", size="2", close_rate="1", trigger="system", kind="liquidation"),
            ),
        ),
        Example(
            title="Who trades with a liquidated wallet has an ordinary order",
            story=(
                buys("1", more={"hash": "0x" + "0" * 64}),
                Wait(5),
                FILLED,
                Signal(leg="open", side="LONG", size="1"),
            ),
        ),
        Example(
            title="Auto-deleveraging of a short",
            story=(
                buys("2", was="-8", dir="Auto-Deleveraging"),
                Wait(1.5),
                Signal(leg="close", side="SHORT", size="2", close_rate="0.25", trigger="system", kind="adl"),
            ),
        ),
        Example(
            title="Settlement of a delisted coin",
            story=(
                sells("2", was="2", dir="Settlement"),
                Wait(1.5),
                Signal(leg="close", side="LONG", size="2", close_rate="1", trigger="system", kind="settlement"),
            ),
        ),
        Example(
            title="Dust is converted: no trade id, so the fill's digest stands in the id",
            story=(
                sells("0.004", px="25", was="0.004", coin="@107", tid=0, dir="Spot Dust Conversion"),
                Wait(1.5),
                Signal(
                    leg="close",
                    side="LONG",
                    size="0.004",
                    px="25",
                    close_rate="1",
                    trigger="system",
                    kind="dust",
                    also={"asset_type": "spot"},
                ),
            ),
        ),
        Example(
            title="A parent vault nets its children",
            story=(
                buys("5", was="10", dir="Net Child Vaults"),
                Wait(1.5),
                Signal(leg="open", side="LONG", size="5", trigger="system", kind="vault"),
            ),
        ),
        Example(
            title="An outcome is split",
            story=(
                buys("5", px="0.5", coin="#330", dir="Split Outcome"),
                Wait(1.5),
                Signal(leg="open", side="LONG", size="5", px="0.5", trigger="system", kind="outcome"),
            ),
        ),
        Example(
            title="A status for the order id of a liquidation says nothing before it",
            story=(
                Ended(status="filled", of="2"),
                sells("2", was="2", dir="Liquidated Isolated Long"),
                Wait(15),
                Signal(leg="close", side="LONG", size="2", close_rate="1", trigger="system", kind="liquidation"),
            ),
        ),
        Example(
            title="A status for the order id of a liquidation says nothing after it",
            story=(
                sells("2", was="2", dir="Liquidated Isolated Long"),
                Ended(status="filled", of="2"),
                Wait(15),
                Signal(leg="close", side="LONG", size="2", close_rate="1", trigger="system", kind="liquidation"),
            ),
        ),
    ),
)

TWAPS = Rule(
    title="TWAPs",
    text=(
        "All slices of a TWAP are one order, whatever their order ids. It gives a partial each order timeout "
        "and a last signal at its end."
    ),
    examples=(
        Example(
            title="A short TWAP",
            story=(
                buys("0.5", oid=10, more=TWAP),
                Wait(30),
                buys("0.5", was="0.5", oid=11, tid=2, at=30_000, more=TWAP),
                Ended(status="finished", twap_id=77),
                Signal(
                    leg="open",
                    side="LONG",
                    size="1",
                    kind="twap",
                    also={"twap_id": 77, "fills": 2, "feed": "userTwapSliceFills"},
                ),
            ),
        ),
        Example(
            title="A long TWAP that is stopped early",
            story=(
                buys("0.5", oid=10, more=TWAP),
                Wait(301),
                Signal(leg="open", side="LONG", size="0.5", kind="twap", complete=False, trigger="timeout"),
                buys("0.2", was="0.5", oid=11, tid=2, at=310_000, more=TWAP),
                Ended(status="terminated", of="2", left="1.3", twap_id=77),
                Signal(leg="open", side="LONG", size="0.2", kind="twap", also={"status": "terminated"}),
            ),
        ),
        Example(
            title="A maker hit by somebody's TWAP slice has an ordinary order",
            story=(
                buys("0.4", more={"hash": "0x" + "0" * 64, "crossed": False}),
                buys("0.6", was="0.4", tid=2, more={"crossed": False}),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"oid": 1, "fills": 2}),
            ),
        ),
    ),
)

MARKETS = Rule(
    title="Spot and other dexes",
    text=(
        "A spot purchase opens, a sale closes; the position is the balance. The fee of a purchase is in the "
        "token that is bought and changes neither size nor price. Coins of HIP-3 dexes are perps."
    ),
    examples=(
        Example(
            title="A spot purchase pays its fee in the token",
            story=(
                buys("2", px="25", was="3", coin="@107", more={"fee": "0.0014", "fee_token": "HYPE"}),
                Ended(status="filled", of="2", coin="@107"),
                Signal(
                    leg="open",
                    side="LONG",
                    size="2",
                    px="25",
                    also={"asset_type": "spot", "symbol": "HYPEUSDC", "fee": "0.0014", "fee_token": "HYPE"},
                ),
            ),
        ),
        Example(
            title="A spot sale closes a share of the balance",
            story=(
                sells("1", px="25", was="3", coin="@107"),
                Ended(status="filled", coin="@107"),
                Signal(
                    leg="close",
                    side="LONG",
                    size="1",
                    px="25",
                    close_rate="0.333333333",
                    also={"asset_type": "spot", "symbol": "HYPEUSDC"},
                ),
            ),
        ),
        Example(
            title="A HIP-3 coin, whatever its dex",
            story=(
                sells("1", px="60", coin="flx:OIL"),
                Ended(status="filled", coin="flx:OIL"),
                Signal(leg="open", side="SHORT", size="1", px="60", also={"asset_type": "futures", "coin": "flx:OIL"}),
            ),
        ),
    ),
)

RATES = Rule(
    title="position_rate and position_size",
    text=(
        "The rate is the signal's notional as percent of what the wallet has where it trades: for a perp the "
        "value of its dex' account in that dex' collateral, for spot all balances at mid prices, as last seen when "
        "the signal is decided. Values in different tokens are never added without their prices. A unified account "
        "keeps collateral as a spot balance, of which what its perps are worth is a part: that balance counts alone. "
        "The size is the rate in a word, by `HLMON_SMALL_BELOW` (5) and `HLMON_MEDIUM_BELOW` (20)."
    ),
    examples=(
        Example(
            title="The value is unknown",
            story=(
                buys("1"),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"position_rate": None, "position_size": None}),
            ),
        ),
        Example(
            title="The value is not above zero",
            story=(
                Account({"": "0"}),
                buys("1"),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"position_rate": None, "position_size": None}),
            ),
        ),
        Example(
            title="100 USD of 2001 are small, of 2000 medium, of 500 large",
            story=(
                Account({"": "2001"}),
                buys("1"),
                FILLED,
                Signal(
                    leg="open",
                    side="LONG",
                    size="1",
                    also={"position_rate": "4.997501249", "position_size": "Small"},
                ),
                Account({"": "2000"}),
                buys("1", was="1", oid=2, tid=2),
                Ended(status="filled", oid=2),
                Signal(leg="open", side="LONG", size="1", also={"position_rate": "5", "position_size": "Medium"}),
                Account({"": "500"}),
                buys("1", was="2", oid=3, tid=3),
                Ended(status="filled", oid=3),
                Signal(leg="open", side="LONG", size="1", also={"position_rate": "20", "position_size": "Large"}),
            ),
        ),
        Example(
            title="A coin of another dex is measured by that dex",
            story=(
                Account({"": "1000", "flx": "120"}),
                buys("1", px="60", coin="flx:OIL"),
                Ended(status="filled", coin="flx:OIL"),
                Signal(leg="open", side="LONG", size="1", px="60", also={"position_rate": "50"}),
            ),
        ),
        Example(
            title="A unified account keeps its collateral as a spot balance: 100 of 500, perps included, are 20 %",
            story=(
                Account({"": "100"}, {"USDC": "500"}, mode="unifiedAccount"),
                buys("1"),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"position_rate": "20"}),
            ),
        ),
        Example(
            title="What a unified account has in another collateral stands behind other positions",
            story=(
                Account({"": "100", "flx": "1000"}, {"USDC": "500", "USDH": "1200"}, mode="unifiedAccount"),
                buys("1"),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"position_rate": "20"}),
                buys("1", px="60", coin="flx:OIL", oid=2, tid=2),
                Ended(status="filled", coin="flx:OIL", oid=2),
                Signal(leg="open", side="LONG", size="1", px="60", also={"position_rate": "5"}),
            ),
        ),
        Example(
            title="With portfolio margin all that the wallet has stands behind each position, by its price in USD",
            story=(
                Account({"": "100", "flx": "50"}, {"USDC": "400", "USDH": "50", "HYPE": "2"}, mode="portfolioMargin"),
                buys("1"),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"position_rate": "20"}),
            ),
        ),
        Example(
            title="A unified account whose balances were not told yet has no known value",
            story=(
                Account({"": "100"}, mode="unifiedAccount"),
                buys("1"),
                FILLED,
                Signal(leg="open", side="LONG", size="1", also={"position_rate": None}),
            ),
        ),
        Example(
            title="A spot purchase is measured by all balances: 450 USDC and 2 HYPE at 25",
            story=(
                Account(balances={"USDC": "450", "HYPE": "2"}),
                buys("2", px="25", coin="@107"),
                Ended(status="filled", of="2", coin="@107"),
                Signal(
                    leg="open", side="LONG", size="2", px="25", also={"position_rate": "10", "position_size": "Medium"}
                ),
            ),
        ),
    ),
)

WATCHES = Rule(
    title="The watch begins and ends",
    text=(
        "Fills before the watch's first moment are in no signal, but belong to the sum by which an order is "
        "known to be complete. `hlmon watch add --backfill-from` puts another moment in its place. What comes more "
        "than `HLMON_DEDUP_HORIZON` (6 days) after it happened is stored and recorded, and in no signal. A removed "
        "wallet is watched for `HLMON_REMOVE_GRACE` (5 minutes) more; then what is unsent goes out."
    ),
    examples=(
        Example(
            title="Signals are to start before the watch",
            watch_from=9,
            backfill_from=3,
            story=(
                buys("0.3", more={"replayed": True}),
                buys("0.4", was="0.3", tid=2, at=3, more={"replayed": True}),
                buys("0.3", was="0.7", tid=3, at=8, more={"replayed": True}),
                FILLED,
                buys("0.3", more={"replayed": True}),
                Signal(leg="open", side="LONG", size="0.7", also={"start_position": "0.3", "fills": 2}),
            ),
        ),
        Example(
            title="A fill comes after 7 days",
            days_later=7,
            story=(
                buys("1", more={"replayed": True}),
                RecordsLate(0, 0),
                FILLED,
                Wait(600),
            ),
        ),
        Example(
            title="An order's first fill is too old to be told, the next is not",
            days_later=7,
            story=(
                buys("0.4", more={"replayed": True}),
                RecordsLate(0, 0),
                buys("0.6", was="0.4", tid=2, at=100_000_000, more={"replayed": True}),
                FILLED,
                Signal(leg="open", side="LONG", size="0.6", also={"start_position": "0.4"}),
            ),
        ),
        Example(
            title="An order had begun before",
            watch_from=5,
            story=(
                buys("0.6", was="0.4", tid=2, at=9),
                FILLED,
                buys("0.4", more={"replayed": True}),
                Signal(leg="open", side="LONG", size="0.6", also={"start_position": "0.4"}),
            ),
        ),
        Example(
            title="An order was over before",
            watch_from=5,
            story=(buys("1", more={"replayed": True}), Wait(600)),
        ),
        Example(
            title="A wallet is removed",
            order_timeout_s=900,
            story=(
                buys("0.4"),
                Removed(),
                Wait(299),
                Wait(2),
                Signal(leg="open", side="LONG", size="0.4", complete=False, trigger="removal"),
                buys("0.6", was="0.4", tid=2),
            ),
        ),
        Example(
            title="A wallet is put back within the grace",
            order_timeout_s=900,
            story=(
                buys("0.4"),
                Removed(),
                Wait(60),
                Returned(),
                Wait(600),
                buys("0.6", was="0.4", tid=2),
                FILLED,
                Signal(leg="open", side="LONG", size="1"),
            ),
        ),
    ),
)

EPISODES = Rule(
    title="Trades",
    text=(
        "The public feed `trades` names buyer and seller, but no order, no position and no fee. Fills of one wallet, "
        "coin and side that follow each other within `HLMON_EPISODE_QUIET` (2 s) are an episode: one signal "
        "per leg when nothing of it came for as long, or at the order timeout. Its `oid` is a negative number. The "
        "position is the one that the venue told last, moved by the fills since; while it is unknown (a new wallet, or "
        "a gap that is not reconciled), each fill is told at once, with null rates and `seeded` false, as if it opened "
        "a position. What a wallet's own feed or REST says of a trade later adds fee, profit, ids and text to it, and "
        "no signal."
    ),
    examples=(
        Example(
            title="An episode is over when it was quiet for 2 s",
            story=(
                Positions({"BTC": "-4"}),
                buys("1", at=10, more=TRADE),
                Wait(1.5),
                buys("1", px="102", tid=2, at=1_500, more=TRADE),
                Wait(1.5),
                Wait(1),
                Signal(
                    leg="close",
                    side="SHORT",
                    size="2",
                    px="101",
                    close_rate="0.5",
                    trigger="episode",
                    kind="episode",
                    also={"seeded": True, "feed": "trades", "start_position": "-4", "end_position": "-2", "fills": 2},
                ),
            ),
        ),
        Example(
            title="A later episode is another one, and so is the other side",
            story=(
                Positions({}),
                buys("1", at=10, more=TRADE),
                sells("3", tid=2, at=20, more=TRADE),
                buys("1", tid=3, at=5_000, more=TRADE),
                Wait(2.5),
                Signal(leg="open", side="LONG", size="1", trigger="episode", kind="episode"),
                Signal(leg="close", side="LONG", size="1", close_rate="1", trigger="episode", kind="episode"),
                Signal(leg="open", side="SHORT", size="2", trigger="episode", kind="episode"),
                Signal(leg="close", side="SHORT", size="1", close_rate="0.5", trigger="episode", kind="episode"),
            ),
        ),
        Example(
            title="Trading without a pause goes out at the order timeout",
            order_timeout_s=3,
            story=(
                Positions({}),
                buys("1", at=10, more=TRADE),
                Wait(1.5),
                buys("1", tid=2, at=1_510, more=TRADE),
                Wait(1.5),
                Signal(leg="open", side="LONG", size="2", complete=False, trigger="timeout", kind="episode"),
            ),
        ),
        Example(
            title="The position is not known",
            story=(
                buys("1", more=TRADE),
                Signal(
                    leg="open",
                    side="LONG",
                    size="1",
                    complete=False,
                    trigger="episode",
                    kind="episode",
                    also={"seeded": False, "position_rate": None, "start_position": None},
                ),
            ),
        ),
        Example(
            title="After a gap the position is not known until the venue tells it again",
            story=(
                Positions({"BTC": "2"}),
                Gap(trades=True),
                sells("1", at=10, more=TRADE),
                Signal(
                    leg="open",
                    side="SHORT",
                    size="1",
                    complete=False,
                    trigger="episode",
                    kind="episode",
                    also={"seeded": False},
                ),
                Covered(trades=True),
                Positions({"BTC": "1"}, at=20),
                sells("1", tid=2, at=30, more=TRADE),
                Wait(2.5),
                Signal(leg="close", side="LONG", size="1", close_rate="1", trigger="episode", kind="episode"),
            ),
        ),
        Example(
            title="Positions that were told after a fill contain it already",
            story=(
                Positions({"BTC": "2"}),
                Positions({"BTC": "1"}, at=20),
                sells("1", at=10, more=TRADE),
                sells("1", tid=2, at=30, more=TRADE),
                Wait(2.5),
                Signal(
                    leg="close",
                    side="LONG",
                    size="2",
                    close_rate="1",
                    trigger="episode",
                    kind="episode",
                    also={"start_position": "2", "end_position": "0"},
                ),
            ),
        ),
        Example(
            title="REST says more of a trade, before its signal and after it",
            story=(
                Positions({"BTC": "4"}),
                sells("1", at=10, more=TRADE),
                sells("1", was="4", at=10, oid=7, more={"replayed": True, "fee": "0.5", "closed_pnl": "3"}),
                Wait(2.5),
                Signal(
                    leg="close",
                    side="LONG",
                    size="1",
                    close_rate="0.25",
                    trigger="episode",
                    kind="episode",
                    also={"fee": "0.5", "closed_pnl": "3"},
                ),
                sells("1", was="4", at=10, oid=7, more={"replayed": True, "fee": "0.5", "closed_pnl": "3"}),
            ),
        ),
        Example(
            title="A fill inside an episode that was told is its own signal",
            story=(
                Positions({"BTC": "4"}),
                sells("1", at=10, more=TRADE),
                sells("1", tid=2, at=900, more=TRADE),
                Wait(2.5),
                Signal(leg="close", side="LONG", size="2", close_rate="0.5", trigger="episode", kind="episode"),
                sells("1", was="3", tid=3, at=500, oid=8, more={"replayed": True}),
                Signal(
                    leg="close",
                    side="LONG",
                    size="1",
                    close_rate="0.333333333",
                    complete=False,
                    trigger="episode",
                    kind="episode",
                ),
            ),
        ),
        Example(
            title="Fills that only REST shows are an episode too",
            story=(
                Positions({"BTC": "4"}),
                sells("1", at=10, more=TRADE),
                Wait(2.5),
                Signal(leg="close", side="LONG", size="1", close_rate="0.25", trigger="episode", kind="episode"),
                sells("1", was="3", tid=2, at=9_000, oid=8, more={"replayed": True}),
                sells("1", was="2", tid=3, at=9_500, oid=9, more={"replayed": True}),
                Wait(2.5),
                Signal(leg="close", side="LONG", size="2", close_rate="0.666666667", trigger="episode", kind="episode"),
            ),
        ),
    ),
)

GAPS = Rule(
    title="A gap holds the timers up",
    text=(
        "While nobody vouches for a feed, fills may still be on their way: order timeout and grace do not end "
        "before the gap is covered, but at most 60 s later than that it began. The venue's own fills and a "
        "timeout of 0 wait for nothing."
    ),
    examples=(
        Example(
            title="The gap is covered in time",
            story=(
                buys("0.4"),
                FILLED,
                Gap(),
                Wait(30),
                AsksAgain(),
                buys("0.6", was="0.4", tid=2, more={"replayed": True}),
                Signal(leg="open", side="LONG", size="1"),
                Covered(),
            ),
        ),
        Example(
            title="The gap stays open",
            story=(
                buys("0.4"),
                FILLED,
                Gap(),
                Wait(30),
                AsksAgain(),
                Wait(31),
                Signal(leg="open", side="LONG", size="0.4", complete=False, trigger="grace"),
            ),
        ),
        Example(
            title="A timeout that ran out meanwhile ends with the gap",
            story=(
                buys("0.4"),
                Wait(290),
                Gap(),
                Wait(30),
                Covered(),
                Wait(1.5),
                Signal(leg="open", side="LONG", size="0.4", complete=False, trigger="timeout"),
            ),
        ),
        Example(
            title="A liquidation does not wait",
            story=(
                Gap(),
                sells("2", was="2", dir="Liquidated Cross Long"),
                Wait(1.5),
                Signal(
                    leg="close",
                    side="LONG",
                    size="2",
                    close_rate="1",
                    complete=False,
                    trigger="system",
                    kind="liquidation",
                ),
            ),
        ),
        Example(
            title="A liquidation that a wallet with timeout 0 is told at once may have more fills",
            order_timeout_s=0,
            story=(
                sells("1", was="2", dir="Liquidated Cross Long"),
                Signal(
                    leg="close",
                    side="LONG",
                    size="1",
                    close_rate="0.5",
                    complete=False,
                    trigger="system",
                    kind="liquidation",
                ),
                sells("1", was="1", tid=2, dir="Liquidated Cross Long"),
                Signal(
                    leg="close",
                    side="LONG",
                    size="1",
                    close_rate="1",
                    complete=False,
                    trigger="system",
                    kind="liquidation",
                ),
            ),
        ),
        Example(
            title="A wallet with timeout 0 does not wait",
            order_timeout_s=0,
            story=(
                Gap(),
                buys("0.4"),
                Signal(leg="open", side="LONG", size="0.4", complete=False, trigger="timeout"),
            ),
        ),
    ),
)

RULES: Final = (LEGS, FLIPS, SUMS, ENDS, MISSING, TIMEOUTS, SYSTEM, TWAPS, MARKETS, RATES, WATCHES, GAPS, EPISODES)
