"""docs/migrating.md: every key of the original's configuration is there, and our names and defaults are the code's."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "migrating.md").read_text()
KEYS = [
    *("hl_monitor.hyperliquid_ws_url", "hl_monitor.health_server_addr", "hl_monitor.address_reload_interval"),
    *("hl_monitor.address_remove_grace", "hl_monitor.max_connections", "hl_monitor.max_subscriptions_per_connection"),
    *("mysql.dsn", "mysql.slave_addr", "mysql.max_idle_connections", "mysql.max_open_connections"),
    *("mysql.set_conn_max_lifetime", "mysql.set_conn_max_idle_time", "mysql.proxy_enabled", "mysql.proxy_addr"),
    *("nats.endpoint", "nats.reconnect_wait", "nats.max_reconnects", "nats.ping_interval", "nats.connect_timeout"),
    *("log.level", "log.max_size", "log.max_backups", "log.max_age", "log.compress", "log.console"),
    *("order_aggregation.timeout", "order_aggregation.scan_interval"),
    *("order_aggregation.max_retry", "order_aggregation.retry_delay"),
]
"""Every key that the original reads."""

ROWS = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.*?) \| (.*?) \| (.*?) ?\| (.*?) ?\|$", PAGE, re.MULTILINE)
NAMED = [(ours.strip("`"), default) for _, _, ours, default, _ in ROWS if ours != "-"]


def test_every_key_of_the_original_is_listed_once() -> None:
    assert [key for key, *_ in ROWS] == KEYS


@pytest.mark.parametrize(("setting", "default"), NAMED)
def test_a_setting_and_its_default_are_the_codes(setting: str, default: str) -> None:
    # settings.md is made from the settings classes.
    rows = re.findall(rf"^\| `{setting}` \| (.*?) \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert default in rows


def test_a_key_without_a_setting_says_why() -> None:
    assert [key for key, _, ours, _, why in ROWS if ours == "-" and not why] == []


def test_every_difference_has_all_its_cells() -> None:
    rows = [line for line in PAGE.split("## What differs")[1].splitlines() if line.startswith("|")]
    assert [line for line in rows if len(re.split(r"(?<!\\)\|", line)) != 6] == []
