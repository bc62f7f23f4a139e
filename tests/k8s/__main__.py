"""`python -m k8s`: exit status 0 when every step went well and nothing is missing, doubled or wrong."""

import sys
import time
from typing import Annotated

import msgspec
import typer

from k8s import steps
from k8s.cluster import Cluster, ClusterError
from k8s.verdict import judge

WORK: tuple[steps.Step, ...] = (
    steps.helm_test,
    steps.scale("deployment", "gateway-default", 4),
    steps.scale("deployment", "gateway-default", 1),
    steps.scale("deployment", "gateway-default", 2),
    steps.scale("statefulset", "aggregator", 3),
    steps.scale("statefulset", "aggregator", 2),
    steps.upgrade,
    steps.delete_each_pod,
    steps.kill_each_pod,
    steps.evict,
    steps.roll_back,
    steps.refuse_strangers,
    steps.run_jobs,
)


def main(
    image: Annotated[str, typer.Option(help="as the cluster knows it, with its tag")] = "hl-monitor:dev",
    next_tag: Annotated[str, typer.Option(help="the tag to upgrade to")] = "next",
    nats_image: Annotated[str, typer.Option(help="NATS server's image in the cluster")] = "nats:2.12.3-alpine",
    namespace: Annotated[str, typer.Option(help="made, and deleted when all went well")] = "hl-monitor-test",
) -> None:
    """Install a release on the current cluster, do everything to it, and say what came of it."""
    repository, _, tag = image.rpartition(":")
    cluster, images = Cluster(namespace), steps.Images(repository, tag, next_tag, nats_image)
    try:
        good = _work(cluster, images)
    except ClusterError as error:
        _say(f"{error}\nwhat there is stays in namespace {namespace}: kubectl delete namespace {namespace}")
        good = False
    sys.exit(0 if good else 1)


def _work(cluster: Cluster, images: steps.Images) -> bool:
    _do(steps.install, cluster, images)
    for step in WORK:
        _do(step, cluster, images)
        steps.trade()
    verdict, findings = judge(cluster)
    for sentence in findings.sentences:
        _say(sentence)
    restarts = {
        pod["metadata"]["name"]: status["restartCount"]
        for pod in cluster.objects("pods")
        for status in pod["status"].get("containerStatuses", [])
        if status["restartCount"]
    }
    _say(f"containers that ended by themselves: {restarts or 'none'}")
    _say(msgspec.json.encode(verdict).decode())
    if verdict.is_good and not restarts:
        _do(steps.uninstall, cluster, images)
        return True
    return False


def _do(step: steps.Step, cluster: Cluster, images: steps.Images) -> None:
    began = time.monotonic()
    step(cluster, images)
    _say(f"{time.monotonic() - began:6.1f} s  {step.__name__.replace('_', ' ')}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
