"""Says which signals must exist, slowly and independently of the pipeline that has to find them.

The rules, all in exact fractions:

1. An ordinary order is (address, coin, oid); a TWAP is (address, twap_id); fills of the system, told by
   their `dir` (`Liquidated…`, `Auto-Deleveraging`, `Settlement`, `Net Child Vaults`, `Spot Dust
   Conversion`, outcome texts), are one order per (address, coin, oid, time). A fill whose liquidation
   names its own wallet is a liquidation whatever its `dir`. A zero hash alone does not make a system
   fill: a maker that a TWAP slice hits has one too. A `dir` of no known text makes the kind of its whole
   order `unknown`.
2. Every fill is split by start position, side and size. Perp: what moves the position toward zero is the
   close part (LONG if the start position is above zero, else SHORT), the rest the open part (LONG for a
   buy, SHORT for a sell). Spot (`@…`, with a `/`, or an outcome's `#…`): a buy opens LONG, a sell closes LONG, whole.
3. Only fills at or after the wallet's `watch_from` count. Only ended orders give signals, one for each
   leg. Orders whose counted fills began longer than `order_timeout_ms` before their end are set aside.
4. A leg's fills are ordered by time, then along the position (fills of one order all move it the same
   way), then by tid. Its id is `address:coin:oid:leg:time-tid` of the first one (for tid 0 the first
   16 hex digits of the fill's digest in place of tid); a TWAP or system order has oid -(h >> 1) with h
   the 64-bit hash of its name.
5. Price = volume-weighted, rounded half-even to 12 decimals. close_rate = closed size over the position
   before the first closing fill, at most 1, 9 decimals; null for open legs. A split fill's fee is divided
   by size, its PnL belongs to the close leg; a fill without close part leaves its PnL with the open leg.
6. start_position is the position before the leg's first part, end_position that after its last one; the
   open part of a flip starts at zero, where its close part ends.
7. A signal is complete unless its order's statuses show no original size (a position's stop or profit): then
   nobody can tell that all its fills are there.
"""
