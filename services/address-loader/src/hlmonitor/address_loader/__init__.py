"""The address-loader: copies the watch list and the coins' categories from SQL to JetStream's key-value store.

It decides nothing about orders and never writes SQL. What becomes of a wallet is decided in `core`, by values alone.
"""
