"""Strict schemas of Kubernetes' own kinds."""

import json
import shutil
from pathlib import Path

import kubernetes_validate
from rendering import KUBERNETES

_PUBLISHED = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{KUBERNETES}-local"


def write_strict_schemas(directory: Path) -> None:
    """The published schemas with one change: a field that Kubernetes does not know is an error."""
    shutil.copytree(_PUBLISHED, directory, dirs_exist_ok=True)
    shared = json.loads((directory / "_definitions.json").read_text())
    for definition in shared["$defs"].values():
        _close(definition)
    (directory / "_definitions.json").write_text(json.dumps(shared))
    for file in directory.glob("*-*.json"):
        schema = json.loads(file.read_text().replace("/api/_definitions.json", f"file://{directory}/_definitions.json"))
        _close(schema)
        file.write_text(json.dumps(schema))


def _close(schema: dict[str, object]) -> None:
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
