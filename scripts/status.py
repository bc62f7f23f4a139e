"""`make status`: one line per process: whether it runs, whether it is ready, where to ask it, and what it has done."""

import sys
from collections import Counter
from http import HTTPStatus

import httpx
from layout import Entry, Layout, State, read_state
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

TIMEOUT_S = 2.0
WIDTH = 110


def unready(entry: Entry) -> str | None:
    """Why a process is not ready, in its own words; None when it is."""
    path = "/healthz" if entry.kind == "nats" else "/health/ready"
    try:
        response = httpx.get(entry.health + path, timeout=TIMEOUT_S)
    except httpx.HTTPError:
        return "no answer"
    if response.status_code == HTTPStatus.OK:
        return None
    return response.text.removeprefix("not ready\n").strip()


def show(layout: Layout) -> bool:
    """Print the table; returns whether everything is ready."""
    state = read_state(layout)
    # Wide enough for whole rows, in a pipe too.
    console = Console(highlight=False, width=max(Console().width, WIDTH))
    if state is None:
        console.print("hl-monitor does not run: `make start` starts it")
        return False
    table = Table(title=f"hl-monitor against {state.venue}", title_justify="left", box=None, pad_edge=False)
    for column in ("process", "running", "ready", "health", "so far"):
        table.add_column(column, overflow="fold")
    reasons = {entry.name: unready(entry) for entry in Layout(state.venue).entries()}
    for entry in Layout(state.venue).entries():
        reason = reasons[entry.name]
        table.add_row(entry.name, _running(state, entry.name), reason or "yes", entry.health, _figure(entry))
    console.print(table)
    return not any(reasons.values())


def _running(state: State, name: str) -> str:
    process = state.processes.get(name)
    if process is None:
        return "no"
    again = f", start {process.starts}" if process.starts > 1 else ""
    return f"pid {process.pid}{again}"


def _figure(entry: Entry) -> str:
    try:
        match entry.kind:
            case "nats":
                stats = httpx.get(f"{entry.health}/jsz", timeout=TIMEOUT_S).json()
                return f"{stats['messages']} messages in {stats['streams']} streams"
            case "simulator":
                stats = httpx.get("http://127.0.0.1:8899/control/stats", timeout=TIMEOUT_S).json()
                return f"{stats['fills']} fills"
            case kind:
                text = httpx.get(f"{entry.health}/metrics", timeout=TIMEOUT_S).text
                return _service_figure(kind, text)
    except (httpx.HTTPError, KeyError):
        return "-"


def _service_figure(kind: str, text: str) -> str:
    sums: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name.removeprefix("hl_monitor_")] += int(sample.value)
    match kind:
        case "gateway":
            return f"{sums['addresses_subscribed']} wallets, {sums['events_sent_total']} events"
        case "aggregator":
            return f"{sums['partitions_owned']} partitions, {sums['signals_published_total']} signals"
        case "writer":
            return f"{sums['batch_write_size_count']} transactions, {sums['batch_write_size_sum']} rows"
        case "address-loader":
            return f"{sums['watch_rows_rejected']} rows rejected"
        case _:
            return f"{sums['rows_cleaned_total']} rows deleted"


if __name__ == "__main__":
    sys.exit(0 if show(Layout("")) else 1)
