"""The graph of the model that a report is about, coloured by time; or why it is not drawn."""

from ..judge.operator_types import slowest
from ..records import OperatorsRecord
from . import numbers
from .chart import Chart
from .graph_folding import MOST_BOXES, MOST_ROWS
from .graph_picture import Picture, picture_of


def chart(record: OperatorsRecord, ending: str = "") -> Chart:
    """The chart.

    Args:
        record: the operators of one file.
        ending: of the chart's id, where a page has those of several files.
    """
    picture = picture_of(record.operators)
    return Chart(
        id=f"graph{ending}",
        title="Graph of the model, by time",
        caption=_caption(record, picture),
        plots=(),
        missing=() if picture else (_why_not(record),),
        alternative="The slowest: "
        + "; ".join(f"{one.name}: {one.share:.1%}" for one in slowest(record.operators, 5)),
        graph=picture,
    )


def _caption(record: OperatorsRecord, picture: Picture | None) -> str:
    folded = picture.folded if picture else 0
    together = (
        f" Boxes with dashed edges stand for several operators: "
        f"{numbers.how_many(folded, 'operator')} in all."
        if folded
        else ""
    )
    return (
        f"Of {numbers.printable(record.name)} as the runtime executes it, from top to bottom; the "
        f"darker, the more of a query.{together}"
    )


def _why_not(record: OperatorsRecord) -> str:
    name, count = numbers.printable(record.name), len(record.operators)
    if any(one.after is None for one in record.operators):
        return f"{name}: the version that measured it did not record which operator reads which"
    return (
        f"{name}: the {count:,} operators need more than {MOST_BOXES} boxes or {MOST_ROWS} rows, "
        "or stand too many side by side; the time of each is in the list of nodes"
    )
