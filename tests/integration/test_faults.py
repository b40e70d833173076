"""Sentinel itself in trouble: each fault ends in a page, the rest goes on, and nothing that came is lost."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .configuration import alert, configuration, one_webhook, rule_group
from .daemon import Daemon
from .receiver import Page, Receiver
from .records import sample
from .waiting import wait_until

pytestmark = pytest.mark.timeout(240)

PUSH = {"name": "push", "http": {}}


@pytest.fixture
def pager() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def daemon(request: pytest.FixtureRequest, tmp_path: Path, pager: Receiver) -> Iterator[Daemon]:
    """A daemon with the fault that the test's marker names, armed."""
    daemon = Daemon(tmp_path, configuration(PUSH))
    daemon.write("rules/high.yml", rule_group("high", alert("High", "load > 100")))
    daemon.write("rules/faulty.yml", rule_group("faulty", alert("Faulty", "load > 1000")))
    daemon.write("alertmanager.yml", one_webhook(pager.url))
    fault = request.node.get_closest_marker("fault")
    if fault is not None:
        daemon.program = [sys.executable, str(Path(__file__).with_name("broken.py")), *fault.args]
        daemon.write(fault.args[0], "")
    with daemon:
        yield daemon


def push(daemon: Daemon, host: str, value: float) -> int:
    return push_lines(daemon, sample("load", {"host": host}, value, int(time.time() * 1000)))


def push_lines(daemon: Daemon, *lines: bytes) -> int:
    return daemon.post("/api/v1/push", b"\n".join(lines))[0]


def page(daemon: Daemon, pager: Receiver, name: str, status: str = "firing", seconds: float = 30) -> Page:
    """Waits for a page; the first of that name and status."""

    def found() -> list[Page]:
        return [each for each in pager.pages(status) if each.name == name]

    wait_until(
        found, timeout=seconds, what=f"{status} {name}", why=lambda: f"{pager.pages()}\n{daemon.log()}"
    )
    return found()[0]


def page_after_restarts(daemon: Daemon, pager: Receiver, name: str) -> tuple[Page, int]:
    """Does what an orchestrator does until a page comes; how often it had to start the daemon again."""
    restarts = 0

    def paged() -> bool:
        nonlocal restarts
        if daemon.process is not None and daemon.process.poll() is not None:
            assert daemon.process.returncode != 0
            daemon.process = None
            daemon.launch()
            restarts += 1
        return name in {each.name for each in pager.pages()}

    wait_until(paged, timeout=100, what=name, why=daemon.log)
    return page(daemon, pager, name), restarts


@pytest.mark.slow
@pytest.mark.fault("rule-hangs")
def test_an_engine_that_hangs_pages_by_itself(daemon: Daemon, pager: Receiver) -> None:
    stuck = page(daemon, pager, "SentinelEngineStuck", seconds=40)
    assert stuck.labels["severity"] == "critical"
    assert "no progress" in stuck.annotations["description"]
    assert daemon.get("/-/healthy")[0] == 503
    (daemon.folder / "rule-hangs").unlink()
    page(daemon, pager, "SentinelEngineStuck", "resolved", 40)
    assert daemon.get("/-/healthy")[0] == 200
    assert push(daemon, "a", 200) == 202
    page(daemon, pager, "High")


@pytest.mark.fault("record-raises")
def test_a_decoder_that_fails_costs_one_record(daemon: Daemon, pager: Receiver) -> None:
    now_ms = int(time.time() * 1000)
    lines = [sample("load", {"host": f"h{n}"}, 200.0, now_ms) for n in range(9)]
    poison = sample("load", {"host": "poison"}, 200.0, now_ms)
    assert push_lines(daemon, *lines[:5], poison, *lines[5:]) == 202
    wait_until(lambda: len(pager.pages("firing")) >= 9, timeout=20, what="nine pages", why=daemon.log)
    assert {each.labels["host"] for each in pager.pages()} == {f"h{n}" for n in range(9)}
    assert daemon.metric("sentinel_ingest_records_refused_total", reason="decoder_failed") == 1


