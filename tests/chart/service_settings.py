"""The settings that a container gets, read as its service would read them."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from rendering import Manifest

from hlmonitor.address_loader.settings import AddressLoaderSettings
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.cleaner.settings import CleanerSettings
from hlmonitor.cli.settings import CliSettings
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.runtime.settings import ServiceSettings, load_settings
from hlmonitor.simulator.settings import SimulatorSettings
from hlmonitor.writer.settings import WriterSettings

KINDS: Mapping[str, type[ServiceSettings]] = {
    "address-loader": AddressLoaderSettings,
    "aggregator": AggregatorSettings,
    "cleaner": CleanerSettings,
    "cli": CliSettings,
    "gateway": GatewaySettings,
    "simulator": SimulatorSettings,
    "writer": WriterSettings,
}
SECRETS = {"HLMON_DATABASE_URL": "postgresql://somebody:secret@db:5432/name", "HLMON_NATS_URL": "nats://nats:4222"}
FIELDS = {"metadata.name": "pod-1", "status.podIP": "192.0.2.1", "spec.nodeName": "node-1"}


def check_settings(container: Manifest, file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the container's service read its settings, which ends the test when one is wrong; returns the service."""
    program = container["command"][0] if "command" in container else ""
    service = "cli" if program == "hlmon" else program.removeprefix("hlmon-")
    if service not in KINDS:
        return service
    environment = _environment(container)
    assert environment["HLMON_CONFIG"] == "/etc/hl-monitor/settings.toml"
    with monkeypatch.context() as patched:
        for name, value in (environment | {"HLMON_CONFIG": str(file)}).items():
            patched.setenv(name, value)
        load_settings(service, KINDS[service], [])
    unknown = {name for name in environment if name.startswith("HLMON_")} - _known(KINDS[service])
    assert not unknown, f"{service} knows no {unknown}"
    return service


def _known(kind: type[ServiceSettings]) -> set[str]:
    # A pod of the venue's users gets both of its addresses, and the aggregator needs one.
    return {f"HLMON_{name.upper()}" for name in kind.model_fields} | {"HLMON_CONFIG", "HLMON_VENUE_WS_URL"}


def _environment(container: Manifest) -> dict[str, str]:
    values: dict[str, str] = {}
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        if "fieldRef" in source:
            value = FIELDS[source["fieldRef"]["fieldPath"]]
        elif "secretKeyRef" in source:
            value = SECRETS[variable["name"]]
        else:
            value = variable["value"]
        # As Kubernetes does: what was defined before is known.
        values[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], value)
    return values
