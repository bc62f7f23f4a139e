"""What the simulator can do: fills per second of its load, a day in a minute, and blocks with many wallets.

`python bench/simulator.py load|day|wallets`. The loss check is part of the load: a client in a process of its own
counts what arrives, and the signals expected of some wallets must hold all fills that the ledger has of them.
"""

import argparse
import base64
import json
import multiprocessing
import os
import platform
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from hlmonitor.simulator.core.market import Market, MarketConfig
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.server import Simulator

GENESIS_MS = 1_767_225_600_000
DAY_MS = 86_400_000
FILL_KEY = b'"startPosition"'
"""Stands once in each fill row and nowhere else."""


def say(text: str) -> None:
    """Show a result."""
    print(text, flush=True)  # noqa: T201 that is what it is for


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float:
    """CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, path: str, body: object = None) -> Any:  # noqa: ANN401 any JSON
    """The simulator's answer."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", data)) as reply:
        return json.load(reply)


@contextmanager
def simulator(port: int, **settings: object) -> Iterator[int]:
    """The simulator in a process of its own; gives its pid once it serves."""
    flags = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "hlmonitor.simulator", "--port", str(port), "--health-port", "0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 our own command
    try:
        while True:
            try:
                ask(port, "/control/stats")
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the simulator did not start") from None
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def text_frame(payload: bytes) -> bytes:
    """A client's text frame; the mask of zeros leaves the payload as it is."""
    size = len(payload)
    return b"\x81" + bytes([0x80 | 126]) + size.to_bytes(2, "big") + bytes(4) + payload


def listen(port: int, feeds: list[dict[str, object]], pipe: Connection) -> None:
    """Subscribe, then count the fills that arrive until told the end; run in a process of its own."""
    line = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    hello = f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
    line.sendall((hello + "Sec-WebSocket-Version: 13\r\n\r\n").encode())
    for feed in feeds:
        line.sendall(text_frame(json.dumps({"method": "subscribe", "subscription": feed}).encode()))
    line.settimeout(0.5)
    fills, tail, received = 0, b"", 0
    while not pipe.poll():
        try:
            data = line.recv(1 << 20)
        except TimeoutError:
            continue
        if not data:
            break
        received += len(data)
        joined = tail + data
        fills += joined.count(FILL_KEY)
        tail = joined[1 - len(FILL_KEY) :]
    pipe.send((fills, received))


def run_load(rate: int, wallets: int, seconds: float) -> None:
    """Send the load to one client that listens to all fills and order updates of all wallets."""
    port = free_port()
    limits = {"limit_users": wallets, "limit_subscriptions": 3 * wallets, "limit_messages": 10 * wallets}
    market = {"agents": "off", "load_rate": rate, "load_wallets": wallets}
    with simulator(port, **market, **limits) as pid:
        addresses = [row["address"] for row in ask(port, "/control/wallets")]
        feeds = [{"type": kind, "user": address} for address in addresses for kind in ("userFills", "orderUpdates")]
        mine, theirs = multiprocessing.Pipe()
        client = multiprocessing.Process(target=listen, args=(port, feeds, theirs))
        client.start()
        while sum(ask(port, "/control/stats")["subscriptions"].values()) < len(feeds):
            time.sleep(0.1)
        before = cpu_s(pid)
        ask(port, "/control/load", {"seconds": seconds})
        time.sleep(seconds)
        while (report := ask(port, "/control/load"))["state"] == "running":
            time.sleep(0.1)
        cpu = cpu_s(pid) - before
        time.sleep(2)
        mine.send(None)
        fills, received = mine.recv()
        client.join()
        some = addresses[:10]
        expected = ask(port, "/control/expected", {"watch_from": dict.fromkeys(some, 0)})
        ledger = sum(1 for line in ledger_lines(port) if line["type"] == "fill" and line["address"] in set(some))
    say(json.dumps(report, indent=1))
    say(f"CPU of the simulator: {cpu:.1f} s in {report['seconds']} s ({cpu / report['fills'] * 1e6:.1f} µs per fill)")
    say(f"client: {fills} fills, {received / 1e6:.0f} MB; lost {report['fills'] - fills}")
    say(f"10 wallets: {ledger} fills in the ledger, {expected['fills']} in {len(expected['signals'])} expected signals")
    if fills != report["fills"] or ledger != expected["fills"]:
        raise SystemExit("LOST")


def ledger_lines(port: int) -> Iterator[dict[str, Any]]:
    """The rows of the ledger."""
    with urlopen(f"http://127.0.0.1:{port}/control/ledger") as reply:
        for line in reply:
            yield json.loads(line)


def run_day(block_ms: int, activity: str) -> None:
    """Replay a day of the usual market as fast as it goes."""
    population = PopulationConfig(activity=Decimal(activity))
    market = MarketConfig(ExchangeConfig(block_ms=block_ms), population)
    server = ServerConfig(time=TimeConfig(speed=0, genesis_ms=GENESIS_MS))
    made = Simulator(market, server, seed=1)
    began, began_cpu = time.perf_counter(), time.process_time()
    for _ in range(DAY_MS // block_ms):
        made.step(made.clock.next_ms())
    cpu, wall = time.process_time() - began_cpu, time.perf_counter() - began
    ledger = made.market.ledger
    say(f"a day in blocks of {block_ms} ms at activity {activity}: {cpu:.1f} s of CPU, {wall:.1f} s on the clock")
    say(f"{made.stats.blocks} blocks, {ledger.orders_total} orders, {ledger.fills_total} fills")


def run_wallets(blocks: int) -> None:
    """A block's cost with few and with many wallets, at the same number of turns per second."""
    for wallets in (10, 1_000, 100_000):
        population = PopulationConfig(whales=wallets, rate=Decimal(20), mix="dormant=99,scalper=1")
        market = Market(MarketConfig(population=population), lambda name: random.Random(f"1:{name}"), GENESIS_MS)  # noqa: S311
        began = time.process_time()
        for number in range(1, blocks + 1):
            market.step(GENESIS_MS + 100 * number)
        spent = time.process_time() - began
        orders = market.ledger.orders_total
        say(f"{wallets:>7} wallets: {spent / blocks * 1e3:.2f} ms of CPU per block of 100 ms, {orders} orders")


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    load = kinds.add_parser("load")
    load.add_argument("--rate", type=int, default=50_000)
    load.add_argument("--wallets", type=int, default=1_000)
    load.add_argument("--seconds", type=float, default=10.0)
    day = kinds.add_parser("day")
    day.add_argument("--block-ms", type=int, default=5_000)
    day.add_argument("--activity", default="0.01")
    wallets = kinds.add_parser("wallets")
    wallets.add_argument("--blocks", type=int, default=300)
    given = parser.parse_args()
    say(f"CPython {platform.python_version()}, {os.cpu_count()} CPUs, {platform.platform()}")
    say(f"load average {os.getloadavg()[0]:.1f}: {vars(given)}")
    match given.kind:
        case "load":
            run_load(given.rate, given.wallets, given.seconds)
        case "day":
            run_day(given.block_ms, given.activity)
        case _:
            run_wallets(given.blocks)


if __name__ == "__main__":
    main()
