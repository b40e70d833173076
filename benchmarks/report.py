"""What a part of the benchmark found: kept in `results.json`, from which `RESULTS.md` is written."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sentinel import __version__

FOLDER = Path(__file__).parent


class Figure(msgspec.Struct, frozen=True):
    """Something that was asked for. `most`: not more than `least` instead of at least as much."""

    what: str
    value: float
    least: float
    goal: float | None = None
    unit: str = "x"
    most: bool = False

    @property
    def good(self) -> bool:
        return self.share >= 1

    @property
    def share(self) -> float:
        """How much of what was asked for was reached."""
        reached, asked = (self.least, self.value) if self.most else (self.value, self.least)
        return reached / asked if asked > 0 else 1.0

    @property
    def portable(self) -> bool:
        """Whether it says the same on any machine: ratios and sizes do, times do not."""
        return self.unit in ("x", "B")


class Curve(msgspec.Struct, frozen=True):
    """Bars by name, or a line over numbers."""

    title: str
    unit: str
    points: list[tuple[str, float]]
    line: bool = False


class Section(msgspec.Struct):
    """A part's results. `text` is Markdown; `load` the machine's before and after, put in by the command."""

    title: str
    text: str
    figures: list[Figure] = []
    curves: list[Curve] = []
    when: str = ""
    load: tuple[float, float] = (0.0, 0.0)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left, all others to the right."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def spread(values: Sequence[float], form: str = ",.0f") -> list[str]:
    """Minimum, median and maximum."""
    return [format(each, form) for each in (min(values), statistics.median(values), max(values))]


def keep(part: str, section: Section) -> dict[str, Section]:
    """Adds a part's results to what is kept; returns all of it."""
    place = FOLDER / "results.json"
    kept = msgspec.json.decode(place.read_bytes(), type=dict[str, Section]) if place.exists() else {}
    kept[part] = section
    place.write_bytes(msgspec.json.format(msgspec.json.encode(dict(sorted(kept.items())))) + b"\n")
    return kept


def markdown(sections: dict[str, Section], order: Sequence[str]) -> str:
    """The whole page."""
    found = [sections[part] for part in order if part in sections]
    rows = [row for section in found for row in map(_row, section.figures)]
    asked = table(["what", "measured", "at least", "goal", ""], rows)
    pages = [
        f"## {each.title}\n\n{each.text}\n\n{_plots(part, each)}"
        f"Measured {each.when}; load {each.load[0]:.1f} before, {each.load[1]:.1f} after.\n"
        for part in order
        if (each := sections.get(part)) is not None
    ]
    head = f"# Results\n\nWritten by `make bench`. {machine()}\n\n{_HOW}\n\n{asked}\n"
    return "\n".join([head, *pages])


_HOW = """\
Every comparison was measured in one run, in turns, with everybody reading the same topic of the same broker;
rates are per CPU second of the client's whole process tree, so that they survive a busy machine. Nothing is
quoted before all were seen to have read the same. Absolute figures are of this machine alone."""


def _row(figure: Figure) -> list[str]:
    asked = ("at most " if figure.most else "") + _amount(figure.least, figure.unit)
    goal = _amount(figure.goal, figure.unit) if figure.goal is not None else ""
    return [figure.what, _amount(figure.value, figure.unit), asked, goal, "" if figure.good else "**missed**"]


def _amount(value: float, unit: str) -> str:
    if unit == "x":
        return f"{value:.1f}x"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _plots(part: str, section: Section) -> str:
    return "".join(f"![{curve.title}](plots/{part}-{i}.svg)\n\n" for i, curve in enumerate(section.curves))


def machine() -> str:
    """One line about where this runs."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB; {system}, Sentinel {__version__}{_commit()}."


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    return f" ({done.stdout.strip()})" if done.returncode == 0 else ""


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime()) + " UTC"
