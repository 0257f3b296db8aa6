"""What a chart shows, as plain data; ``svg`` draws it.

    Plot(series=(Series("fp32", look(1), (Point(0.03, 97.6),)),), x=Axis("ms", log=True), y=Axis())

Names and hover texts are data of the user: unescaped here, escaped where they are drawn.
"""

from dataclasses import dataclass
from typing import Literal

Ends = tuple[float, float]
"""Both ends of an interval, on the axis of its figure."""


@dataclass(frozen=True, slots=True)
class Look:
    """What tells one model from another: a colour, and a symbol or dash that says it again.

    Attributes:
        colour: the number of a colour of the style sheet; 0 is grey.
        symbol: of a mark.
        dash: of a line, lengths of dashes and gaps; empty: solid.
    """

    colour: int
    symbol: str
    dash: str


@dataclass(frozen=True, slots=True)
class Point:
    """One mark, one bar or one point of a line.

    Attributes:
        x: place; of a bar its length.
        y: place; of a bar its line.
        x_ends: the interval of x; None: none is drawn.
        y_ends: the interval of y.
        across: size of a mark, in pixels.
        told: shown when a pointer rests on it.
        text: written behind a bar.
        key: by which a page's script finds a mark; empty: none.
    """

    x: float
    y: float
    x_ends: Ends | None = None
    y_ends: Ends | None = None
    across: float = 9.0
    told: str = ""
    text: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one look.

    Attributes:
        name: in the legend.
        look: colour, symbol and dash.
        points: in their order.
        kind: marks, a line through them, a line of steps, or bars from 0.
        listed: whether the legend has it.
    """

    name: str
    look: Look
    points: tuple[Point, ...]
    kind: Literal["marks", "line", "steps", "bars"] = "marks"
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Attributes:
        title: with its unit.
        log: whether it is logarithmic.
        ticks: places and their texts; None: chosen by the numbers.
        span: from where to where; None: what the points need. Reversed ends reverse the axis.
        zero: whether a line stands at 0.
    """

    title: str = ""
    log: bool = False
    ticks: tuple[tuple[float, str], ...] | None = None
    span: Ends | None = None
    zero: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """One panel.

    Attributes:
        series: drawn in this order.
        x: horizontal.
        y: vertical.
        title: above it, where a chart has several panels.
        height: of the panel, in pixels, at a width of 420.
    """

    series: tuple[Series, ...]
    x: Axis
    y: Axis
    title: str = ""
    height: float = 280.0