@pytest.mark.fault("record-kills")
def test_a_record_that_kills_is_set_aside_and_paged(daemon: Daemon, pager: Receiver) -> None:
    now_ms = int(time.time() * 1000)
    lines = [sample("load", {"host": f"h{n}"}, 200.0, now_ms) for n in range(9)]
    poison = sample("load", {"host": "poison"}, 200.0, now_ms)
    push_lines(daemon, *lines[:5], poison, *lines[5:])
    aside, restarts = page_after_restarts(daemon, pager, "SentinelSetAside")
    assert restarts == 3
    assert (aside.labels["kind"], aside.labels["source"]) == ("batch", "push")
    wait_until(lambda: push(daemon, "after", 200) == 202, timeout=20, what="answer", why=daemon.log)
    page(daemon, pager, "High")
    assert daemon.metric("sentinel_ingest_records_refused_total", reason="set_aside") == 1
    assert daemon.metric("sentinel_ingest_samples_total", source="push") == 10
    assert daemon.metric("sentinel_set_aside", kind="batch") == 1


@pytest.mark.slow
@pytest.mark.fault("rule-kills")
def test_a_rule_that_kills_is_set_aside_and_the_others_run(daemon: Daemon, pager: Receiver) -> None:
    aside, restarts = page_after_restarts(daemon, pager, "SentinelSetAside")
    assert restarts <= 3
    assert aside.labels["rule"].startswith("Faulty #")
    wait_until(lambda: push(daemon, "a", 200) == 202, timeout=20, what="answer", why=daemon.log)
    page(daemon, pager, "High")
    daemon.write("rules/faulty.yml", rule_group("faulty", alert("Mended", "load > 1000")))
    assert daemon.post("/-/reload")[0] == 200
    page(daemon, pager, "SentinelSetAside", "resolved")


def test_a_folder_that_is_taken_away_ends_the_daemon_with_a_page(daemon: Daemon, pager: Receiver) -> None:
    assert push(daemon, "before", 200) == 202
    page(daemon, pager, "High")
    (daemon.folder / "data").rename(daemon.folder / "away")
    gone = page(daemon, pager, "SentinelEngineStuck")
    assert "state folder was removed" in gone.annotations["description"]
    assert daemon.process is not None
    assert daemon.process.wait(30) != 0
    assert "Traceback" not in daemon.log()
    daemon.process = None
    shutil.rmtree(daemon.folder / "data", ignore_errors=True)
    (daemon.folder / "away").rename(daemon.folder / "data")
    daemon.start()
    assert push(daemon, "after", 200) == 202


@pytest.mark.slow
def test_a_full_disk_pages_and_loses_nothing(daemon: Daemon, pager: Receiver) -> None:
    """No file may grow; later they may again."""
    assert push(daemon, "before", 200) == 202
    page(daemon, pager, "High")
    assert daemon.process is not None
    unlimited = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    assert push(daemon, "during", 300) == 503
    full = page(daemon, pager, "SentinelStateUnwritable")
    assert "cannot be written" in full.annotations["description"]
    time.sleep(17)
    assert daemon.get("/-/ready")[0] == 503
    assert daemon.get("/-/healthy")[0] == 200
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, unlimited)
    page(daemon, pager, "SentinelStateUnwritable", "resolved")
    wait_until(
        lambda: {each.labels.get("host") for each in pager.pages("firing")} >= {"before", "during"},
        timeout=20,
        what="page for what was pushed meanwhile",
        why=lambda: f"{pager.pages()}\n{daemon.log()}",
    )
    assert "SentinelEngineStuck" not in {each.name for each in pager.pages()}
    assert daemon.stop() == 0


def test_being_stopped_on_a_full_disk_is_no_trouble_of_the_engine(daemon: Daemon, pager: Receiver) -> None:
    assert daemon.process is not None
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    page(daemon, pager, "SentinelStateUnwritable")
    assert daemon.stop() != 0
    assert {each.name for each in pager.pages()} == {"SentinelStateUnwritable"}
