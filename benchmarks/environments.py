"""An environment for each peer, made on first use.

They lie under `$SENTINEL_BENCH_CACHE` (default `~/.cache/sentinel-bench`). Versions are pinned here; a change
of a pin makes a new environment beside the old one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

QUIX = ("quixstreams==3.28.1", "confluent-kafka==2.12.2", "rocksdict==0.3.29", "orjson==3.13.0")
BYTEWAX = ("bytewax==0.21.1", "confluent-kafka==2.16.1", "fastavro==1.13.1", "orjson==3.13.0")
LIBRDKAFKA = ("confluent-kafka==2.16.1", "orjson==3.13.0")

ECJ = "org.eclipse.jdt:ecj:3.45.0"
"""The compiler for a machine that has a Java runtime but no javac."""


class PeerUnavailableError(Exception):
    """This machine cannot run a peer; the text says what is missing."""


def python(requirements: tuple[str, ...]) -> str:
    """The interpreter of a virtual environment that holds these packages and what they need."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}{requirements}".encode()).hexdigest()[:10]
    name = requirements[0].partition("==")[0]
    place = _cache() / f"{name}-{digest}"
    program = place / "bin" / "python"
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(program), "-m", "pip", "install", "--quiet", *requirements])
        (place / "ready").touch()
    return str(program)


def java_classes(source: Path, jars: Path) -> Path:
    """The folder with the classes of a Java file, compiled by javac, or by Eclipse's compiler without one."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:10]
    place = _cache() / f"{source.stem}-{digest}"
    if not place.exists():
        version = ["-source", "17", "-target", "17"]
        compiler = ["javac", *version] if shutil.which("javac") else ["java", "-jar", str(_ecj()), *version]
        with tempfile.TemporaryDirectory(dir=_cache()) as folder:
            target = Path(folder, "classes")
            path = os.pathsep.join(map(str, sorted(jars.glob("*.jar"))))  # Eclipse's knows no lib/*
            _run([*compiler, "-cp", path, "-d", str(target), str(source)])
            with contextlib.suppress(OSError):  # another run was faster: its copy is as good
                target.rename(place)
    return place


def _ecj() -> Path:
    _, artifact, version = ECJ.split(":")
    place = _cache() / f"{artifact}-{version}.jar"
    if not place.exists():
        copy = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ECJ}", f"-DoutputDirectory={_cache()}"]
        _run(copy)
    return place


def _cache() -> Path:
    place = Path(os.environ.get("SENTINEL_BENCH_CACHE", "~/.cache/sentinel-bench")).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    return place


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    except OSError as error:
        raise PeerUnavailableError(f"{command[0]} cannot be run: {error}") from None
    if done.returncode:
        raise PeerUnavailableError(f"{' '.join(command)}: {(done.stderr or done.stdout)[-800:]}")
