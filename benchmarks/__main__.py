"""`python -m benchmarks [--quick] [part [setting=value ...] ...]`: all parts, or those that are named.

Writes `RESULTS.md` and tells what was missed of what was asked for. Exits 1 if a ratio or a size was missed
by more than `--least` allows; times depend on the machine and fail nothing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Any

import msgspec

from benchmarks import report
from benchmarks.plot import svg
from benchmarks.report import Section

PARTS = ("throughput", "stages", "memory", "growth", "latency", "million")
"""Modules with `Settings`, `QUICK` and `run`."""
USUAL = PARTS[:-1]
"""Without the ten minutes of a million series, which have their own target."""


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs, to see that all works")
    parser.add_argument(
        "--least", type=float, default=1.0, help="share of what is asked for that has to be reached"
    )
    parser.add_argument("words", nargs="*", metavar="part [setting=value ...]", help=", ".join(PARTS))
    given = parser.parse_args(words)
    figures = [
        figure
        for part, settings in chosen(parser, given.words or list(USUAL)).items()
        for figure in measure(part, settings, given.quick).figures
    ]
    missed = [f"missed: {each.what}, {each.share:.0%} of it" for each in figures if not each.good]
    print("\n".join(missed) or "all that was asked for")
    return int(any(each.portable and each.share < given.least for each in figures))


def chosen(parser: argparse.ArgumentParser, words: list[str]) -> dict[str, dict[str, Any]]:
    """Parts with the settings behind their names."""
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals and key in PARTS:
            found[key] = {}
        elif equals and found:
            found[list(found)[-1]][key] = _value(value)
        else:
            parser.error(f"{word!r} is no part; parts are {', '.join(PARTS)}")
    return found


def _value(text: str) -> Any:
    """JSON, such as 5, 0.5 or [1000,2000]; anything else is itself."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def measure(part: str, changed: dict[str, Any], quick: bool) -> Section:
    """Runs a part and writes the results anew."""
    module = importlib.import_module(f"benchmarks.{part}")
    usual = msgspec.structs.asdict(module.QUICK if quick else module.Settings())
    settings = msgspec.convert(usual | changed, module.Settings, strict=False)
    print(f"{part}: {settings}", flush=True)
    before = os.getloadavg()[0]
    section: Section = module.run(settings)
    section.when, section.load = report.now(), (before, os.getloadavg()[0])
    print(f"\n{section.text}\n", flush=True)
    if not quick:
        write(part, section)
    return section


def write(part: str, section: Section) -> None:
    sections = report.keep(part, section)
    (report.FOLDER / "RESULTS.md").write_text(report.markdown(sections, PARTS))
    plots = report.FOLDER / "plots"
    plots.mkdir(exist_ok=True)
    for number, curve in enumerate(section.curves):
        (plots / f"{part}-{number}.svg").write_text(svg(curve))


if __name__ == "__main__":
    sys.exit(main())
