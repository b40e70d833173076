"""The Dockerfile and what must agree with it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from sentinel import __version__
from sentinel.cli.run import run

from .dockerfile import ROOT, Image, Instruction, read
from .helm import CHART

DOCKERFILE = ROOT / "Dockerfile"
STAGES = read(DOCKERFILE)
RUNTIME = STAGES[-1]
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
IGNORE = [
    line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
]


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("hadolint")), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_hadolint_has_nothing_to_say() -> None:
    done = hadolint(DOCKERFILE)
    assert done.returncode == 0, done.stdout


def test_hadolint_says_what_it_dislikes(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text(re.sub(r"python:[\w.-]+", "python:latest", DOCKERFILE.read_text()))
    assert "DL3007" in hadolint(bad).stdout


def test_nothing_is_installed_where_it_runs() -> None:
    assert not RUNTIME.all("RUN")
    assert not RUNTIME.all("ADD")
    assert {stage.base for stage in STAGES[1:]} == {STAGES[0].name}


def test_it_runs_as_a_number_that_the_chart_knows() -> None:
    user, group = map(int, RUNTIME.last("USER").split(":"))
    security = VALUES["podSecurityContext"]
    assert (user, group) == (security["runAsUser"], security["runAsGroup"]) != (0, 0)
    (state,) = [each for each in RUNTIME.all("COPY") if each.words[-1] == RUNTIME.last("VOLUME")]
    assert state.flags["chown"] == f"{user}:{group}"


def test_the_command_holds_flags_that_exist() -> None:
    app = typer.Typer()
    app.command()(run)
    known = {option for each in typer.main.get_command(app).params for option in each.opts}
    verb, *flags = re.findall(r'"([^"]+)"', RUNTIME.last("CMD"))
    assert verb == "run"
    settings = dict(flag.split("=") for flag in flags)
    assert set(settings) <= known
    assert settings["--storage.path"] == RUNTIME.last("VOLUME")
    assert settings["--web.listen-address"] == f"0.0.0.0:{RUNTIME.last('EXPOSE')}"


def test_versions_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (version,) = [each.value for each in RUNTIME.all("ARG") if each.value.startswith("VERSION=")]
    assert {version, f"VERSION={chart['appVersion']}", f"VERSION={project['version']}"} == {
        f"VERSION={__version__}"
    }


@pytest.mark.parametrize(
    "copied",
    [each for stage in STAGES for each in stage.all("COPY") if "from" not in each.flags],
    ids=lambda each: each.value,
)
def test_what_is_copied_is_there_and_not_ignored(copied: Instruction) -> None:
    for name in copied.words[:-1]:
        assert (ROOT / name).exists()
        assert f"!{name}" in IGNORE


def test_everything_else_is_ignored() -> None:
    assert IGNORE[0] == "*"
    assert "**/__pycache__" in IGNORE, "kernels of this machine's CPU would be passed over in the image"


def test_both_stages_agree_on_what_kernels_are_for() -> None:
    of_numba = [each for stage in STAGES for each in stage.all("ENV") if "NUMBA" in each.value]
    assert of_numba == STAGES[0].all("ENV")
    assert "NUMBA_CPU_NAME=generic" in of_numba[0].value


def test_paths_of_the_image_are_put_below_the_folder() -> None:
    image = Image.__new__(Image)
    image.folder = Path("/x")
    assert image.path("/opt/s/bin/python -m a /empty --f=/etc/sentinel/a.yml b/opt /bin/sh") == (
        "/x/opt/s/bin/python -m a /x/empty --f=/x/etc/sentinel/a.yml b/opt /bin/sh"
    )
