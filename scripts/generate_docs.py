"""`make docs`: write the generated pages of docs/ from code and tests; `--check` only says whether they are so."""

import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Final, Literal, get_args, get_origin

import msgspec
from command_docs import commands_page
from layout import ROOT
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from hlmonitor.address_loader.settings import AddressLoaderSettings
from hlmonitor.aggregator.core.news import News
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.cleaner.settings import CleanerSettings
from hlmonitor.cli.settings import CliSettings
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.runtime.metrics import COUNTERS, GAUGES, HISTOGRAMS, MetricDef
from hlmonitor.runtime.settings import ServiceSettings
from hlmonitor.simulator.settings import SimulatorSettings
from hlmonitor.writer.settings import WriterSettings

# The examples of the rules are tests: they stand where tests find them.
sys.path.append(str(ROOT / "tests" / "support"))

import semantics
from semantics_examples import RULES

GENERATED: Final = "<!-- Written by `make docs`. Change the code, not this file. -->"

SERVICES: Final[dict[str, type[ServiceSettings]]] = {
    "gateway": GatewaySettings,
    "aggregator": AggregatorSettings,
    "writer": WriterSettings,
    "address-loader": AddressLoaderSettings,
    "cleaner": CleanerSettings,
    "simulator": SimulatorSettings,
    "cli": CliSettings,
}

SETTINGS_HEAD: Final = f"""{GENERATED}

# Settings

Every service is told what to do in the same way. Strongest first:

1. flags: `hlmon-gateway --local-address 127.0.0.2`;
2. environment: `HLMON_LOCAL_ADDRESS=127.0.0.2`. A variable counts for every service that has the setting;
3. a TOML file, named by `--config FILE` or `HLMON_CONFIG`: top-level keys count for every service that has the setting,
   a table named after a service (`[gateway]`) for that one;
4. the default.

Some names are shared by services that mean different things by them (`HLMON_LISTEN` of aggregator and writer,
`HLMON_REST_WEIGHT_PER_MINUTE` of gateway and aggregator): give those by flag or in the service's own table.

A duration is a number of seconds, or text with a unit: `250ms`, `30s`, `5m`, `2h`, `8d`. A wrong value stops the start
with exit status 2 and a sentence that names the setting; so does an unknown key in a service's own table.

```toml
nats_url = "nats://nats.example:4222"

[gateway]
local_address = "192.0.2.7"
```

"""

METRICS_HEAD: Final = f"""{GENERATED}

# Metrics

Every service serves Prometheus text at `/metrics` of its health port. The list is one for all services: each exposes
every metric, and the service named in brackets feeds it; elsewhere it stays at zero. Beside these there are the
Prometheus client's own `process_…` and `python_…` metrics.

The names, types and labels of the original are kept. It registered 22 and fed 5; here all are fed.

"""

_UNITS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"))


def settings_page() -> str:
    """docs/settings.md."""
    common = ServiceSettings.model_fields
    parts = [SETTINGS_HEAD, "## Every service\n\n", *_settings_table(common)]
    for service, kind in SERVICES.items():
        own = {name: field for name, field in kind.model_fields.items() if name not in common}
        title = "The command line, `hlmon`" if service == "cli" else f"`hlmon-{service}`"
        parts += [f"\n## {title}\n\n", *_settings_table(own)]
    return "".join(parts)


def metrics_page() -> str:
    """docs/metrics.md."""
    parts = [METRICS_HEAD]
    for title, definitions in (("Counters", COUNTERS), ("Gauges", GAUGES), ("Histograms", HISTOGRAMS)):
        parts += [f"## {title}\n\n", *_metrics_table(definitions), "\n"]
    return "".join(parts).rstrip("\n") + "\n"


def status_schema() -> str:
    """docs/status.schema.json: what is said on `hl.status.v1.>` beside heartbeats."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(News)), indent=2).decode() + "\n"


def _settings_table(fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| environment | default | values | what it is |\n|---|---|---|---|\n"
    for name, field in fields.items():
        values = _values(field).replace("|", "\\|")
        yield f"| `HLMON_{name.upper()}` | {_default(field)} | {values} | {field.description} |\n"


def _is_duration(field: FieldInfo) -> bool:
    return any(isinstance(item, BeforeValidator) for item in field.metadata)


def _default(field: FieldInfo) -> str:
    match field.default:
        case bool() as value:
            return f"`{str(value).lower()}`"
        case "":
            return "empty"
        case Enum() as value:
            return f"`{value.value}`"
        case float() as value if _is_duration(field):
            return f"`{_duration(value)}`"
        case float() as value:
            return f"`{value:g}`"
        case value:
            return f"`{value}`"


def _duration(seconds: float) -> str:
    for unit_s, unit in _UNITS:
        if seconds >= unit_s and not seconds % unit_s:
            return f"{seconds / unit_s:g}{unit}"
    return f"{seconds:g}s"


def _values(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    if kind is bool:
        return "`true`, `false`"
    word = "duration" if _is_duration(field) else _word(kind)
    least = next((item.ge for item in field.metadata if hasattr(item, "ge")), None)
    most = next((item.le for item in field.metadata if hasattr(item, "le")), None)
    if most is not None:
        return f"{word}, {least} to {most}"
    # Every duration is at least zero: only a higher bound is worth telling.
    return f"{word}, from {_bound(field, least)}" if least else word


def _word(kind: object) -> str:
    if kind is int:
        return "whole number"
    return "text" if kind is str else "number"


def _bound(field: FieldInfo, value: float) -> str:
    return _duration(value) if _is_duration(field) else f"{value}"


def _metrics_table(definitions: tuple[MetricDef, ...]) -> Iterator[str]:
    yield "| name | labels | what it tells |\n|---|---|---|\n"
    for metric in definitions:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        buckets = f" Buckets: {', '.join(f'{edge:g}' for edge in metric.buckets)}." if metric.buckets else ""
        yield f"| `hl_monitor_{metric.name}` | {labels} | {metric.help}{buckets} |\n"


PAGES: Final[dict[Path, Callable[[], str]]] = {
    ROOT / "docs" / "settings.md": settings_page,
    ROOT / "docs" / "metrics.md": metrics_page,
    ROOT / "docs" / "status.schema.json": status_schema,
    ROOT / "docs" / "simulator-commands.md": lambda: GENERATED + "\n" + commands_page(),
    ROOT / "docs" / "semantics.md": lambda: semantics.page(RULES),
}


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text() != text


def main() -> int:
    """Write, or check; the exit status."""
    stale = [path for path, page in PAGES.items() if _differs(path, page())]
    names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
    if "--check" in sys.argv[1:]:
        if stale:
            sys.stderr.write(f"{names}: not as the code says; `make docs` writes it again\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(PAGES[path]())
    sys.stdout.write(f"written: {names}\n" if stale else "docs are as the code says\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
