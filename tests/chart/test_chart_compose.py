"""The compose file, loaded as docker compose does."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import ROOT, TOOLS
from service_settings import KINDS

from hlmonitor.runtime.settings import load_settings

pytestmark = pytest.mark.chart

FILE = ROOT / "deploy" / "compose" / "compose.yaml"


def test_compose_file_is_valid_and_has_every_service_with_settings_that_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = loaded(FILE)["services"]
    checked = set()
    for service in services.values():
        kind = (service.get("command") or [""])[0].removeprefix("hlmon-")
        if kind in KINDS:
            checked.add(kind)
            with monkeypatch.context() as patched:
                for name, value in service["environment"].items():
                    patched.setenv(name, str(value))
                load_settings(kind, KINDS[kind], service["command"][1:])
    assert checked == set(KINDS) - {"cli"}


def test_compose_file_with_a_key_that_compose_does_not_know_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(FILE.read_text().replace("read_only:", "readonly:"))
    assert "readonly" in run(broken).stderr


def loaded(file: Path) -> dict[str, Any]:
    done = run(file)
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def run(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOOLS / "compose-go"), "-format", "json", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
