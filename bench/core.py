"""What the aggregator's core costs: CPU time per fill, memory per open order, and that resting orders stay bounded.

One process, no I/O: `python bench/core.py`. Times are CPU time of this process, so that other load hardly counts; each
figure is the best of some runs. The loss check is part of the run: every order must give its one signal, whole.
"""

import argparse
import gc
import json
import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

from aggregates import START_MS, Desk, fill_message, status_message

from hlmonitor.aggregator.core.convert import input_of
from hlmonitor.aggregator.core.inputs import FillInput, StatusInput
from hlmonitor.v1 import events_pb2

SIZE = Decimal("0.013")
EVENTS_PER_COMMIT = 500
RUNS = 3


def events(orders: int, fills_per_order: int, *, ends: bool) -> Iterator[events_pb2.Event]:
    """Orders one after the other, each filled in parts; with `ends` each then ends as filled."""
    tid = 0
    for oid in range(1, orders + 1):
        for _ in range(fills_per_order):
            tid += 1
            fill = fill_message(
                oid=oid,
                tid=tid,
                px=f"{60000 + tid % 7}.5",
                sz=str(SIZE),
                start_position=str(SIZE * (tid - 1)),
                time_ms=START_MS + tid,
                fee="0.01234",
            )
            yield events_pb2.Event(fill=fill.SerializeToString())
        if ends:
            whole = status_message(oid=oid, orig_sz=str(SIZE * fills_per_order), status_time_ms=START_MS + tid)
            yield events_pb2.Event(order_status=whole)


def feed(desk: Desk, told: Iterator[events_pb2.Event]) -> None:
    """What the shell does with each event, and a commit now and then."""
    for number, event in enumerate(told, 1):
        _, value = input_of(event)
        match value:
            case FillInput():
                desk.partition.question(value, START_MS)
                desk.partition.fill(value, START_MS, desk.now)
            case StatusInput():
                desk.partition.question(value, START_MS)
                desk.partition.status(value, START_MS, desk.now)
        if number % EVENTS_PER_COMMIT == 0:
            commit(desk)
    commit(desk)


def commit(desk: Desk) -> None:
    """Freeze and serialize a batch, and take it for committed."""
    if batch := desk.partition.outbox.freeze(desk.now_s, force=True):
        batch.message.SerializeToString()
        desk.rows += desk.partition.outbox.done(batch.number, [])


def fills_per_second(fills: int, fills_per_order: int) -> int:
    """Fills per second of CPU time, conversion and serialization included."""
    orders = fills // fills_per_order
    told = list(events(orders, fills_per_order, ends=True))
    best = float("inf")
    for _ in range(RUNS):
        desk = Desk()
        gc.collect()
        began = time.process_time()
        feed(desk, iter(told))
        best = min(best, time.process_time() - began)
        signals = [msgspec.json.decode(row.payload) for row in desk.rows]
        if [signal["fills"] for signal in signals] != [fills_per_order] * orders:
            raise SystemExit("the loss check failed: an order has not its one whole signal")
    return int(orders * fills_per_order / best)


def bytes_per_open_order(orders: int, fills_per_order: int) -> int:
    """Memory that an order with fills takes while it is open and its fills are not sent."""
    told = list(events(orders, fills_per_order, ends=False))
    desk = Desk()
    tracemalloc.start()
    feed(desk, iter(told))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used // orders


def resting_orders(orders: int, at_once: int = 10_000) -> dict[str, int]:
    """Let that many orders fill in part and rest; what stays in memory is counted."""
    desk = Desk(order_timeout_s=0)
    told = events(orders, 1, ends=False)
    gc.collect()
    tracemalloc.start()
    for _ in range(0, orders, at_once):
        feed(desk, (event for _, event in zip(range(at_once), told, strict=False)))
        desk.now_s += 61
        desk.partition.tick(desk.now)
        desk.partition.sweep(desk.now)
        commit(desk)
        desk.rows.clear()
    used, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (wallet,) = desk.partition.wallets.values()
    if wallet.next_number != orders + 1:
        raise SystemExit("the loss check failed: an order has not its one signal")
    return {
        "orders": orders,
        "in_memory": len(wallet.orders),
        "remembered_fills": len(desk.partition.memory),
        "bytes": used,
        "peak_bytes": peak,
    }


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fills", type=int, default=20_000, help="fills of each run (default %(default)s)")
    parser.add_argument("--resting", type=int, default=1_000_000, help="orders that rest (default %(default)s)")
    given = parser.parse_args()
    per_order = (1, 4, 20)
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
        "fills_per_second": {str(count): fills_per_second(given.fills, count) for count in per_order},
        "bytes_per_open_order": {str(count): bytes_per_open_order(2_000, count) for count in per_order},
        "resting": resting_orders(given.resting),
    }
    print(json.dumps(report))  # noqa: T201 its result


if __name__ == "__main__":
    main()
