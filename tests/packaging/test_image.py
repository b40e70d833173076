"""The image's steps done one by one, and its daemon started as its user in a tree that nobody may write."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.waiting import free_ports, wait_until

from .dockerfile import ROOT, Image, kernel_files, read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG = """
global: {evaluation_interval: 1s}
sources: [{name: push, http: {}}]
rule_files: [rules.yml]
"""
RULES = """
groups:
  - name: every kernel
    interval: 1s
    rules:
      - {record: a, expr: "sum by (job) (rate(x[5s])) + on () max(x) + on () avg(x) + on () stddev(x)"}
      - {record: b, expr: "quantile_over_time(0.5, x[5s]) + deriv(x[5s]) + changes(x[5s])"}
      - {record: c, expr: "histogram_quantile(0.9, sum by (le) (rate(h_bucket[5s])))"}
      - {record: "d:anomaly", expr: sum by (job) (x), detector: deviation}
      - {alert: AllRan, expr: a > 0 and on () b > 0 and on () c >= 0, for: 1s}
"""

WATCH_COMPILER = """
import atexit, json, sys
from numba.core import event
recorder = event.RecordingListener()
event.register("numba:compile", recorder)
def tell():
    begun = [each for _, each in recorder.buffer if each.is_start]
    print("COMPILED", json.dumps([str(each.data["dispatcher"].py_func) for each in begun]), flush=True)
atexit.register(tell)
"""
RUN = WATCH_COMPILER + "from sentinel.cli import main; main()"
IMPORT_ALL = (
    WATCH_COMPILER
    + """
import sentinel.app.warm as warm
from numba.core.dispatcher import Dispatcher
warm.warm()
kernels = {k for name in warm.kernel_modules() for k in vars(sys.modules[name]).values()
           if isinstance(k, Dispatcher)}
print("STATS", json.dumps([sum(sum(k.stats.cache_misses.values()) for k in kernels),
                           sum(sum(k.stats.cache_hits.values()) for k in kernels)]))
"""
)


def _index_is_reachable() -> bool:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        os.devnull,
        "msgspec",
    ]
    with tempfile.TemporaryDirectory() as folder:
        command[-2] = folder
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Made once; then nothing in it may be written but its volume. Skips without a package index."""
    if not _index_is_reachable():
        if os.environ.get("CI") == "true":
            pytest.fail("no package index to install from")
        pytest.skip("no package index to install from")
    folder = Path(tempfile.mkdtemp(prefix="sentinel-image-"))
    folder.chmod(0o755)
    try:
        made = Image(read(ROOT / "Dockerfile"), folder)
        subprocess.run(["chmod", "-R", "a-w", f"{folder}/opt", f"{folder}/usr"], check=True)
        yield made
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
        shutil.rmtree(folder)


class Started(NamedTuple):
    """A process of the image, and the file that it writes to."""

    process: subprocess.Popen[bytes]
    log: Path

    def running(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return True

    def end(self) -> str:
        """Its output, once it has ended well."""
        status = self.process.wait(300)
        assert status == 0, self.log.read_text()
        return self.log.read_text()


def start(image: Image, log: Path, *arguments: str, **env: str) -> Started:
    """The image's interpreter as the image's user, with its environment alone."""
    user, group = map(int, image.stage.last("USER").split(":"))
    root = os.geteuid() == 0
    with log.open("wb") as output:
        process = subprocess.Popen(
            [f"{image.folder}/opt/sentinel/bin/python", "-P", "-c", *arguments],
            cwd=image.path(image.stage.last("WORKDIR")),
            env=image.env | {"HOME": "/nonexistent"} | env,
            stdout=output,
            stderr=output,
            user=user if root else None,
            group=group if root else None,
            extra_groups=[] if root else None,
        )
    return Started(process, log)


def told(output: str, word: str) -> list[Any]:
    """What a child printed after a word, as JSON."""
    lines = [line for line in output.splitlines() if line.startswith(f"{word} ")]
    assert lines, output
    found: list[Any] = json.loads(lines[-1].removeprefix(word))
    return found


def test_all_kernels_come_from_the_image(image: Image, tmp_path: Path) -> None:
    before = list(kernel_files(image.folder))
    output = start(image, tmp_path / "log", IMPORT_ALL).end()
    misses, hits = told(output, "STATS")
    assert told(output, "COMPILED") == []
    assert misses == 0
    assert len(before) > hits > 50
    assert list(kernel_files(image.folder)) == before


def test_a_kernel_that_is_missing_is_compiled_and_stops_nobody(image: Image, tmp_path: Path) -> None:
    """Also shows that what the tests around look at can be seen: for another CPU nothing fits."""
    before = list(kernel_files(image.folder))
    code = WATCH_COMPILER + "import sentinel.promql._kernels"
    output = start(image, tmp_path / "log", code, NUMBA_CPU_FEATURES="+sse3").end()
    assert len(told(output, "COMPILED")) > 3
    assert list(kernel_files(image.folder)) == before


def test_the_command_starts_without_a_compiler(image: Image, tmp_path: Path) -> None:
    settings = Path(image.path("/etc/sentinel"))
    settings.mkdir(parents=True)
    (settings / "sentinel.yml").write_text(image.path(CONFIG))
    (settings / "rules.yml").write_text(RULES)
    (entry,), command = (image.command(image.stage.last(word)) for word in ("ENTRYPOINT", "CMD"))
    assert shutil.which(entry, path=image.env["PATH"]) == f"{image.folder}/opt/sentinel/bin/sentinel"
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    begun = time.monotonic()
    daemon = start(image, tmp_path / "log", RUN, *command, f"--web.listen-address=127.0.0.1:{port}")
    try:
        wait_until(lambda: daemon.running() and _ready(url), timeout=120, what="ready daemon", poll=0.05)
        print(f"ready after {time.monotonic() - begun:.1f} s, {_resident_mb(daemon.process.pid):.0f} MB")
        wait_until(lambda: _everything_ran(url), timeout=60, what="alert over every rule", poll=0.3)
    finally:
        daemon.process.terminate()
    assert told(daemon.end(), "COMPILED") == []


def _everything_ran(url: str) -> bool:
    """Pushes a sample of each series; whether the alert fires, which takes a window of them."""
    series = [("x", {"job": "a"}), ("h_bucket", {"le": "1"}), ("h_bucket", {"le": "+Inf"})]
    lines = [json.dumps({"name": name, "labels": labels, "value": time.time()}) for name, labels in series]
    request = urllib.request.Request(f"{url}/api/v1/push", data="\n".join(lines).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        return re.search(rb'^sentinel_alerts\{state="firing"\} [1-9]', answer.read(), re.M) is not None


def _ready(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
