"""The body of a report as plain data: the same sections, tables and sentences for every format.

    for section in results.sections(report) + provenance.sections(report):
        ...

All text in here is unescaped; the module that prints it escapes it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ...devices.onboard.stats.estimate import Estimate
from ..records import Outcome
from . import numbers
from .numbers import Unit
from .words import ON_BUDGET, WORDS

MOST_ABREAST = 6
"""Columns of models in a table: as many as are read without scrolling on 1,280 pixels."""


MARKS: Mapping[Outcome, str] = {"ready": "✓", "not ready": "✗", "undecided": "?"}
"""The sign of a verdict, beside its word or its figure."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says.
        detail: such as an interval.
        outcome: where it is a verdict, or a figure that was judged.
        value: by which a column is sorted; None: by the text.
        judged: whether it is a figure with the sign of its outcome.
    """

    text: str
    detail: str | None = None
    outcome: Outcome | None = None
    value: float | None = None
    judged: bool = False

    def __str__(self) -> str:
        sign = f"{MARKS[self.outcome]} " if self.judged and self.outcome else ""
        return f"{sign}{self.text} ({self.detail})" if self.detail else f"{sign}{self.text}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of each row names the row.

    Attributes:
        caption: what it shows.
        head: titles of the columns.
        rows: each as long as the head.
        sorts: whether a page lets its reader sort it.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sorts: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and what is said of it.

    Attributes:
        source: data URI, made here.
        title: what it is.
        facts: pairs of what and which.
    """

    source: str
    title: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures side by side, in the page alone."""

    caption: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts of answers by truth, in the page alone; its figures are in a table, too.

    Attributes:
        caption: what it shows.
        labels: of rows and columns.
        counts: a row a true class, a column an answer.
    """

    caption: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it, in the order of the fields.

    Attributes:
        title: the heading.
        paragraphs: sentences.
        points: of a list.
        tables: in their order.
        matrix: counts with shades.
        gallery: pictures.
        commands: to type.
        more: what few readers need: folded in a page.
        open: whether the page shows it unfolded.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    matrix: Matrix | None = None
    gallery: Gallery | None = None
    commands: tuple[str, ...] = ()
    more: tuple["Section", ...] = ()
    open: bool = False


def figure(estimate: Estimate, unit: Unit) -> Cell:
    """A figure with its interval, or the reason why there is none."""
    return Cell(*numbers.parts(estimate, unit), value=estimate.value)


def brief(estimate: Estimate, unit: Unit) -> Cell:
    """As ``figure``, but the reason for a missing end of an interval stands elsewhere."""
    return Cell(*numbers.without_reason(estimate, unit), value=estimate.value)


def verdict(outcome: Outcome | None) -> Cell:
    """A verdict, or that there is none."""
    return Cell(WORDS[outcome], outcome=outcome) if outcome else Cell("not judged")


def on_budget(outcome: Outcome) -> Cell:
    """Whether one budget is met."""
    return Cell(ON_BUDGET[outcome], outcome=outcome)


def row(*cells: str | Cell) -> tuple[Cell, ...]:
    """A row of cells, plain text allowed."""
    return tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in cells)


def abreast(table: Table) -> tuple[Table, ...]:
    """A table of a column a model as several, alike in width, each as wide as a page holds.

    Of one page's width ten models with intervals leave a column of a few letters.
    """
    models = len(table.head) - 1
    count = max(1, math.ceil(models / MOST_ABREAST))
    ends = [1 + models * part // count for part in range(count + 1)]
    if count == 1:
        return (table,)
    return tuple(
        Table(
            f"{table.caption}, {part} of {count}",
            (table.head[0], *table.head[start:end]),
            tuple((cells[0], *cells[start:end]) for cells in table.rows),
            table.sorts,
        )
        for part, (start, end) in enumerate(pairwise(ends), 1)
    )


def pairs(caption: str, head: tuple[str, str], facts: Iterable[tuple[str, str]]) -> Table:
    """A table of two columns."""
    return Table(caption, head, tuple(row(*fact) for fact in facts))
