"""The chart rendered by helm, and the containers in what comes out."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "hl-monitor"
EXAMPLES = sorted((ROOT / "deploy" / "helm" / "examples").glob("*.yaml"))
TOOLS = ROOT / ".run" / "tools"
KUBERNETES = "1.32.0"

Manifest = Mapping[str, Any]


def helm(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `helm template` or `helm lint` on the chart."""
    release = ["hl"] if command == "template" else []
    apis = ["--api-versions", "monitoring.coreos.com/v1,keda.sh/v1alpha1"] if command == "template" else []
    words = [str(TOOLS / "helm"), command, *release, str(CHART), "--kube-version", KUBERNETES, *apis, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def render(*arguments: str) -> str:
    """The manifests as text."""
    done = helm("template", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifests(text: str) -> list[Manifest]:
    """The objects in it."""
    return [document for document in yaml.safe_load_all(text) if document]


def pods(objects: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every pod that an object is or makes, by `Kind/name`: its spec."""
    for each in objects:
        name = f"{each['kind']}/{each['metadata']['name']}"
        match each["kind"]:
            case "Pod":
                yield name, each["spec"]
            case "Deployment" | "StatefulSet" | "Job":
                yield name, each["spec"]["template"]["spec"]
            case "CronJob":
                yield name, each["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def containers(pod: Manifest) -> list[Manifest]:
    """All of a pod, those that come first too."""
    return [*pod.get("initContainers", []), *pod["containers"]]
