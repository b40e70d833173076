"""A real Prometheus writes what it scrapes to the daemon, and a rule over it pages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .configuration import alert, configuration, one_webhook, rule_group
from .daemon import Daemon
from .receiver import Receiver
from .waiting import free_ports, wait_until

PROMETHEUS = shutil.which("prometheus")
pytestmark = [
    pytest.mark.skipif(PROMETHEUS is None, reason="needs the program prometheus"),
    pytest.mark.timeout(300),
]
RULES = rule_group(
    "written",
    alert("Up", 'up{job="itself"} == 1', **{"for": "1s"}),
    alert("Appending", "rate(prometheus_tsdb_head_samples_appended_total[10s]) > 0"),
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def daemon(tmp_path: Path, receiver: Receiver) -> Iterator[Daemon]:
    config = configuration({"name": "push", "http": {}}) | {"store": {"retention": "10m"}}
    one = Daemon(tmp_path, config)
    one.write("alertmanager.yml", one_webhook(receiver.url))
    one.write("rules/written.yml", RULES)
    with one:
        yield one


@pytest.fixture
def prometheus(daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    """Its address; it scrapes itself every second."""
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "itself", "static_configs": [{"targets": [address]}]}],
        "remote_write": [
            {
                "url": f"{daemon.url}/api/v1/write",
                "queue_config": {"batch_send_deadline": "500ms"},
                "metadata_config": {"send_interval": "2s"},
            }
        ],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        str(PROMETHEUS),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address={address}",
    ]
    with (tmp_path / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield address
    process.terminate()
    process.wait(30)


def test_what_prometheus_scrapes_is_kept_and_pages(
    daemon: Daemon, receiver: Receiver, prometheus: str, tmp_path: Path
) -> None:
    def fired() -> set[str]:
        return {page.name for page in receiver.pages("firing")}

    log = (tmp_path / "prometheus.log").read_text
    wait_until(lambda: fired() == {"Up", "Appending"}, timeout=60, what="two pages", why=log)
    samples = daemon.metric("sentinel_ingest_samples_total", source="push")
    assert samples > 500 and daemon.metric("sentinel_ingest_records_refused_total", source="push") == 0
    assert daemon.metric("sentinel_ingest_failures_total", source="push") == 0, daemon.log()
    assert not [line for line in log().splitlines() if "remote" in line and "level=error" in line]
