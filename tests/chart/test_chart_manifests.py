"""What the examples render to: valid, restricted, and settings that the services know."""

import subprocess
from pathlib import Path

import pytest
from rendering import EXAMPLES, KUBERNETES, TOOLS, Manifest, containers, helm, manifests, pods, render
from service_settings import check_settings
from strict_schemas import write_strict_schemas

pytestmark = pytest.mark.chart

FOREIGN = Path(__file__).parent / "schemas"
"""What the chart uses of kinds that other projects define, and publish no package of."""

EXAMPLE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def strict_schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("schemas")
    write_strict_schemas(directory)
    return directory


@EXAMPLE
def test_example_is_valid_by_the_strict_schemas_of_kubernetes(example: Path, strict_schemas: Path) -> None:
    counted = kubeconform(render("--values", str(example)), strict_schemas)
    assert counted.returncode == 0, counted.stdout


def test_autoscaling_by_keda_is_valid(strict_schemas: Path) -> None:
    example = next(each for each in EXAMPLES if each.stem == "production-mysql")
    trigger = "writer.autoscaling.triggers[0]"
    keda = f"writer.autoscaling.by=keda,{trigger}.type=cpu,{trigger}.metadata.value=75"
    text = render("--values", str(example), "--set-string", keda)
    assert "kind: ScaledObject" in text
    counted = kubeconform(text, strict_schemas)
    assert counted.returncode == 0, counted.stdout


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule"])
def test_the_example_for_a_prometheus_operator_has_what_it_reads(kind: str) -> None:
    example = next(each for each in EXAMPLES if each.stem == "production-postgresql")
    assert kind in {each["kind"] for each in manifests(render("--values", str(example)))}


def test_a_field_that_kubernetes_does_not_know_is_found(strict_schemas: Path) -> None:
    text = render("--values", str(EXAMPLES[0])).replace("enableServiceLinks:", "enableServiceLink:")
    assert "enableServiceLink" in kubeconform(text, strict_schemas).stdout


@EXAMPLE
def test_example_passes_helm_lint(example: Path) -> None:
    # Lint takes no --api-versions.
    off = "metrics.podMonitor.enabled=false,metrics.prometheusRule.enabled=false"
    done = helm("lint", "--strict", "--values", str(example), "--set", off)
    assert done.returncode == 0, done.stdout


@EXAMPLE
def test_every_pod_of_an_example_keeps_to_the_restricted_level(example: Path) -> None:
    for name, pod in pods(manifests(render("--values", str(example)))):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            assert_restricted(name, container)


@EXAMPLE
def test_services_take_the_settings_that_an_example_gives_them(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = manifests(render("--values", str(example)))
    file = next(each["data"]["settings.toml"] for each in objects if "settings.toml" in each.get("data", {}))
    (tmp_path / "settings.toml").write_text(file)
    checked = {
        check_settings(container, tmp_path / "settings.toml", monkeypatch)
        for _, pod in pods(objects)
        for container in containers(pod)
    }
    assert checked >= {"gateway", "aggregator", "writer", "address-loader", "cleaner", "cli"}


def kubeconform(text: str, schemas: Path) -> subprocess.CompletedProcess[str]:
    words = [str(TOOLS / "kubeconform"), "-strict", "-kubernetes-version", KUBERNETES]
    for directory in (schemas, FOREIGN):
        words += ["-schema-location", f"{directory}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"]
    return subprocess.run([*words, "-"], input=text, capture_output=True, text=True, check=False)


def assert_restricted(name: str, container: Manifest) -> None:
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False, name
    assert context["readOnlyRootFilesystem"] is True, name
    assert context["capabilities"] == {"drop": ["ALL"]}, name
    assert "memory" in container["resources"]["limits"], name
