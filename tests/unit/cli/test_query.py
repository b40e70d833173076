"""`sentinel query` against a server that answers as it is told."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.cli import main
from sentinel.cli.query.client import moment
from sentinel.cli.query.plot import plot

VECTOR = {
    "resultType": "vector",
    "result": [
        {"metric": {"__name__": "up", "job": "a"}, "value": [1760000000.5, "1"]},
        {"metric": {"job": "\x1b[31m"}, "histogram": [1760000000, {"count": "3", "sum": "8"}]},
    ],
}
MATRIX = {
    "resultType": "matrix",
    "result": [
        {
            "metric": {"__name__": "up"},
            "values": [[1760000000, "1"], [1760000030, "NaN"]],
            "histograms": [[1760000015, {"count": "3", "sum": "8", "buckets": [[0, "1", "2", "3"]]}]],
        }
    ],
}


class Server:
    """`answer` is (status, body); `asked` collects (path, authorization, parameters)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, dict[str, str]]] = []
        self.answer: tuple[int, Any] = (200, {"status": "success", "data": VECTOR})
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                server.asked.append((self.path, self.headers["Authorization"], dict(parse_qsl(form))))
                status, body = server.answer
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                """Not on the test's standard error."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_address[1]}"
        self.url = f"http://{self.address}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.http.serve_forever, daemon=True).start()
    yield made
    made.http.shutdown()
    made.http.server_close()


class Done(NamedTuple):
    code: Any
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def query(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["sentinel", "query", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        code = caught.value.code
        return (
            Done(1, said.out, f"{code}\n") if isinstance(code, str) else Done(code or 0, said.out, said.err)
        )

    return query


def test_a_vector_is_a_table(server: Server, run: Callable[..., Done]) -> None:
    done = run("instant", "--url", server.url, "up", "--time", "1760000000.5", "--timeout", "3s")
    assert server.asked == [
        ("/api/v1/query", None, {"query": "up", "time": "1760000000.500", "timeout": "3s"})
    ]
    heading, _, first, second, *_ = [line.split("  ") for line in done.out.strip().splitlines()]
    assert [cell.strip() for cell in heading if cell.strip()] == ["series", "time", "value"]
    assert [cell.strip() for cell in first if cell.strip()] == [
        'up{job="a"}',
        "2025-10-09 08:53:20.500",
        "1",
    ]
    assert [cell.strip() for cell in second if cell.strip()] == [
        '{job="\\x1b[31m"}',
        "2025-10-09 08:53:20",
        "count 3, sum 8, 0 buckets",
    ]
    assert (done.code, done.err, "\x1b" in done.out) == (0, "", False)


def test_a_matrix_is_a_table_in_order_of_time(server: Server, run: Callable[..., Done]) -> None:
    server.answer = (200, {"status": "success", "data": MATRIX, "warnings": ["w\x1b"], "infos": ["i"]})
    done = run("range", server.url, "up", "--start", "-2m", "--end", "1760000000", "--step", "15s")
    (path, _, form), lines = server.asked[0], done.out.splitlines()
    assert (path, form["step"], form["end"]) == ("/api/v1/query_range", "15s", "1760000000.000")
    assert [line.split()[-1] for line in lines if "2025-10-09" in line] == ["1", "buckets", "NaN"]
    assert sum("up" in line for line in lines) == 1
    assert done.err == "warning: w\\x1b\ninfo: i\n"


@pytest.mark.parametrize(("kind", "value"), [("scalar", "2"), ("string", "a b")])
def test_scalars_and_strings(server: Server, run: Callable[..., Done], kind: str, value: str) -> None:
    server.answer = (200, {"status": "success", "data": {"resultType": kind, "result": [1760000000, value]}})
    out = run("instant", server.url, "2").out
    assert "2025-10-09 08:53:20" in out and value in out


def test_json(server: Server, run: Callable[..., Done]) -> None:
    assert json.loads(run("instant", server.url, "up", "--format", "json").out) == VECTOR


def test_a_plot(server: Server, run: Callable[..., Done]) -> None:
    server.answer = (200, {"status": "success", "data": MATRIX})
    out = run("range", server.url, "up", "--format", "plot").out
    assert "── up  nan" in out and "2025-10-09 08:53:20" in out
    assert server.asked[0][2]["step"] == "15"


def test_passwords_and_prefixes(server: Server, run: Callable[..., Done]) -> None:
    assert run("instant", f"http://me:a%40b@{server.address}/prefix/", "up").code == 0
    assert server.asked[0][:2] == ("/prefix/api/v1/query", "Basic bWU6YUBi")


REFUSALS = [
    ((400, {"status": "error", "errorType": "bad_data", "error": "no\x1b"}), "bad_data: no\\x1b\n"),
    ((401, b"a user and password are needed\n"), "/api/v1/query answered 401, not as Prometheus's API does:"),
    ((200, b"[]"), "/api/v1/query answered 200, not as Prometheus's API does: '[]'"),
    ((502, b"\xff" * 1000), "answered 502"),
]


@pytest.mark.parametrize(("answer", "text"), REFUSALS, ids=["error", "401", "list", "bytes"])
def test_refusals(server: Server, run: Callable[..., Done], answer: Any, text: str) -> None:
    server.answer = answer
    done = run("instant", server.url, "up")
    assert done.code == 1 and text in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--url", "http://127.0.0.1:1", "up"],
            "cannot reach http://127.0.0.1:1/api/v1/query: Connection refused",
        ),
        (["--url", "nonsense", "up"], "http://host:port"),
        (["--time", "soon", "up"], "not a time: 'soon'"),
        (["--timeout", "soon", "up"], "not a valid duration"),
        (["a", "b", "c"], "quote it for the shell"),
    ],
)
def test_mistakes(run: Callable[..., Done], arguments: list[str], text: str) -> None:
    done = run("instant", *arguments)
    assert done.code != 0 and text in " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", "100000.250"),
        ("-1h", "96400.250"),
        ("-1m30s", "99910.250"),
        ("-5", "-5.000"),
        ("1760000000.5", "1760000000.500"),
        ("2025-10-09T08:53:20Z", "1760000000.000"),
        ("2025-10-09T10:53:20+02:00", "1760000000.000"),
        ("2025-10-09T08:53:20", "1760000000.000"),
    ],
)
def test_times(text: str, seconds: str) -> None:
    assert moment(text, 100_000.25) == seconds


@pytest.mark.parametrize("text", ["", "-", "nan", "inf", "-1x", "9" * 20])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(text, 0)


def series(*values: float, step: float = 15) -> dict[str, Any]:
    return {"metric": {"a": "b"}, "values": [[step * n, str(value)] for n, value in enumerate(values)]}


def test_a_line_goes_from_corner_to_corner() -> None:
    lines = [line.plain for line in plot([series(*range(40))], 30, 5)]
    marks = [[at for at, char in enumerate(line) if char > "\u2800"] for line in lines[:5]]
    assert all(marks) and marks[0][-1] == len(lines[0]) - 1 == 29 and marks[4][0] == lines[4].index("|") + 1
    assert all(upper[0] >= lower[-1] for upper, lower in pairwise(marks))


def test_nan_and_missing_samples_leave_gaps() -> None:
    whole, holed = (
        plot([series(*each)], 60, 4) for each in ([1.0] * 40, [1.0] * 15 + [math.nan] * 10 + [1.0] * 15)
    )
    drawn = [sum(char > "\u2800" for line in lines[:4] for char in line.plain) for lines in (whole, holed)]
    assert drawn[1] < 0.8 * drawn[0]
    late = series(1, 1, 1)
    late["values"][2][0] = 500
    assert sum(char > "\u2800" for line in plot([late], 60, 4)[:4] for char in line.plain) <= 5


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.floats(), max_size=30), max_size=15),
    st.integers(1, 120),
    st.integers(2, 12),
)
def test_whatever_is_plotted_stays_in_its_frame(curves: list[list[float]], width: int, lines: int) -> None:
    drawn = plot([series(*values) for values in curves], width, lines)
    if len(drawn) > 1:
        assert len({len(line.plain) for line in drawn[:lines]}) == 1


@pytest.mark.parametrize(
    ("flag", "value", "text"),
    [
        ("--query.timeout", "5x", "not a valid duration string"),
        ("--query.lookback-delta", "0s", "must be above 0"),
        ("--query.max-samples", "0", "greater than or equal to 1"),
    ],
)
def test_limits_of_queries_are_checked_before_the_daemon_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flag: str, value: str, text: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["sentinel", "run", flag, value])
    with pytest.raises(SystemExit) as caught:
        main()
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert caught.value.code == 2 and text in said and flag in said


def test_asking_imports_no_kernel() -> None:
    code = (
        "import sys, sentinel.cli.query.client; sys.exit('numba' in sys.modules or 'aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
