"""A Hyperliquid-exact exchange for tests: matching, feeds, limits, faults and a ledger of the truth.

`core` decides what happens on the exchange (no I/O, no clock, seeded), `wire` turns it into the venue's
exact JSON, `io` moves bytes, `oracle` says which signals must exist. It shares no code with the pipeline
that it tests.
"""
