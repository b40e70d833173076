"""The chart as Helm and Kubernetes see it: every values file of `ci/` renders to what a cluster takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from .helm import CHART, CI_VALUES, KUBERNETES, Helm, of_kind, the
from .kubernetes import OPERATORS, bad_quantities, custom_errors, restricted_violations, schema_errors

each_values_file = pytest.mark.parametrize(
    "values", CI_VALUES, ids=lambda path: path.name.removesuffix("-values.yaml")
)

STYLE = YamlLintConfig("""
extends: default
rules:
  document-start: disable
  line-length: {max: 120}
  indentation: {spaces: consistent, indent-sequences: whatever}
  comments: {min-spaces-from-content: 1}
  braces: {max-spaces-inside: 0}
""")
RENDERED_STYLE = YamlLintConfig("""
extends: default
rules:
  document-start: disable
  line-length: disable
  comments: disable
  comments-indentation: disable
  indentation: {spaces: consistent, indent-sequences: whatever}
""")


@each_values_file
def test_lint_has_nothing_to_say(helm: Helm, values: Path) -> None:
    done = helm.lint(values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in done.stdout.splitlines() if "WARNING" in line or "ERROR" in line]


@pytest.mark.parametrize("kubernetes", KUBERNETES)
@each_values_file
def test_kubernetes_knows_every_field(helm: Helm, values: Path, kubernetes: str) -> None:
    built_in = [each for each in helm.manifests(values, kubernetes) if each["apiVersion"] != OPERATORS]
    assert built_in
    assert not [error for manifest in built_in for error in schema_errors(manifest, kubernetes)]


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_the_operator_knows_every_field(helm: Helm, kind: str, conformance: Callable[[str], Path]) -> None:
    definition = yaml.safe_load((conformance("conformance/crds") / f"{kind.lower()}.crd.yaml").read_text())
    found = [manifest for values in CI_VALUES for manifest in of_kind(helm.manifests(values), kind)]
    assert len(found) == 1
    assert not custom_errors(found[0], definition)
    found[0]["spec"]["selctor"] = {}
    assert custom_errors(found[0], definition)


@each_values_file
def test_quantities_are_quantities(helm: Helm, values: Path) -> None:
    assert not list(bad_quantities(helm.manifests(values)))


def test_the_checks_find_planted_errors(helm: Helm) -> None:
    pod = _pod(helm.manifests(CHART / "ci/default-values.yaml"))
    pod["containers"][0]["resources"]["limits"]["cpu"] = "banana"
    assert list(bad_quantities(pod)) == ["/containers/0/resources/limits/cpu: 'banana'"]
    workload = the(helm.manifests(CHART / "ci/default-values.yaml"), "StatefulSet")
    workload["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    assert all(schema_errors(workload, version) for version in KUBERNETES)
    del pod["securityContext"]["runAsUser"], pod["containers"][0]["securityContext"]["capabilities"]
    assert restricted_violations(pod, pod["containers"][0]) == ["runAsUser", "capabilities"]


@each_values_file
def test_the_pod_is_restricted(helm: Helm, values: Path) -> None:
    pod = _pod(helm.manifests(values))
    assert not restricted_violations(pod, pod["containers"][0])


@each_values_file
def test_selectors_outlive_an_upgrade_and_find_what_they_are_for(helm: Helm, values: Path) -> None:
    manifests = helm.manifests(values)
    workload = the(manifests, "StatefulSet")
    pod_labels = workload["spec"]["template"]["metadata"]["labels"]
    selectors = [
        workload["spec"]["selector"]["matchLabels"],
        *(service["spec"]["selector"] for service in of_kind(manifests, "Service")),
        *(budget["spec"]["selector"]["matchLabels"] for budget in of_kind(manifests, "PodDisruptionBudget")),
        *(policy["spec"]["podSelector"]["matchLabels"] for policy in of_kind(manifests, "NetworkPolicy")),
        *(monitor["spec"]["selector"]["matchLabels"] for monitor in of_kind(manifests, "PodMonitor")),
    ]
    for selector in selectors:
        assert set(selector) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
        assert selector.items() <= pod_labels.items()


def test_prometheus_scrapes_the_pod_once(helm: Helm) -> None:
    manifests = helm.manifests(CHART / "ci/service-monitor-values.yaml")
    selector = the(manifests, "ServiceMonitor")["spec"]["selector"]
    (unwanted,) = selector["matchExpressions"]
    assert unwanted["operator"] == "NotIn"
    labels = [service["metadata"]["labels"] for service in of_kind(manifests, "Service")]
    chosen = [
        each
        for each in labels
        if selector["matchLabels"].items() <= each.items()
        and each.get(unwanted["key"]) not in unwanted["values"]
    ]
    assert len(labels) == 2
    assert len(chosen) == 1


@each_values_file
def test_what_is_mounted_is_there_and_what_is_there_is_mounted(helm: Helm, values: Path) -> None:
    workload = the(helm.manifests(values), "StatefulSet")
    pod = workload["spec"]["template"]["spec"]
    claims = [claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])]
    there = [*claims, *(volume["name"] for volume in pod["volumes"])]
    mounted = [mount["name"] for mount in pod["containers"][0]["volumeMounts"]]
    assert sorted(there) == sorted(mounted)


@each_values_file
def test_names_are_given_once(helm: Helm, values: Path) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in helm.manifests(values)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "path", [CHART / "values.yaml", CHART / "Chart.yaml", *CI_VALUES], ids=lambda p: p.name
)
def test_files_are_neat(path: Path) -> None:
    assert not [str(problem) for problem in linter.run(path.read_text(), STYLE)]


@each_values_file
def test_rendered_files_are_neat(helm: Helm, values: Path) -> None:
    assert not [str(problem) for problem in linter.run(helm.text(values), RENDERED_STYLE)]


def _pod(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    pod: dict[str, Any] = the(manifests, "StatefulSet")["spec"]["template"]["spec"]
    return pod
