"""How every chart is drawn: colours, symbols, error bars, logarithmic ticks, safe labels.

    figure.add_trace(go.Scatter(..., error_x=error_bars([estimate]), name=label(model.name)))

Names are escaped, because plotly reads a subset of HTML in every text. Background, ink and grid are
left to the page, which knows whether it is light or dark.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from ...devices.onboard.stats.estimate import Estimate
from . import numbers

# Okabe & Ito 2008 (told apart by all common kinds of colour blindness), without the hues that
# vanish on white; the teacher is grey. Symbol and dash say the same again without colour.
GREY = "#7d7d7d"
_COLOURS = ("#0a7abf", "#d55e00", "#009e73", "#b8609a", "#9a7d00")
_SYMBOLS = ("diamond", "square", "triangle-up", "cross", "star")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_LONGEST_NAME = 28


@dataclass(frozen=True, slots=True)
class Look:
    """What tells one model from another: a colour, and a symbol or dash that says it again."""

    colour: str
    symbol: str
    dash: str


def laid_out(figure: go.Figure) -> go.Figure:
    """The layout all share; ink, grid and background are the page's."""
    return (
        figure.update_layout(
            template="none",
            paper_bgcolor="rgba(0,0,0,0)",
            plot_bgcolor="rgba(0,0,0,0)",
            margin={"l": 10, "r": 16, "t": 24, "b": 10},
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            hoverlabel={"namelength": -1},
        )
        .update_xaxes(automargin=True, zeroline=False)
        .update_yaxes(automargin=True, zeroline=False)
    )


def error_bars(estimates: Sequence[Estimate], factor: float = 1.0) -> dict[str, object]:
    """Error bars to both ends of the intervals, none where there is no interval."""
    arms = [_arms(estimate) for estimate in estimates]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high * factor for _, high in arms],
        "arrayminus": [low * factor for low, _ in arms],
        "thickness": 1.5,
        "width": 4,
    }


def _arms(estimate: Estimate) -> tuple[float, float]:
    """How far the interval reaches below and above the value."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None:
        return 0.0, 0.0
    return value - low, high - value


def log_axis() -> dict[str, object]:
    """A logarithmic axis with every tick written out: plotly's own writes 0.02 as a bare 2."""
    ticks = [step * 10.0**power for power in range(-5, 7) for step in (1, 2, 5)]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:.10g}" for tick in ticks]}


def hover(*lines: str) -> str:
    """Lines of text for a hover label, none of it read as markup or as a template."""
    return "<br>".join(html.escape(line).replace("%{", "% {") for line in lines)


def label(name: str) -> str:
    """A name as plotly text: short, and with nothing in it that plotly would take for markup."""
    name = numbers.printable(name)
    return html.escape(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…")


def look(index: int, kind: int | None = None) -> Look:
    """The look of the model in this place; place 0 is the teacher's.

    Args:
        index: the place, which gives the colour.
        kind: the place that gives symbol and dash, where it is another.
    """
    if index == 0:
        return Look(GREY, "circle", "solid")
    colour = (index - 1) % len(_COLOURS)
    at = ((index if kind is None else kind) - 1) % len(_COLOURS)
    return Look(_COLOURS[colour], _SYMBOLS[at], _DASHES[at])
