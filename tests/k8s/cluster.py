"""The cluster, by kubectl and helm as an operator uses them."""

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "hl-monitor"
DEMO = ROOT / "deploy" / "helm" / "examples" / "demo.yaml"
HELM = ROOT / ".run" / "tools" / "helm"
PATIENCE_S = 300.0
"""For whatever the cluster has to do: a slow machine is no failure."""
POLL_S = 1.0


class ClusterError(Exception):
    """A command failed, or what must come did not; the message has its words."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One release in a namespace of its own."""

    namespace: str
    release: str = "demo"

    @property
    def name(self) -> str:
        """What the names of all its objects begin with."""
        return f"{self.release}-hl-monitor"

    def kubectl(self, *words: str, text: str | None = None) -> str:
        """What kubectl prints.

        Raises:
            ClusterError: it failed.
        """
        return _run(["kubectl", "--namespace", self.namespace, *words], text)

    def helm(self, *words: str) -> str:
        """What helm prints. Raises as `kubectl`."""
        return _run([str(HELM), "--namespace", self.namespace, *words])

    def objects(self, kinds: str, selector: str = "") -> list[dict[str, Any]]:
        """The objects of these kinds."""
        words = ["get", kinds, "--output", "json", *(["--selector", selector] if selector else [])]
        items: list[dict[str, Any]] = json.loads(self.kubectl(*words))["items"]
        return items

    def pods(self, component: str) -> list[str]:
        """Names of a component's pods that are not ending."""
        found = self.objects("pods", f"app.kubernetes.io/component={component}")
        return sorted(pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"])

    def settled(self) -> None:
        """Wait until every workload is what it should be.

        Raises:
            ClusterError: it did not come to that.
        """
        for each in self.objects("deployments,statefulsets"):
            kind, name = each["kind"].lower(), each["metadata"]["name"]
            self.kubectl("rollout", "status", f"{kind}/{name}", f"--timeout={PATIENCE_S:.0f}s")

    def inside(self, *arguments: str) -> Any:  # noqa: ANN401 JSON
        """The answer of `inside.py` in the toolbox. Raises as `kubectl`."""
        script = Path(__file__).with_name("inside.py").read_text()
        toolbox = f"deployment/{self.name}-toolbox"
        return json.loads(self.kubectl("exec", "-i", toolbox, "--", "python", "-", *arguments, text=script))


def eventually(look: Callable[[], bool], what: str) -> None:
    """Wait until it is so.

    Raises:
        ClusterError: it did not come to that.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > deadline:
            raise ClusterError(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(POLL_S)


def _run(words: Sequence[str], text: str | None = None) -> str:
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
