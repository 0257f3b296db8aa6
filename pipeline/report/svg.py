"""A plot as inline SVG: no script, colours of the page's style sheet, every name escaped.

    drawing = panel(plot, "p50 of fp32 is 31 µs")       # '<svg viewBox="0 0 420 280" role="img" …'

Text, lines and marks take their colour by class, so that one drawing serves light, dark and paper.
"""

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass

from .axis import Scale, scale_of
from .plot import Look, Plot, Point, Series

WIDTH = 420
_TEXT = 7.2
"""Pixels of a letter at 13.5 pixels, the size on a phone, on average in common faces."""
_RIGHT, _TOP, _BOTTOM = 14.0, 8.0, 40.0
_MOST_LEFT = 212.0


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a panel's area lies, and what places its points."""

    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale

    def across(self, value: float) -> float:
        return self.left + self.x.share(value) * (self.right - self.left)

    def down(self, value: float) -> float:
        return self.bottom - self.y.share(value) * (self.bottom - self.top)


def panel(plot: Plot, alternative: str) -> str:
    """The drawing.

    Args:
        plot: what to draw.
        alternative: the same in words.
    """
    frame = _frame(plot)
    height = plot.height
    parts = [
        *_axes(plot, frame),
        *(part for series in plot.series for part in _series(series, frame)),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{_text(alternative)}">'
        f"{''.join(parts)}</svg>"
    )


def swatch(series: Series) -> str:
    """A series' sign in a legend."""
    look = series.look
    drawn = _symbol(look.symbol, 13, 7, 9)
    if series.kind == "bars":
        drawn = '<rect x="6" y="2" width="14" height="10"/>'
    elif series.kind != "marks":
        return (
            f'<svg class="swatch c{look.colour}" viewBox="0 0 26 14" aria-hidden="true">'
            f'<path class="line" d="M1 7H25"{_dash(look)}/></svg>'
        )
    return (
        f'<svg class="swatch c{look.colour}" viewBox="0 0 26 14" aria-hidden="true">'
        f'<g class="mark">{drawn}</g></svg>'
    )


def _frame(plot: Plot) -> _Frame:
    points = [point for series in plot.series for point in series.points]
    from_zero = any(series.kind == "bars" for series in plot.series)
    across = [value for point in points for value in (point.x, *(point.x_ends or ()))]
    down = [value for point in points for value in (point.y, *(point.y_ends or ()))]
    x = scale_of(plot.x, [0.0, *across] if from_zero else across, ticks=5)
    y = scale_of(plot.y, down, ticks=max(3, int(plot.height / 48)))
    longest = max((len(text) for _, text in y.ticks), default=0)
    left = min(_MOST_LEFT, 10.0 + _TEXT * longest) + (18.0 if plot.y.title else 0.0)
    bottom = plot.height - (_BOTTOM if plot.x.title else 22.0)
    return _Frame(left, WIDTH - _RIGHT, _TOP, bottom, x, y)


def _axes(plot: Plot, frame: _Frame) -> Iterator[str]:
    """Grid, ticks and titles."""
    for value, text in frame.x.ticks:
        x = frame.across(value)
        yield f'<path class="grid" d="M{x:.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>'
        anchor = "end" if x > frame.right - 16 and len(text) > 4 else "middle"
        yield (
            f'<text x="{x:.1f}" y="{frame.bottom + 15:.1f}" text-anchor="{anchor}">'
            f"{_text(text)}</text>"
        )
    for value, text in frame.y.ticks:
        y = frame.down(value)
        yield f'<path class="grid" d="M{frame.left:.1f} {y:.1f}H{frame.right:.1f}"/>'
        yield (
            f'<text x="{frame.left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{_text(text)}</text>'
        )
    if plot.x.zero:
        yield (
            f'<path class="zero" d="M{frame.across(0.0):.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>'
        )
    if plot.x.title:
        middle = (frame.left + frame.right) / 2
        yield (
            f'<text class="title" x="{middle:.1f}" y="{frame.bottom + 33:.1f}" '
            f'text-anchor="middle">{_text(plot.x.title)}</text>'
        )
    if plot.y.title:
        middle = (frame.top + frame.bottom) / 2
        yield (
            f'<text class="title" transform="translate(12 {middle:.1f}) rotate(-90)" '
            f'text-anchor="middle">{_text(plot.y.title)}</text>'
        )


