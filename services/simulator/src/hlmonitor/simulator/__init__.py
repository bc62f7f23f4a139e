"""A Hyperliquid-exact exchange for tests: matching, feeds, limits, faults and a ledger of the truth.

`core` decides what happens on the exchange (no I/O, no clock, seeded), `wire` turns it into the venue's
exact JSON, `io` moves bytes and takes commands, `oracle` says which signals must exist, `replay` serves a
capture of a real venue in place of the exchange. It shares no code with the pipeline that it tests.
"""
