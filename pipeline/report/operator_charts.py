"""Charts of operators: shares of time, and a roofline (``devices.operators.roofline``).

figure = roofline(report.measured.operators)     # None where there is no roof
"""

from collections.abc import Iterator, Sequence

import plotly.graph_objects as go

from ..judge.operator_types import Kind
from ..records import OperatorsRecord, OperatorTime, Roof
from . import drawing, numbers

BARS = 12
"""Types with a bar of their own."""


def shares(kinds: Sequence[Kind]) -> go.Figure:
    """Bars of time by type, the longest above; types beyond a dozen are one bar."""
    head, tail = kinds[:BARS], kinds[BARS:]
    names = [drawing.label(kind.op) for kind in head]
    percents = [100.0 * kind.share for kind in head]
    if tail:
        names.append(f"{len(tail)} other types")
        percents.append(100.0 * sum(kind.share for kind in tail))
    figure = go.Figure(
        go.Bar(
            x=percents,
            y=names,
            orientation="h",
            text=[f"  {share:.1f} %" for share in percents],
            textposition="outside",
            cliponaxis=False,
            marker={"color": drawing.look(1).colour},
            hovertemplate="%{y}: %{text}<extra></extra>",
            showlegend=False,
        )
    )
    figure = drawing.laid_out(figure)
    figure.update_xaxes(title="Share of a query, %", range=[0, 1.2 * max(percents, default=1.0)])
    figure.update_yaxes(autorange="reversed")
    return figure


def roofline(records: Sequence[OperatorsRecord]) -> go.Figure | None:
    """Operations a second against intensity, an operator a mark; None without roof or operators."""
    placed = [
        (record, [operator for operator in record.operators if _placed(operator)])
        for record in records
    ]
    roofs = [record.roof for record, drawn in placed if record.roof is not None and drawn]
    if not roofs:
        return None
    figure = go.Figure()
    for index, (record, drawn) in enumerate(placed, 1):
        look = drawing.look(index)
        figure.add_trace(
            go.Scatter(
                x=[operator.intensity for operator in drawn],
                y=[operator.gop_s for operator in drawn],
                mode="markers",
                name=drawing.label(record.name),
                marker={
                    "symbol": look.symbol,
                    "size": [8.0 + 30.0 * operator.share**0.5 for operator in drawn],
                    "color": look.colour,
                    "opacity": 0.75,
                },
                customdata=[
                    drawing.hover(
                        operator.name,
                        f"{operator.op}, {operator.us:.1f} µs ({operator.share:.1%})",
                        f"{operator.intensity:.3g} op/byte, {operator.gop_s:.3g} Gop/s",
                    )
                    for operator in drawn
                ],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    spans = [operator.intensity for _, drawn in placed for operator in drawn if operator.intensity]
    for trace in _lines(roofs[0], min(spans), max(spans)):
        figure.add_trace(trace)
    figure.update_xaxes(title="Operations a byte (log scale)", **drawing.log_axis())
    figure.update_yaxes(title="10⁹ operations a second (log scale)", **drawing.log_axis())
    return drawing.laid_out(figure)


def _placed(operator: OperatorTime) -> bool:
    return bool(operator.intensity and operator.gop_s)


def _lines(roof: Roof, least: float, most: float) -> Iterator[go.Scatter]:
    """A line for each numeric type, from the lowest intensity to beyond the ridge point."""
    peaks = (("fp32", roof.gflop_s, "solid"), ("int8", roof.gop_s, "dash"))
    for name, peak, dash in peaks:
        if peak is None:
            continue
        ridge = peak / roof.gb_s
        ends = sorted((min(least, ridge) / 1.5, ridge, 1.5 * max(most, ridge)))
        yield go.Scatter(
            x=ends,
            y=[min(peak, intensity * roof.gb_s) for intensity in ends],
            mode="lines",
            name=f"roof, {name}",
            line={"color": drawing.GREY, "dash": dash, "width": 2},
            hoverinfo="skip",
        )


def why_not_placed(records: Sequence[OperatorsRecord]) -> tuple[str, ...]:
    """What the roofline leaves out, and why."""
    said = []
    for record in records:
        if record.roof is None:
            said.append(f"{record.name}: {record.roof_missing}")
            continue
        left = sum(not _placed(operator) for operator in record.operators)
        if left:
            noun = numbers.how_many(left, "operator")
            said.append(f"{record.name}: {noun} without arithmetic or measurable time")
    return tuple(said)
