"""The gateway's shells: venue connections, REST reads, streams to the aggregators, and what holds them together."""
