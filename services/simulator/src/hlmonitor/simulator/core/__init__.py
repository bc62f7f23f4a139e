"""The exchange itself: books, accounts, orders, agents and limits. Sans-I/O: time and randomness come in."""
