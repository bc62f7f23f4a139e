"""The exchange itself, who trades on it (`agents`, `load`), and how the way to clients breaks (`faults`, limits).

Sans-I/O: time and randomness come in.

Where to look. A block: `market`, `exchange`, `state`, `events`. What is listed: `instruments`, `listings`,
`listing_rows`, `precision`. An order's way: `entry`, `admission`, `matching`, `settlement`, with `orders`, `book`,
`triggers`, `trigger_book`, `twap`, `twap_desk`, `schedule`. Positions and what backs them: `positions`,
`accounts`, `margin`, `tiers`, `leverage`, `funding`, `risk`, `liquidation`, `adl`, `system_trades`. Money:
`transfers`, `ledger_updates`, `lending`, `unified`, `roles`, `vaults` and its neighbours. Other products:
`outcomes` and its neighbours, `dust`, `delisting`, `balance_fills`. Memory of it all: `ledger`, `candles`, `flows`,
`portfolio`. The check of it all: `invariants`. Inhabitants: `population`, `agenda`, `dice`.
"""
