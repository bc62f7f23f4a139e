"""A capture as a venue: what `hlmon record` wrote down is served again, at any speed (docs/captures.md).

Nothing of the exchange is in it. `capture` reads the file, `feeds` and `answers` decide without I/O who gets what,
`player` keeps the time, `server` is the port.
"""
