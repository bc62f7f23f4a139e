"""What operators do to a release, one after the other, while it works. A step that fails raises ClusterError."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from k8s.cluster import CHART, DEMO, Cluster, ClusterError, eventually

WHALES = 8
"""As many as one gateway can watch, so that nobody is left out while there is one."""
RATE = 20
BETWEEN_S = 4.0
"""Trading goes on so long between two steps."""

_INTRUDER = """
import socket, sys
for place in sys.argv[1:]:
    host, port = place.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5)
    except OSError as error:
        print(f"{place} is refused: {error}")
    else:
        sys.exit(f"{place} can be reached")
"""

Step = Callable[[Cluster, "Images"], None]


@dataclass(frozen=True, slots=True)
class Images:
    """Two tags of one image in the cluster, and the NATS server's image."""

    repository: str
    tag: str
    next_tag: str
    nats: str

    def values(self, tag: str) -> list[str]:
        """Arguments of helm. The exchange keeps its image, and so its ledger, over an upgrade."""
        settings = {
            "image.repository": self.repository,
            "image.tag": tag,
            "demo.simulator.image": f"{self.repository}:{self.tag}",
            "demo.nats.image": self.nats,
            "demo.whales": WHALES,
            "demo.rate": RATE,
        }
        return ["--values", str(DEMO), *(f"--set={key}={value}" for key, value in settings.items())]


def install(cluster: Cluster, images: Images) -> None:
    """Into a namespace that lets in only what keeps to the restricted level."""
    cluster.kubectl("create", "namespace", cluster.namespace)
    cluster.kubectl("label", "namespace", cluster.namespace, "pod-security.kubernetes.io/enforce=restricted")
    words = ["install", cluster.release, str(CHART), *images.values(images.tag), "--wait", "--timeout=300s"]
    cluster.helm(*words)


def helm_test(cluster: Cluster, _images: Images) -> None:
    """See one signal go through."""
    cluster.helm("test", cluster.release, "--timeout=300s")


def scale(kind: str, component: str, replicas: int) -> Step:
    """A step that scales a workload."""

    def step(cluster: Cluster, _images: Images) -> None:
        cluster.kubectl("scale", f"{kind}/{cluster.name}-{component}", f"--replicas={replicas}")
        cluster.settled()
        selected = component.partition("-")[0]
        eventually(lambda: len(cluster.pods(selected)) == replicas, f"{component} has {replicas} pods")

    step.__name__ = f"scale {component} to {replicas}"
    return step


def upgrade(cluster: Cluster, images: Images) -> None:
    """To another tag of the image, rolling."""
    words = ["upgrade", cluster.release, str(CHART), *images.values(images.next_tag), "--wait", "--timeout=300s"]
    cluster.helm(*words)
    cluster.settled()


def roll_back(cluster: Cluster, _images: Images) -> None:
    """To the first revision."""
    cluster.helm("rollback", cluster.release, "1", "--wait", "--timeout=300s")
    cluster.settled()


def delete_each_pod(cluster: Cluster, _images: Images) -> None:
    """One after the other; only the exchange, which is the venue, stays."""
    for component in ("gateway", "aggregator", "writer", "nats"):
        for pod in cluster.pods(component):
            cluster.kubectl("delete", "pod", pod, "--wait=false")
            eventually(partial(_replaced, cluster, component, pod), f"{pod} is replaced")
            cluster.settled()


def kill_each_pod(cluster: Cluster, _images: Images) -> None:
    """As before, without a moment to drain."""
    for component in ("gateway", "aggregator", "writer"):
        pod = cluster.pods(component)[0]
        cluster.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
        cluster.settled()


def evict(cluster: Cluster, _images: Images) -> None:
    """One aggregator may be evicted, and while it is away no second one."""
    first, second = cluster.pods("aggregator")[:2]
    _evict(cluster, first)
    try:
        _evict(cluster, second)
    except ClusterError as error:
        if "disruption budget" not in str(error):
            raise
    else:
        raise ClusterError(f"{second} could be evicted while {first} was away")
    cluster.settled()


def refuse_strangers(cluster: Cluster, images: Images) -> None:
    """A pod that belongs to nobody reaches neither the writer nor NATS nor anybody's metrics."""
    metrics = cluster.objects("pods", "app.kubernetes.io/component=writer")[0]["status"]["podIP"]
    places = [f"{cluster.name}-writer:16820", f"{cluster.name}-nats:4222", f"{metrics}:8080"]
    values = json.loads(cluster.kubectl("get", f"deployment/{cluster.name}-toolbox", "--output", "json"))
    like = values["spec"]["template"]["spec"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stranger"},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": like["securityContext"],
            "containers": [
                {
                    "name": "stranger",
                    "image": f"{images.repository}:{images.tag}",
                    "command": ["python", "-c", _INTRUDER, *places],
                    "securityContext": like["containers"][0]["securityContext"],
                }
            ],
        },
    }
    cluster.kubectl("create", "--filename", "-", text=json.dumps(pod))
    eventually(lambda: _phase(cluster, "stranger") in {"Succeeded", "Failed"}, "the stranger has tried")
    said = cluster.kubectl("logs", "stranger")
    if _phase(cluster, "stranger") != "Succeeded":
        raise ClusterError(f"a NetworkPolicy lets strangers in: {said}")
    cluster.kubectl("delete", "pod", "stranger")


def run_jobs(cluster: Cluster, _images: Images) -> None:
    """The cleaner when asked, the address-loader by its schedule."""
    cluster.kubectl("create", "job", "clean-now", f"--from=cronjob/{cluster.name}-cleaner")
    cluster.kubectl("wait", "job/clean-now", "--for=condition=Complete", "--timeout=300s")
    eventually(
        lambda: any(
            each["metadata"]["name"].endswith("address-loader") and each["status"].get("lastSuccessfulTime")
            for each in cluster.objects("cronjobs")
        ),
        "the address-loader ran by its schedule",
    )


def uninstall(cluster: Cluster, _images: Images) -> None:
    """Nothing is left."""
    cluster.helm("uninstall", cluster.release, "--wait", "--timeout=300s")
    kinds = "all,persistentvolumeclaims,configmaps,secrets,serviceaccounts,networkpolicies,poddisruptionbudgets"

    def left() -> list[str]:
        found = (f"{each['kind']}/{each['metadata']['name']}" for each in cluster.objects(kinds))
        return [name for name in found if name not in {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}]

    eventually(lambda: not left(), "nothing is left of the release")
    cluster.kubectl("delete", "namespace", cluster.namespace)


def _evict(cluster: Cluster, pod: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": cluster.namespace}}
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "--filename", "-", text=json.dumps(body))


def _replaced(cluster: Cluster, component: str, pod: str) -> bool:
    """The pod is gone, or another of its name is there."""
    found = cluster.objects("pods", f"app.kubernetes.io/component={component}")
    same = [each for each in found if each["metadata"]["name"] == pod]
    return all("deletionTimestamp" not in each["metadata"] for each in same)


def _phase(cluster: Cluster, pod: str) -> str:
    return cluster.kubectl("get", "pod", pod, "--output", "jsonpath={.status.phase}")


def trade() -> None:
    """Let time pass."""
    time.sleep(BETWEEN_S)
