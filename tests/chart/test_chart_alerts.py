"""The alerts: Prometheus can read them, what they ask for is there, and each is explained."""

import re
from typing import TypedDict

import promql_parser
import pytest
import yaml
from rendering import CHART, ROOT

from hlmonitor.runtime.metrics import Metrics


class Rule(TypedDict):
    """One alert of the file."""

    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


(GROUP,) = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
RULES: list[Rule] = GROUP["rules"]
KUBE_STATE_METRICS = {"kube_cronjob_status_last_successful_time"}

_NAME = re.compile(r"\b(?:hl_monitor|kube)_\w+")
_EXPLAINED = re.compile(r"^\| `(HlMonitor\w+)` \|", re.MULTILINE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_asks_for_metrics_that_services_tell(rule: Rule) -> None:
    promql_parser.parse(rule["expr"])
    told = {sample for metric in Metrics().registry.collect() for sample in _samples(metric.name, metric.type)}
    names = set(_NAME.findall(rule["expr"]))
    assert names
    assert names <= told | KUBE_STATE_METRICS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_says_how_bad_it_is_and_what_happened(rule: Rule) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]


def test_every_alert_is_explained_and_no_other() -> None:
    explained = _EXPLAINED.findall((ROOT / "docs" / "kubernetes.md").read_text())
    assert explained == [rule["alert"] for rule in RULES]


def _samples(name: str, kind: str) -> set[str]:
    return {f"{name}_total"} if kind == "counter" else {name}
