"""What values do: typos are refused where they stand, switches have their effect."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from .helm import CHART, Helm, Manifest, of_kind, the

RECEIVERS = {"alertmanagerConfig": {"route": {"receiver": "pager"}, "receivers": [{"name": "pager"}]}}
TLS = {"webConfig": {"tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key"}}}
RULES: dict[str, Any] = {"rules": {"a.yml": {"groups": []}}}

TYPOS: list[tuple[dict[str, Any], str]] = [
    ({"persistance": {"enabled": False}}, "persistance"),
    ({"persistence": {"sise": "8Gi"}}, "persistence sise"),
    ({"persistence": {"size": "8 gigabytes"}}, "persistence size"),
    ({"persistence": {"accessModes": ["ReadWriteAlways"]}}, "persistence accessModes 0"),
    ({"image": {"tga": "0.2.0"}}, "image tga"),
    ({"image": {"pullPolicy": "Sometimes"}}, "image pullPolicy"),
    ({"image": {"digest": "sha256:beef"}}, "image digest"),
    ({"packs": {"kafka-detect": True}}, "packs kafka-detect"),
    ({"packs": {"kafka": "yes"}}, "packs kafka"),
    ({"config": {"source": []}}, "config source"),
    ({"config": {"sources": [{"http": {}}]}}, "config sources 0 name"),
    ({"rules": {"checkout": {"groups": []}}}, "rules checkout"),
    ({"rules": {"a.yml": {"group": []}}}, "rules a.yml group"),
    ({"alertmanagerConfig": {"route": {}}}, "alertmanagerConfig receivers"),
    ({"webConfig": {"tls_config": {}}}, "webConfig tls_config"),
    ({"webConfig": {"basic_auth_users": {"admin": 7}}}, "webConfig basic_auth_users admin"),
    ({"resources": {"limit": {"cpu": 1}}}, "resources limit"),
    ({"resources": {"limits": {"cpu": "banana"}}}, "resources limits cpu"),
    ({"livenessProbe": {"periodSecond": 3}}, "livenessProbe periodSecond"),
    ({"readinessProbe": {"httpGet": {}}}, "readinessProbe httpGet"),
    ({"service": {"port": 0}}, "service port"),
    ({"service": {"type": "clusterip"}}, "service type"),
    ({"serviceMonitor": {"enable": True}}, "serviceMonitor enable"),
    ({"podMonitor": {"interval": "soon"}}, "podMonitor interval"),
    ({"podDisruptionBudget": {"minAvailable": "half"}}, "podDisruptionBudget minAvailable"),
    ({"networkPolicy": {"ingress": []}}, "networkPolicy ingress"),
    ({"serviceAccount": {"create": "no"}}, "serviceAccount create"),
    ({"extraEnv": [{"nam": "KAFKA"}]}, "extraEnv 0 name"),
    ({"extraArgs": [7]}, "extraArgs 0"),
    ({"logLevel": "verbose"}, "logLevel"),
    ({"commonLabels": {"tier": 1}}, "commonLabels tier"),
    ({"terminationGracePeriodSeconds": "60s"}, "terminationGracePeriodSeconds"),
]


@pytest.mark.parametrize(("values", "path"), TYPOS, ids=[path.replace(" ", ".") for _, path in TYPOS])
def test_a_typo_is_refused_where_it_stands(helm: Helm, values: dict[str, Any], path: str) -> None:
    done = helm.try_render(values)
    assert done.returncode != 0
    assert "schema" in done.stderr
    for part in path.split():
        assert part in done.stderr


def test_every_value_is_known_to_the_schema_and_has_a_default() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) == {*values, "global"}


def test_two_places_for_receivers_are_one_too_many(helm: Helm) -> None:
    done = helm.try_render({**RECEIVERS, "config": {"alerting": {"config_file": "/etc/am.yml"}}})
    assert done.returncode != 0
    assert "alertmanagerConfig and config.alerting are both set" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"global": {"evaluation_interval": "5s"}}},
        {"packs": {"service": True}},
        RULES,
        RECEIVERS,
        TLS,
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_file_restarts_the_pod(helm: Helm, change: dict[str, Any]) -> None:
    assert _checksum(helm.render(change)) != _checksum(helm.render({}))


def test_nothing_else_counts_as_a_changed_file(helm: Helm) -> None:
    others = {"service": {"port": 80}, "podAnnotations": {"a": "b"}, "image": {"tag": "1"}}
    assert _checksum(helm.render(others)) == _checksum(helm.render({}))


@pytest.mark.parametrize(
    ("settings", "handler"),
    [
        ({}, {"httpGet": {"path": "/-/ready", "port": "http", "scheme": "HTTP"}}),
        (
            {"client_auth_type": "NoClientCert"},
            {"httpGet": {"path": "/-/ready", "port": "http", "scheme": "HTTPS"}},
        ),
        (
            {"client_auth_type": "RequestClientCert"},
            {"httpGet": {"path": "/-/ready", "port": "http", "scheme": "HTTPS"}},
        ),
        ({"client_auth_type": "RequireAnyClientCert"}, {"tcpSocket": {"port": "http"}}),
        ({"client_auth_type": "RequireAndVerifyClientCert"}, {"tcpSocket": {"port": "http"}}),
    ],
    ids=["plain", "no-certificate", "request", "require-any", "require-and-verify"],
)
def test_probes_speak_what_the_server_speaks(
    helm: Helm, settings: dict[str, str], handler: dict[str, Any]
) -> None:
    values = {"webConfig": {"tls_server_config": settings}} if settings else {}
    probe = _container(helm.render(values))["readinessProbe"]
    assert handler.items() <= probe.items()
    assert len({"httpGet", "tcpSocket"} & set(probe)) == 1


def test_a_pod_that_is_not_ready_is_reached_all_the_same(helm: Helm) -> None:
    services = of_kind(helm.render({}), "Service")
    assert len(services) == 2
    assert all(service["spec"]["publishNotReadyAddresses"] for service in services)
    container = _container(helm.render({}))
    assert container["livenessProbe"]["httpGet"]["path"] == "/-/healthy"
    assert container["startupProbe"]["httpGet"]["path"] == "/-/healthy"


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, None),
        ({"persistence": {"existingClaim": "mine"}}, {"persistentVolumeClaim": {"claimName": "mine"}}),
        ({"persistence": {"enabled": False}}, {"emptyDir": {}}),
        ({"persistence": {"enabled": False, "existingClaim": "mine"}}, {"emptyDir": {}}),
    ],
    ids=["claim-of-the-set", "existing-claim", "off", "off-with-claim"],
)
def test_the_state_lies_where_it_is_told(
    helm: Helm, values: dict[str, Any], state: dict[str, Any] | None
) -> None:
    workload = the(helm.render(values), "StatefulSet")["spec"]
    volumes = [each for each in workload["template"]["spec"]["volumes"] if each["name"] == "state"]
    assert volumes == ([{"name": "state", **state}] if state else [])
    assert ("volumeClaimTemplates" in workload) == (state is None)


def test_what_may_be_secret_is_in_secrets(helm: Helm) -> None:
    manifests = helm.render({**RECEIVERS, **TLS})
    secrets = {each["metadata"]["name"]: set(each["stringData"]) for each in of_kind(manifests, "Secret")}
    assert secrets == {"rel-sentinel-alertmanager": {"alertmanager.yml"}, "rel-sentinel-web": {"web.yml"}}


def test_what_extra_objects_hold_is_expanded(helm: Helm) -> None:
    found = helm.manifests(CHART / "ci/extras-values.yaml")
    extra = {each["metadata"]["name"]: each for each in of_kind(found, "ConfigMap")}
    assert extra["dashboards"]["data"] == {"release": "rel"}
    assert "rel-watch-note" in extra


@pytest.mark.parametrize(
    "release", ["sentinel", "r", "a-release-whose-name-is-as-long-as-helm-lets-it-be-53"]
)
def test_names_fit_however_long_the_release_is_called(helm: Helm, release: str) -> None:
    values = {"serviceMonitor": {"enabled": True}, **RECEIVERS, **RULES, **TLS}
    manifests = helm.render(values, release)
    names = [manifest["metadata"]["name"] for manifest in manifests]
    assert all(name.startswith(release[:40]) and name[-1].isalnum() for name in names)
    assert all(len(service["metadata"]["name"]) <= 63 for service in of_kind(manifests, "Service"))
    revision = f"{the(manifests, 'StatefulSet')['metadata']['name']}-0123456789"
    assert len(revision) <= 63, "a label of the pod holds the name and a hash"


def _container(manifests: list[Manifest]) -> Manifest:
    container: Manifest = the(manifests, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    return container


def _checksum(manifests: list[Manifest]) -> str:
    annotations = the(manifests, "StatefulSet")["spec"]["template"]["metadata"]["annotations"]
    return str(annotations["checksum/config"])
