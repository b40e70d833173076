"""What the chart lays into the pod is what Sentinel reads there: its flags, its files, its packs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from sentinel.api.web_config import WebConfigFile, load_web_config
from sentinel.cli.run import run
from sentinel.config.load import Config, load_config
from sentinel.config.schema import json_schema

from .helm import CHART, CI_VALUES, Helm, Manifest, the

PACKS = Path(__file__).parents[2] / "rules"
IMAGE_PACKS = "/usr/share/sentinel/rules"

each_values_file = pytest.mark.parametrize(
    "values", CI_VALUES, ids=lambda path: path.name.removesuffix("-values.yaml")
)


@each_values_file
def test_sentinel_takes_the_files(helm: Helm, values: Path, tmp_path: Path) -> None:
    config = _config(helm.manifests(values), tmp_path)
    assert config.sources or values.name.startswith("kafka-clusters")


def test_the_readmes_values_work(helm: Helm, tmp_path: Path) -> None:
    (values,) = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL)
    config = _config(helm.render(yaml.safe_load(values)), tmp_path)
    assert [source.name for source in config.sources] == ["telemetry"]
    assert "CheckoutErrors" in [rule.name for group in config.groups for rule in group.rules]


def test_rules_and_receivers_arrive(helm: Helm, tmp_path: Path) -> None:
    config = _config(helm.manifests(CHART / "ci/rules-values.yaml"), tmp_path)
    rules = {rule.name: rule for group in config.groups for rule in group.rules}
    assert rules["CheckoutErrors"].annotations["summary"].text.startswith("{{ $labels.service }}: {{ $value")
    assert {"Quiet", "checkout:latency:anomaly"} <= set(rules)
    assert config.alertmanager is not None
    assert [receiver.name for receiver in config.alertmanager.receivers] == ["pager"]


@pytest.mark.parametrize(
    "content",
    ["groups: []", "\n\n  # begins late\ngroups: []\n", "groups: []   \n# ends so:  ", {"groups": []}],
)
def test_rule_files_arrive_whatever_they_look_like(helm: Helm, content: Any) -> None:
    files = _files(helm.render({"rules": {"a.yml": content}}))
    assert yaml.safe_load(files["rules/a.yml"]) == {"groups": []}
    assert not isinstance(content, str) or files["rules/a.yml"] == content


def test_numbers_arrive_as_they_were_written(helm: Helm) -> None:
    limits = {"series": 2_000_000, "record_bytes": 134_217_728}
    values = {"config": {"sources": [{"name": "push", "http": {}, "limits": limits}]}}
    (source,) = yaml.safe_load(_files(helm.render(values))["sentinel.yml"])["sources"]
    assert source["limits"] == limits


def test_the_users_rule_files_are_kept(helm: Helm) -> None:
    values = {"config": {"rule_files": ["/mine/*.yml"]}, "rules": {"a.yml": {"groups": []}}}
    assert yaml.safe_load(_files(helm.render(values))["sentinel.yml"])["rule_files"] == [
        f"{IMAGE_PACKS}/kafka.yml",
        f"{IMAGE_PACKS}/sentinel.yml",
        "rules/a.yml",
        "/mine/*.yml",
    ]


def test_every_pack_can_be_switched_on(helm: Helm) -> None:
    values = {"packs": dict.fromkeys(("kafka", "kafkaDetect", "service", "sentinel"), True)}
    named = yaml.safe_load(_files(helm.render(values))["sentinel.yml"])["rule_files"]
    assert sorted(named) == sorted(f"{IMAGE_PACKS}/{pack.name}" for pack in PACKS.glob("*.yml"))


def test_the_chart_knows_every_key_of_the_configuration() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    definitions = json_schema()
    keys = definitions["$defs"]["ConfigFile"]["properties"]
    assert set(schema["properties"]["config"]["properties"]) == set(keys)


def test_sentinel_takes_the_web_configuration(helm: Helm, tmp_path: Path) -> None:
    manifests = helm.manifests(CHART / "ci/web-config-basic-auth-values.yaml")
    (tmp_path / "web.yml").write_text(_data(manifests, "secret", "rel-sentinel-web")["web.yml"])
    web = load_web_config(tmp_path / "web.yml")
    assert set(web.users) == {"admin"}
    assert web.headers == {"X-Frame-Options": "deny"}
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]["webConfig"]["properties"]) == set(WebConfigFile.__struct_fields__)


@each_values_file
def test_sentinel_knows_every_flag(helm: Helm, values: Path) -> None:
    known = {option for each in typer.main.get_command(_app()).params for option in each.opts}
    flags = {argument.partition("=")[0] for argument in _container(helm.manifests(values))["args"][1:]}
    assert flags <= known


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(run)
    return app


def _config(manifests: list[Manifest], folder: Path) -> Config:
    """What Sentinel makes of the files, laid into a folder as the kubelet would, with the image's packs."""
    for name, text in _files(manifests).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace(IMAGE_PACKS, str(PACKS)))
    return load_config(folder / "sentinel.yml")


def _files(manifests: list[Manifest]) -> dict[str, str]:
    """The files of the volume that `--config.file` lies in, by path within it."""
    mounts = {mount["name"]: mount["mountPath"] for mount in _container(manifests)["volumeMounts"]}
    assert f"--config.file={mounts['config']}/sentinel.yml" in _container(manifests)["args"]
    pod = the(manifests, "StatefulSet")["spec"]["template"]["spec"]
    (volume,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "config"]
    files: dict[str, str] = {}
    for source in volume["sources"]:
        ((kind, reference),) = source.items()
        data = _data(manifests, kind, reference["name"])
        items = reference.get("items", [{"key": key, "path": key} for key in data])
        files |= {item["path"]: data[item["key"]] for item in items}
    return files


def _data(manifests: list[Manifest], kind: str, name: str) -> dict[str, str]:
    (found,) = [
        manifest
        for manifest in manifests
        if re.fullmatch(kind, manifest["kind"], re.IGNORECASE) and manifest["metadata"]["name"] == name
    ]
    data: dict[str, str] = found.get("data") or found["stringData"]
    return data


def _container(manifests: list[Manifest]) -> Manifest:
    container: Manifest = the(manifests, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    return container
