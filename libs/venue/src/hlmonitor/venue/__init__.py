"""Hyperliquid: wire types, decoding, the subscription protocol, rate limits, symbols and the REST client.

Everything that is true of the venue whoever asks lives here; what one service does with it may not.
"""
