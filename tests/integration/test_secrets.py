"""Secrets are nowhere to be read: not in logs, errors, metrics, answers or the state folder."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentinel.config.load import load_config
from sentinel.errors import ConfigErrors

from .configuration import alert, rule_group
from .daemon import Daemon
from .waiting import free_ports, wait_until

MARK = "h7shh"
"""Part of every secret here."""
ENDPOINTS = ("/-/healthy", "/-/ready", "/metrics", "/api/v1/push", "/nothing")
FAILURES = (
    "sentinel_ingest_failures_total",
    "sentinel_notifications_failed_total",
    "sentinel_forward_failed_total",
)


def marks() -> set[bytes]:
    """The mark as it is, and the characters of base64 that it alone decides, wherever in a text it begins."""
    found = {MARK.encode()}
    for start in range(3):
        encoded = b64encode(bytes(start) + MARK.encode() + bytes(3))
        found.add(encoded[-(-8 * start // 6) : 8 * (start + len(MARK)) // 6])
    return found


def unmarked(text: bytes | str) -> bool:
    return not any(mark in (text.encode() if isinstance(text, str) else text) for mark in marks())


@pytest.mark.parametrize("before", ["", "a", "ab", "alice:"])
def test_the_mark_is_found_in_headers(before: str) -> None:
    assert not unmarked(b64encode(f"{before}{MARK}-basic".encode()))
    assert unmarked(b64encode(b"alice:wonderland"))


def configuration(port: int) -> dict[str, Any]:
    """Every place for a secret is used, and nothing listens on the port."""
    kafka = {
        "bootstrap_servers": f"127.0.0.1:{port}",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_username": "sentinel",
        "sasl_password": f"{MARK}-kafka",
    }
    scrape: dict[str, Any] = {"interval": "500ms", "targets": [f"127.0.0.1:{port}"]}
    basic = {"username": "sentinel", "password": f"{MARK}-basic"}
    return {
        "sources": [
            {"name": "records", "kafka": {**kafka, "topics": ["t"], "group_id": "g"}},
            {"name": "node", "scrape": {**scrape, "basic_auth": basic}},
            {"name": "host", "scrape": {**scrape, "bearer_token_file": "token"}},
            {"name": "push", "http": {}},
        ],
        "rule_files": ["rules.yml"],
        "alert_topic": {**kafka, "sasl_password": "${PASSWORD}", "topic": "alerts"},
        "alerting": {"config_file": "alertmanager.yml"},
        "alertmanagers": [{"url": f"http://127.0.0.1:{port}", "http_config": {"basic_auth": basic}}],
        "heartbeat": {"url": f"http://127.0.0.1:{port}/{MARK}-heartbeat", "interval": "1s", "timeout": "1s"},
        "clusters": [{**kafka, "name": "main", "interval": "1s"}],
    }


def receivers(port: int) -> dict[str, Any]:
    """One receiver with a webhook for each way to say who calls."""
    url = f"http://127.0.0.1:{port}/{MARK}-path?token={MARK}-query"
    ways: list[dict[str, Any]] = [
        {"basic_auth": {"username": "a", "password": f"{MARK}-password"}},
        {"basic_auth": {"username": "a", "password_file": "token"}},
        {"authorization": {"credentials": f"{MARK}-credentials"}},
        {"bearer_token": f"{MARK}-bearer"},
    ]
    hooks: list[dict[str, Any]] = [{"url": url, "http_config": way} for way in ways]
    hooks += [{"url": url.replace("//", f"//user:{MARK}-userinfo@")}, {"url_file": "url"}]
    route = {"receiver": "pager", "group_wait": "0s"}
    return {"route": route, "receivers": [{"name": "pager", "webhook_configs": hooks}]}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    monkeypatch.setenv("PASSWORD", f"{MARK}-environment")
    (port,) = free_ports(1)
    daemon = Daemon(tmp_path, configuration(port))
    daemon.write("alertmanager.yml", receivers(port))
    daemon.write("rules.yml", rule_group("always", alert("Always", "vector(1)"), interval="500ms"))
    daemon.write("token", f"{MARK}-file")
    daemon.write("url", f"http://127.0.0.1:{port}/{MARK}-url-file")
    return daemon


def failing(daemon: Daemon) -> bool:
    """Whether everything that needs a secret has tried."""
    daemon.must_run()
    if daemon.get("/metrics")[0] != 200:
        return False
    sources = (daemon.metric(FAILURES[0], source=name) for name in ("records", "node", "host"))
    return all(sources) and all(daemon.metric(name) for name in FAILURES[1:])


def test_nothing_that_a_daemon_says_or_keeps_shows_a_secret(daemon: Daemon) -> None:
    daemon.launch()
    try:
        wait_until(lambda: failing(daemon), timeout=120, what="failure of everything", why=daemon.log)
        whole = (daemon.folder / "sentinel.yml").read_text()
        said = [daemon.get(path)[1] for path in ENDPOINTS]
        for wrong in (
            f"sources: [{{name: {MARK}}}]",
            whole.replace("SASL_PLAINTEXT", "PLAINTEXT", 1),
            whole + "x",
        ):
            daemon.write("sentinel.yml", wrong.replace(f"name: {MARK}", "name: a"))
            status, answer = daemon.post("/-/reload")
            assert status == 500 and answer
            said.append(answer)
        said.append(daemon.post("/api/v1/push", b"{")[1])
        daemon.stop()
    finally:
        daemon.kill()
    log = (daemon.folder / "stderr.log").read_bytes()
    assert unmarked(log), [line for line in log.splitlines() if not unmarked(line)][:5]
    assert all(unmarked(answer) for answer in said), [answer for answer in said if not unmarked(answer)]
    kept = [path for path in (daemon.folder / "data").rglob("*") if path.is_file()]
    assert kept and [path for path in kept if not (unmarked(str(path)) and unmarked(path.read_bytes()))] == []


KAFKA = "sources: [{name: a, kafka: {bootstrap_servers: k, topics: [t], group_id: g"
SASL = f"{KAFKA}, security_protocol: SASL_SSL, "
SCRAPE = "sources: [{name: a, scrape: {targets: "
HOOK = "{route: {receiver: r}, receivers: [{name: r, webhook_configs: [{"


@pytest.mark.parametrize(
    "text",
    [
        f"{SASL} sasl_username: u, sasl_password: [{MARK}]}}}}]",
        f"{SASL} sasl_username: u, sasl_password: {{{MARK}: 1}}}}}}]",
        f"{SASL} sasl_password: {MARK}}}}}]",
        f"{SASL} sasl_username: u, sasl_pasword: {MARK}}}}}]",
        f"{SASL} sasl_username: u, sasl_password: {MARK}, sasl_password: {MARK}}}}}]",
        f"{SASL} sasl_username: u, sasl_password: {MARK}, sasl_password_file: {MARK}}}}}]",
        f"{SASL} sasl_username: u, sasl_password: '${{{{{MARK}'}}}}]",
        f"{SASL} sasl_username: u, sasl_password: @{MARK}}}}}]",
        f'{SASL} sasl_username: u, sasl_password: "{MARK}}}}}]',
        f"{SASL} sasl_username: u, sasl_password: *{MARK}}}}}]",
        f"{SASL} sasl_username: u, sasl_password: !{MARK}!x y}}}}]",
        f"{SASL} sasl_username: u, sasl_password: a: {MARK}}}}}]",
        f"{SCRAPE}[h:1], basic_auth: {MARK}}}}}]",
        f"{SCRAPE}[h:1], basic_auth: {{username: u, password: [{MARK}]}}}}}}]",
        f"{SCRAPE}['u:{MARK}@h:1']}}}}]",
        f"{SCRAPE}['http://u:{MARK}@h:1/metrics']}}}}]",
        f"heartbeat: {{url: '{MARK}'}}",
        f"heartbeat: {{url: 'http://[{MARK}/'}}",
        f"heartbeat: {{url: 'ftp://h/{MARK}', interval: 1}}",
        f"alertmanagers: [{{url: 'http://u:{MARK}@h:9093'}}]",
        f"alertmanagers: [{{url: 'http://[{MARK}'}}]",
        f"alertmanagers: [{{url: 'http://h:9093/?token={MARK}'}}]",
        f"global: {{external_url: 'u:{MARK}@h'}}",
        "global: {evaluation_interval: '${PASSWORD}'}",
        "store: {retention: '${PASSWORD}'}",
        f"{KAFKA}, security_protocol: '${{PASSWORD}}'}}}}]",
        "sources: [{name: a, http: {body_bytes: '${PASSWORD}'}}]",
    ],
)
def test_a_wrong_configuration_is_explained_without_its_secrets(text: str, check: Callable[..., str]) -> None:
    assert unmarked(check(text)), check(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{HOOK}url: {MARK}}}]}}]}}",
        f"{HOOK}url: 'ftp://h/{MARK}'}}]}}]}}",
        f"{HOOK}url: 'http://[{MARK}/'}}]}}]}}",
        f"{HOOK}url: 'http://h:{MARK}/'}}]}}]}}",
        f"{HOOK}url: 'http://h/{{{{ {MARK} }}}}'}}]}}]}}",
        f"{HOOK}url: [{MARK}]}}]}}]}}",
        f"{HOOK}url: 'http://h/{MARK}', url_file: {MARK}}}]}}]}}",
        f"{HOOK}url: 'http://h/{MARK}', http_config: {MARK}}}]}}]}}",
        f"{HOOK}url: 'http://h/', http_config: {{bearer_token: {MARK}, bearer_token_file: {MARK}}}}}]}}]}}",
        f"{HOOK}url: 'http://h/', http_config: {{authorization: {{credential: {MARK}}}}}}}]}}]}}",
        f"{HOOK}url: *{MARK}}}]}}]}}",
    ],
)
def test_a_wrong_receiver_is_explained_without_its_secrets(text: str, check: Callable[..., str]) -> None:
    said = check("alerting: {config_file: am.yml}", text)
    assert unmarked(said), said


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What is said of a wrong file, or of one with a wrong Alertmanager file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSWORD", f"{MARK}-environment")

    def run(text: str, alertmanager: str = "") -> str:
        Path("sentinel.yml").write_text(text)
        Path("am.yml").write_text(alertmanager)
        with pytest.raises(ConfigErrors) as caught:
            load_config("sentinel.yml")
        return str(caught.value)

    return run
