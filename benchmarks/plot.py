"""Drawings of results as SVG, without a library: horizontal bars, or a line over points evenly apart."""

from __future__ import annotations

from html import escape

from benchmarks.report import Curve

WIDTH, LEFT, RIGHT, STEP, TOP = 760, 250, 90, 26, 44
HEIGHT = 260
INK, PALE, OURS = "#333", "#9ab", "#d5652b"


def svg(curve: Curve) -> str:
    """A whole document on a white ground, so that it is seen on a dark page, too."""
    height, marks = _line(curve) if curve.line else _bars(curve)
    title = _text(12, 24, curve.title, size=15)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n{title}\n' + "\n".join(marks) + "\n</svg>\n"
    )


def _bars(curve: Curve) -> tuple[int, list[str]]:
    most = max(value for _, value in curve.points) or 1.0
    marks = []
    for place, (name, value) in enumerate(curve.points):
        y = TOP + place * STEP
        wide = value / most * (WIDTH - LEFT - RIGHT)
        colour = OURS if name.startswith("Sentinel") else PALE
        marks.append(f'<rect x="{LEFT}" y="{y}" width="{wide:.1f}" height="{STEP - 8}" fill="{colour}"/>')
        marks.append(_text(LEFT - 8, y + 14, name, anchor="end"))
        marks.append(_text(LEFT + wide + 6, y + 14, _number(value, curve.unit)))
    return TOP + len(curve.points) * STEP + 12, marks


def _line(curve: Curve) -> tuple[int, list[str]]:
    most = max(value for _, value in curve.points) or 1.0
    bottom, wide = HEIGHT - 40, WIDTH - 120
    between = wide / max(len(curve.points) - 1, 1)
    spots = [
        (60 + place * between, bottom - value / most * (bottom - TOP - 20))
        for place, (_, value) in enumerate(curve.points)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    marks = [
        f'<line x1="60" y1="{bottom}" x2="{60 + wide}" y2="{bottom}" stroke="{INK}"/>',
        f'<polyline points="{path}" fill="none" stroke="{OURS}" stroke-width="2"/>',
    ]
    every = max(1, len(spots) // 8)
    for (x, y), (name, value) in list(zip(spots, curve.points, strict=True))[::every]:
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{OURS}"/>')
        marks.append(_text(x, y - 8, _number(value, curve.unit), anchor="middle"))
        marks.append(_text(x, bottom + 18, name, anchor="middle"))
    return HEIGHT, marks


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} font-size="{size}" fill="{INK}">{escape(text)}</text>'


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
