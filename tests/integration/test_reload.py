"""Reloading under way: a bad file changes nothing and says why; a rule that is gone resolves its alerts."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from .configuration import alert, configuration, kafka_source, one_webhook, rule_group
from .daemon import Daemon
from .kafka_broker import Broker
from .receiver import Receiver
from .records import produce, sample
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def _by_signal(daemon: Daemon) -> str:
    seen = len(daemon.log())
    daemon.signal(signal.SIGHUP)
    time.sleep(2)
    return daemon.log()[seen:]


def _by_http(daemon: Daemon) -> str:
    return daemon.post("/-/reload")[1]


@pytest.mark.parametrize("reload", [_by_signal, _by_http], ids=["SIGHUP", "http"])
def test_reload(kafka: Broker, topic: str, tmp_path: Path, reload: Callable[[Daemon], str]) -> None:
    kafka.create_topic(topic)
    daemon = Daemon(tmp_path, configuration(kafka_source(kafka, topic)))
    kept, gone = alert("Kept", "load > 100"), alert("Gone", "load > 90")
    daemon.write("rules/load.yml", rule_group("load", kept, gone))
    with Receiver() as receiver:
        daemon.write("alertmanager.yml", one_webhook(receiver.url))

        def names(status: str) -> list[str]:
            return sorted(page.name for page in receiver.pages(status))

        with daemon:
            high = sample("load", {"host": "a"}, 150.0, int(time.time() * 1000))
            asyncio.run(produce(kafka.bootstrap, topic, [high]))
            wait_until(
                lambda: names("firing") == ["Gone", "Kept"], timeout=15, what="two pages", why=daemon.log
            )
            assert daemon.metric("sentinel_config_last_reload_successful") == 1

            daemon.write("rules/load.yml", rule_group("load", alert("Bad", "sum by load >")))
            said = reload(daemon)
            assert "load.yml" in said, f"does not say which file: {said}"
            assert daemon.metric("sentinel_config_last_reload_successful") == 0
            assert daemon.metric("sentinel_alerts", state="firing") == 2

            daemon.write("rules/load.yml", rule_group("load", kept))
            reload(daemon)
            assert daemon.metric("sentinel_config_last_reload_successful") == 1
            wait_until(lambda: names("resolved") == ["Gone"], timeout=15, what="resolve", why=daemon.log)
            assert names("firing") == ["Gone", "Kept"]
            firing = partial(daemon.metric, "sentinel_alerts", state="firing")
            wait_until(lambda: firing() == 1, timeout=5, what="one alert left", why=firing)
