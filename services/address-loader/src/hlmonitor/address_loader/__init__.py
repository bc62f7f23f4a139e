"""The address-loader: brings how wallets are watched in line with the list in SQL, and the copies in JetStream with it.

It decides nothing about orders. In SQL it writes `hl_watch_entry` alone, never the list. What becomes of a wallet is
decided in `core`, by values alone.
"""
