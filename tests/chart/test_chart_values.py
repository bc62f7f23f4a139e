"""Values that the chart's schema takes, and those that it refuses by the name of their key."""

import re
from pathlib import Path

import pytest
import yaml
from rendering import CHART, helm

pytestmark = pytest.mark.chart

_KEY = re.compile(r" *(\w+):")

ENOUGH = ("--set", "demo.enabled=true")

GOOD = (
    "image.digest=sha256:" + "0" * 64,
    "gateway.groups.b.replicas=3",
    "gateway.groups.default.egress=node",
    "gateway.podDisruptionBudget.maxUnavailable=50%",
    "settings.order_timeout=90s",
    "settings.gateway.unique_users=5",
    "settings.address-loader.every=0",
    "extraEnv[0].name=TZ,extraEnv[0].value=UTC",
    "addressLoader.schedule=@hourly",
    "cleaner.resources.limits.memory=1Gi",
)

BAD = (
    ("imagee.tag=1", "imagee"),
    ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
    ("image.digest=latest", "/image/digest"),
    ("nats.url=localhost:4222", "/nats/url"),
    ("venue.wsUrl=https://x", "/venue/wsUrl"),
    ("database.addressSource=hl_addresses", "/database/addressSource"),
    ("database.sqlite.size=much", "/database/sqlite/size"),
    ("gateway.groups.default.replicas=-1", "/gateway/groups/default"),
    ("gateway.groups.default.egress=cluster", "/gateway/groups/default"),
    ("gateway.groups.Upper.replicas=1", "Upper"),
    ("gateway.replicas=3", "replicas"),
    ("aggregator.replicas=two", "/aggregator/replicas"),
    ("addressLoader.schedule=every minute", "/addressLoader/schedule"),
    ("writer.autoscaling.by=load", "/writer/autoscaling/by"),
    ("writer.autoscaling.triggers[0].type=cpu", "/writer/autoscaling/triggers/0"),
    ("settings.drain_timeout_s=20s", "/settings/drain_timeout_s"),
    ("settings.Order-Timeout=1", "Order-Timeout"),
    ("networkPolicy.nats.ports[0]=70000", "/networkPolicy/nats/ports/0"),
    ("test.since=yesterday", "/test/since"),
    ("demo.whales=0", "/demo/whales"),
)


@pytest.mark.parametrize("value", GOOD)
def test_schema_takes_it(value: str) -> None:
    done = helm("template", *ENOUGH, "--set", value)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("value", "key"), BAD, ids=[value for value, _ in BAD])
def test_schema_refuses_it_and_names_the_key(value: str, key: str) -> None:
    done = helm("template", *ENOUGH, "--set", value)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert key in done.stderr


def test_every_template_has_a_suite() -> None:
    templates = {str(each.relative_to(CHART)) for each in (CHART / "templates").rglob("*.*") if each.name[0] != "_"}
    tested = {name for suite in (CHART / "tests").glob("*_test.yaml") for name in _templates(suite)}
    assert templates == tested


def _templates(suite: Path) -> list[str]:
    value: list[str] = yaml.safe_load(suite.read_text())["templates"]
    return value


def test_every_value_has_a_comment() -> None:
    """Before it, or before the first of those below it; what several services have is explained at the first."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    names = {key[1] for line in lines if (key := _KEY.match(line))}
    explained = {
        key[1]
        for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False)
        if (key := _KEY.match(line)) and (before.lstrip().startswith("#") or after.lstrip().startswith("#"))
    }
    assert names == explained
