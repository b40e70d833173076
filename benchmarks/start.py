"""How soon commands are there: CPU time of `sentinel check`, and how long `sentinel run` takes to be ready.

The daemon reads a topic of a real Kafka as a static member of its group; it is stopped and started, then
killed and started. Exits 1 above `--max-check` CPU seconds or `--max-ready` seconds, by the medians.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration.configuration import alert, configuration, kafka_source, one_webhook, rule_group
from tests.integration.daemon import Daemon
from tests.integration.kafka_broker import Broker, kafka_jars
from tests.integration.receiver import Receiver

TOPIC = "start"


def checking(folder: Path, repeats: int, *arguments: str) -> float:
    """Median CPU seconds of `sentinel check` with these arguments."""
    program = str(Path(sys.executable).with_name("sentinel"))
    took = []
    for _ in range(repeats + 1):
        before = _children_seconds()
        subprocess.run([program, "check", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        took.append(_children_seconds() - before)
    median = statistics.median(took[1:])
    print(f"sentinel check {' '.join(arguments):<26} {min(took[1:]):.2f} / {median:.2f} CPU s", flush=True)
    return median


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def readying(daemon: Daemon, repeats: int, how: str, end: Callable[[], object]) -> float:
    """Median seconds from the process's start to `/-/ready`, each time after `end`."""
    took, cpu = [], 0.0
    for _ in range(repeats):
        end()
        begun = time.monotonic()
        daemon.start()
        took.append(time.monotonic() - begun)
        cpu = daemon.cpu_seconds()
    median = statistics.median(took)
    print(f"ready after {how:<29} {min(took):.2f} / {median:.2f} s ({cpu:.2f} CPU s)", flush=True)
    return median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--max-check", type=float, default=0.4)
    parser.add_argument("--max-ready", type=float, default=3.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Receiver() as receiver:
        folder, broker = Path(name), Broker(kafka_jars(), Path(name) / "kafka")
        source = kafka_source(broker, TOPIC)
        source["kafka"]["group_instance_id"] = "start-0"
        daemon = Daemon(folder, configuration(source))
        rules = rule_group("a", alert("Many", "sum by (job) (rate(x[5m])) > 1"), interval="1s")
        daemon.write("rules/a.yml", rules)
        daemon.write("alertmanager.yml", one_webhook(receiver.url))
        checks = [
            ("config", "sentinel.yml"),
            ("rules", "rules/a.yml"),
            ("--help",),
            ("config", "--print-schema"),
        ]
        slowest = max(checking(folder, given.repeats, *arguments) for arguments in checks)
        broker.start()
        try:
            broker.create_topic(TOPIC, 4)
            daemon.start()
            stopped = readying(daemon, given.repeats, "a stop", daemon.stop)
            killed = readying(daemon, given.repeats, "kill -9", daemon.kill)
            daemon.kill()
        finally:
            broker.kill()
    sys.exit(slowest > given.max_check or max(stopped, killed) > given.max_ready)


if __name__ == "__main__":
    main()
