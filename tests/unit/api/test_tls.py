"""TLS, passwords and headers as a client meets them, and what happens when their files change."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import structlog
import uvloop

from sentinel.api import web_file
from sentinel.api.server import Server

from .certificates import Authority
from .serving import Answer, get, serving

SERVER = "cert_file: server.crt, key_file: server.key"
MUTUAL = f"{SERVER}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt"
USERS = f"basic_auth_users: {{alice: {bcrypt.hashpw(b'wonderland', bcrypt.gensalt(4)).decode()}}}\n"
ALICE = "Basic " + b64encode(b"alice:wonderland").decode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder)
    for name in ("server", "renewed"):
        authority.sign(name, "DNS:localhost", "IP:127.0.0.1")
    authority.sign("client", "DNS:prometheus.example", "IP:0:0:0:0:0:0:0:1")
    stranger = Authority(folder, "stranger")
    stranger.sign("impostor", "DNS:prometheus.example")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(web_file, "LOOK_SECONDS", 0.05)
    return Path(shutil.copytree(made, tmp_path / "web"))


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def trusted(folder: Path, client: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if client:
        context.load_cert_chain(folder / f"{client}.crt", folder / f"{client}.key")
    return context


def write(folder: Path, text: str) -> Path:
    path = folder / "web.yml"
    path.write_text(text)
    return path


def ask(
    path: Path,
    question: Callable[[Server], Awaitable[Any]],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Any:
    async def run() -> Any:
        async with serving(path) as server:
            return await question(server)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(run())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_tls_and_a_password(folder: Path, loop: Any, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(folder, f"tls_server_config: {{{SERVER}}}\n{USERS}")
    tls = trusted(folder)

    async def question(server: Server) -> list[Answer]:
        port = server.port
        return [
            await get(port, "/hello", tls, Authorization=ALICE),
            await get(port, "/hello", tls),
            await get(port, "/hello", tls, Authorization="Basic " + b64encode(b"alice:guess").decode()),
            await get(port, "/nothing", tls),
            await get(port, "/-/ready", tls),
            await get(port, "/-/ready/../hello", tls),
            await get(port, "//-/ready", tls),
            await get(port, "/hello"),
        ]

    answers = ask(path, question, loop)
    assert [answer.status for answer in answers] == [200, 401, 401, 401, 200, 401, 401, 0]
    assert answers[1].headers["www-authenticate"].startswith("Basic ")
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("sans", "client", "status"),
    [
        ("", "client", 200),
        ("", "", 0),
        ("", "impostor", 0),
        ("client_allowed_sans: [prometheus.example]", "client", 200),
        ('client_allowed_sans: ["::1"]', "client", 200),
        ("client_allowed_sans: [other.example, client]", "client", 403),
    ],
)
@pytest.mark.parametrize("route", ["/hello", "/-/ready"])
def test_client_certificates(folder: Path, sans: str, client: str, status: int, route: str) -> None:
    path = write(folder, f"tls_server_config: {{{MUTUAL}, {sans}}}\n")

    async def question(server: Server) -> int:
        try:
            return (await get(server.port, route, trusted(folder, client))).status
        except (ssl.SSLError, ConnectionError):
            return 0

    assert ask(path, question, uvloop.new_event_loop) == status


def test_the_least_version_is_kept(folder: Path) -> None:
    path = write(folder, f"tls_server_config: {{{SERVER}, min_version: TLS13}}\n")
    old = trusted(folder)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    async def question(server: Server) -> int:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await get(server.port, "/hello", old)
        return (await get(server.port, "/hello", trusted(folder))).status

    assert ask(path, question) == 200


async def serial(folder: Path, port: int) -> str:
    """The number of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted(folder))
    number = str(writer.get_extra_info("peercert")["serialNumber"])
    writer.close()
    return number


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_renewed_certificate_is_shown_to_new_connections(folder: Path, loop: Any) -> None:
    path = write(folder, f"tls_server_config: {{{SERVER}}}\n")

    async def question(server: Server) -> tuple[str, str, str]:
        first = await serial(folder, server.port)
        shutil.copy(folder / "renewed.crt", folder / "server.crt")  # not yet its key
        await asyncio.sleep(0.3)
        between = await serial(folder, server.port)
        shutil.copy(folder / "renewed.key", folder / "server.key")
        await asyncio.sleep(0.3)
        return first, between, await serial(folder, server.port)

    first, between, last = ask(path, question, loop)
    assert first == between != last