def _series(series: Series, frame: _Frame) -> Iterator[str]:
    drawn = [point for point in series.points if frame.x.has(point.x) and frame.y.has(point.y)]
    if not drawn:
        return
    yield f'<g class="c{series.look.colour}">'
    if series.kind in ("line", "steps"):
        yield f'<path class="line" d="{_path(series, drawn, frame)}"{_dash(series.look)}/>'
    else:
        for point in drawn:
            yield from _bar(point, frame) if series.kind == "bars" else _mark(series, point, frame)
    yield "</g>"


def _path(series: Series, points: list[Point], frame: _Frame) -> str:
    """A line through points; of steps each holds until the next begins."""
    places = [(frame.across(point.x), frame.down(point.y)) for point in points]
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}"
    for x, y in places[1:]:
        path += f"H{x:.1f}V{y:.1f}" if series.kind == "steps" else f"L{x:.1f} {y:.1f}"
    return path


def _mark(series: Series, point: Point, frame: _Frame) -> Iterator[str]:
    x, y = frame.across(point.x), frame.down(point.y)
    key = f' data-key="{_text(point.key)}"' if point.key else ""
    yield f'<g class="point"{key}>'
    yield from _whiskers(point, frame)
    shape = _symbol(series.look.symbol, x, y, point.across)
    yield f'<g class="mark">{shape}{_told(point)}</g></g>'


def _bar(point: Point, frame: _Frame) -> Iterator[str]:
    start, end, y = frame.across(0.0), frame.across(point.x), frame.down(point.y)
    half = 0.32 * abs(frame.down(0.0) - frame.down(1.0))
    yield '<g class="point">'
    yield (
        f'<g class="mark"><rect x="{start:.1f}" y="{y - half:.1f}" '
        f'width="{max(0.5, end - start):.1f}" height="{2 * half:.1f}"/>{_told(point)}</g>'
    )
    yield from _whiskers(point, frame)
    furthest = max(end, frame.across(point.x_ends[1]) if point.x_ends else end)
    if point.text:
        yield f'<text x="{furthest + 6:.1f}" y="{y + 4:.1f}">{_text(point.text)}</text>'
    yield "</g>"


def _whiskers(point: Point, frame: _Frame) -> Iterator[str]:
    """The interval of a point, with a foot at each end."""
    x, y = frame.across(point.x), frame.down(point.y)
    if point.x_ends is not None:
        low, high = (frame.across(end) for end in point.x_ends)
        feet = "".join(f"M{end:.1f} {y - 4:.1f}v8" for end in (low, high))
        yield f'<path class="whisker" d="M{low:.1f} {y:.1f}H{high:.1f}{feet}"/>'
    if point.y_ends is not None:
        low, high = (frame.down(end) for end in point.y_ends)
        feet = "".join(f"M{x - 4:.1f} {end:.1f}h8" for end in (low, high))
        yield f'<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}{feet}"/>'


def _symbol(symbol: str, x: float, y: float, across: float) -> str:
    """A mark around a point."""
    r = across / 2
    if symbol == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}"/>'
    if symbol == "square":
        side = 0.9 * across
        return (
            f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" '
            f'width="{side:.1f}" height="{side:.1f}"/>'
        )
    corners = " ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in _CORNERS[symbol])
    return f'<polygon points="{corners}"/>'


def _star() -> tuple[tuple[float, float], ...]:
    turns = [math.pi * (step / 5 - 0.5) for step in range(10)]
    reach = [1.2 if step % 2 == 0 else 0.5 for step in range(10)]
    return tuple((r * math.cos(a), r * math.sin(a)) for a, r in zip(turns, reach, strict=True))


_ARM = 0.36
_CORNERS: dict[str, tuple[tuple[float, float], ...]] = {
    "diamond": ((0, -1.15), (1.15, 0), (0, 1.15), (-1.15, 0)),
    "triangle": ((0, -1.1), (1.1, 0.85), (-1.1, 0.85)),
    "cross": tuple(
        (x * a, y * b)
        for x, y, of in ((1, -1, "hv"), (1, 1, "vh"), (-1, 1, "hv"), (-1, -1, "vh"))
        for a, b in (
            ((_ARM, 1), (_ARM, _ARM), (1, _ARM))
            if of == "hv"
            else ((1, _ARM), (_ARM, _ARM), (_ARM, 1))
        )
    ),
    "star": _star(),
}


def _told(point: Point) -> str:
    return f"<title>{_text(point.told)}</title>" if point.told else ""


def _dash(look: Look) -> str:
    return f' stroke-dasharray="{look.dash}"' if look.dash else ""


def _text(text: str) -> str:
    return html.escape(text)
