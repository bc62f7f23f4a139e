"""The gateway: keeps the venue's streams of the wallets that are its share, and hands every event to the aggregators.

It forgets an event only when an aggregator has made it durable, and says so (`Gap`) whenever it cannot vouch for a
stretch of a feed. What an event means for an order is the aggregator's business and may not be decided here.
"""
