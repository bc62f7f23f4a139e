"""The stateful heart: takes events of wallets, keeps their orders, decides signals, commits them, publishes them.

`core/` holds every rule about orders and every decision about batches, acknowledgements and publishing; `io/` moves
bytes. Nothing here talks to SQL: the writer does.
"""
