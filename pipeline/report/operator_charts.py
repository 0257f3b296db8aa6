"""Charts of operators: shares of time, the graph, a roofline (``devices.operators.roofline``).

figure = roofline(report.measured.operators)     # None where there is no roof
"""

from collections.abc import Iterator, Sequence

from ..judge.operator_types import Kind, by_type, slowest
from ..records import OperatorsRecord, OperatorTime, Roof
from . import drawing, graph_chart, numbers
from .chart import Chart
from .plot import Axis, Look, Plot, Point, Series

BARS = 12
"""Types with a bar of their own."""
NODES = 40
"""Nodes with a bar of their own."""


def of_file(record: OperatorsRecord, ending: str = "") -> Iterator[Chart]:
    """The time of one file by type, in its graph, and by node.

    Args:
        record: its operators.
        ending: of the ids of the charts, where a page has those of several files.
    """
    name, kinds = numbers.printable(record.name), by_type(record.operators)
    yield Chart(
        id=f"operators{ending}",
        title="Time by type of operator",
        caption=f"Of {name}. Operators of one type together.",
        plots=(shares(kinds),),
        missing=(),
        alternative="; ".join(f"{kind.op}: {kind.share:.1%}" for kind in kinds),
    )
    yield graph_chart.chart(record, ending)
    yield Chart(
        id=f"nodes{ending}",
        title="Time by node of the graph",
        caption=f"Of {name}, in the order in which the runtime executes "
        "them, named after the module where that is known.",
        plots=(nodes(record.operators),),
        missing=(),
        alternative="; ".join(
            f"{one.name}: {one.us:.1f} µs" for one in slowest(record.operators, 5)
        ),
    )


def rooflines(records: Sequence[OperatorsRecord], subject: OperatorsRecord) -> Chart:
    """The roofline of all files.

    Args:
        records: their operators.
        subject: the file that the words for who cannot see it are about.
    """
    drawn = roofline(records)
    return Chart(
        id="roofline",
        title="Roofline of the operators",
        caption="A mark is an operator; its area is its share of the query. The lines are this "
        "machine's limits: memory bandwidth where they rise, arithmetic where they are flat. "
        "Operators above them read their data from a cache.",
        plots=(drawn,) if drawn else (),
        missing=why_not_placed(records),
        alternative="; ".join(
            f"{operator.name}: {operator.attained:.0%} of the roofline"
            for operator in slowest(subject.operators, 5)
            if operator.attained is not None
        )
        or "nothing to draw",
    )


def shares(kinds: Sequence[Kind]) -> Plot:
    """Bars of time by type, the longest above; types beyond a dozen are one bar."""
    head, tail = kinds[:BARS], kinds[BARS:]
    bars = [(kind.op, 100.0 * kind.share) for kind in head]
    if tail:
        bars.append((f"{len(tail)} other types", 100.0 * sum(kind.share for kind in tail)))
    points = tuple(
        Point(percent, float(place), text=f"{percent:.1f} %")
        for place, (_, percent) in enumerate(bars)
    )
    most = max((percent for _, percent in bars), default=1.0)
    return Plot(
        (Series("time", drawing.look(1), points, kind="bars"),),
        Axis("Share of a query, %", span=(0.0, 1.2 * most)),
        drawing.lines([name for name, _ in bars]),
        height=56.0 + 26.0 * len(bars),
    )


def nodes(operators: Sequence[OperatorTime]) -> Plot:
    """Bars of time by node in the order of execution; of many nodes the slowest."""
    slow = sorted(range(len(operators)), key=lambda at: -operators[at].us)[:NODES]
    shown = [operators[at] for at in sorted(slow)]
    bars = [(f"{one.name} ({one.op})", 100.0 * one.share, one.us) for one in shown]
    if rest := [one for at, one in enumerate(operators) if at not in slow]:
        share, us = 100.0 * sum(one.share for one in rest), sum(one.us for one in rest)
        bars.append((f"{len(rest):,} other nodes", share, us))
    points = tuple(
        Point(
            percent,
            float(place),
            text=f"{us:.1f} µs",
            told=f"{numbers.printable(name)}: {us:.1f} µs ({percent:.1f} %)",
        )
        for place, (name, percent, us) in enumerate(bars)
    )
    most = max((percent for _, percent, _ in bars), default=1.0)
    return Plot(
        (Series("time", drawing.look(1), points, kind="bars"),),
        Axis("Share of a query, %", span=(0.0, 1.25 * most)),
        drawing.lines([name for name, _, _ in bars]),
        height=56.0 + 22.0 * len(bars),
    )


def roofline(records: Sequence[OperatorsRecord]) -> Plot | None:
    """Operations a second against intensity, an operator a mark; None without roof or operators."""
    placed = [
        (record, [operator for operator in record.operators if _placed(operator)])
        for record in records
    ]
    roofs = [record.roof for record, drawn in placed if record.roof is not None and drawn]
    if not roofs:
        return None
    series = [
        Series(
            drawing.label(record.name),
            drawing.look(index),
            tuple(map(_point, drawn)),
        )
        for index, (record, drawn) in enumerate(placed, 1)
    ]
    spans = [operator.intensity for _, drawn in placed for operator in drawn if operator.intensity]
    series += _lines(roofs[0], min(spans), max(spans))
    return Plot(
        tuple(series),
        Axis("Operations a byte (log scale)", log=True),
        Axis("10⁹ operations a second (log scale)", log=True),
        height=320.0,
    )


def _point(operator: OperatorTime) -> Point:
    intensity, gop_s = operator.intensity or 0.0, operator.gop_s or 0.0
    return Point(
        intensity,
        gop_s,
        across=7.0 + 26.0 * operator.share**0.5,
        told=f"{numbers.printable(operator.name)}: {numbers.printable(operator.op)}, "
        f"{operator.us:.1f} µs ({operator.share:.1%}), {intensity:.3g} op/byte, {gop_s:.3g} Gop/s",
    )


def _placed(operator: OperatorTime) -> bool:
    return bool(operator.intensity and operator.gop_s)


def _lines(roof: Roof, least: float, most: float) -> Iterator[Series]:
    """A line for each numeric type, from the lowest intensity to beyond the ridge point."""
    peaks = (("fp32", roof.gflop_s, ""), ("int8", roof.gop_s, "7 4"))
    for name, peak, dash in peaks:
        if peak is None:
            continue
        ridge = peak / roof.gb_s
        ends = sorted((min(least, ridge) / 1.5, ridge, 1.5 * max(most, ridge)))
        yield Series(
            f"roof, {name}",
            Look(0, "circle", dash),
            tuple(Point(intensity, min(peak, intensity * roof.gb_s)) for intensity in ends),
            kind="line",
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