def test_a_connection_outlives_the_certificate_it_was_made_with(folder: Path) -> None:
    path = write(folder, f"tls_server_config: {{{SERVER}}}\n")

    async def question(server: Server) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusted(folder))
        for name in ("crt", "key"):
            shutil.copy(folder / f"renewed.{name}", folder / f"server.{name}")
        await asyncio.sleep(0.3)
        writer.write(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    assert ask(path, question).startswith(b"HTTP/1.1 200")


def test_a_changed_file_counts_and_a_wrong_one_changes_nothing(folder: Path, logged: list[Any]) -> None:
    path = write(folder, USERS)

    async def after(server: Server, text: str) -> int:
        write(folder, text)
        await asyncio.sleep(0.3)
        return (await get(server.port, "/hello", Authorization=ALICE)).status

    async def question(server: Server) -> list[int]:
        changed = USERS.replace("alice", "bob")
        texts = [
            USERS,
            changed,
            "basic_auth_users: {alice: hunter2}",
            f"tls_server_config: {{{SERVER}}}",
            USERS,
        ]
        return [await after(server, text) for text in texts]

    assert ask(path, question) == [200, 401, 401, 401, 200]
    refused = [entry for entry in logged if entry["log_level"] == "error"]
    assert ["not a bcrypt hash" in str(refused[0]), "needs a restart" in str(refused[1])] == [True, True]
    assert len(refused) == 2 and "hunter2" not in str(logged)


def test_a_wrong_file_is_tried_again_when_only_what_it_names_has_changed(folder: Path) -> None:
    path = write(folder, f"tls_server_config: {{{SERVER}}}\n")

    async def question(server: Server) -> tuple[str, str, str]:
        first = await serial(folder, server.port)
        write(folder, "tls_server_config: {cert_file: later.crt, key_file: later.key}\n")
        await asyncio.sleep(0.3)
        between = await serial(folder, server.port)
        for name in ("key", "crt"):
            shutil.copy(folder / f"renewed.{name}", folder / f"later.{name}")
        await asyncio.sleep(0.3)
        return first, between, await serial(folder, server.port)

    first, between, last = ask(path, question)
    assert first == between != last


def test_headers_are_on_every_answer(folder: Path) -> None:
    headers = "http_server_config: {headers: {X-Frame-Options: deny, X-Content-Type-Options: nosniff}}\n"
    path = write(folder, headers + USERS)

    async def question(server: Server) -> list[Answer]:
        routes = ("/hello", "/broken", "/nothing")
        return [
            await get(server.port, "/hello"),
            *[await get(server.port, each, Authorization=ALICE) for each in routes],
        ]

    answers = ask(path, question)
    assert [answer.status for answer in answers] == [401, 200, 500, 404]
    found = {
        (answer.headers["x-frame-options"], answer.headers["x-content-type-options"]) for answer in answers
    }
    assert found == {("deny", "nosniff")}


def test_a_rate_limit_is_for_all_but_probes(folder: Path) -> None:
    path = write(folder, "rate_limit: {interval: 1h, burst: 2}\n")

    async def question(server: Server) -> list[int]:
        return [
            (await get(server.port, route)).status
            for route in ("/hello", "/-/ready", "/hello", "/hello", "/-/ready")
        ]

    assert ask(path, question) == [200, 200, 200, 429, 200]


def test_garbage_on_a_tls_port_is_quiet(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(folder, f"tls_server_config: {{{SERVER}}}\n")

    async def question(server: Server) -> int:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 100, b""):
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(data)
                await writer.drain()
                writer.close()
        return (await get(server.port, "/hello", trusted(folder))).status

    assert ask(path, question, uvloop.new_event_loop) == 200
    assert "Traceback" not in "".join(capfd.readouterr())
