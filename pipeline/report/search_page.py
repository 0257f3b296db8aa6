"""The page of a search: the frontier as charts and a table, what was tried, what mattered.

    page(record)            # one file, which needs no other

Every pair of figures has a panel; without a script all of them are shown, with it two lists choose
one, and a point that is pointed at or focused is told below the chart and marked in the table.
"""

import base64
import hashlib
import math
from collections.abc import Iterator
from itertools import combinations

from ..judge.shortfall import MARGIN
from ..records import FrontierRecord, PointRecord
from . import drawing, numbers, templates
from . import search_words as words
from .chart import Chart
from .plot import Axis, Plot, Point, Series
from .search_words import SCORE
from .sections import Cell, Table, row

_FRONTIER, _WHOLE, _SHORT = drawing.look(1), drawing.look(2), drawing.look(0)
_BAR_PX = 26


def page(record: FrontierRecord) -> str:
    """The page, as HTML."""
    script = templates.render("search.js.jinja")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return templates.render(
        "search.html.jinja",
        title=f"{record.name}: {words.against(record)}",
        sentences=(words.how_many(record), words.covered(record)),
        cautions=words.cautions(record),
        tradeoffs=tuple(tradeoffs(record)),
        keys=[(key, numbers.capital(words.title_of(record, key))) for key in _keys(record)],
        frontier=frontier(record),
        charts=(growth(record), *importances(record)),
        tables=(every(record),),
        notes=tuple(_notes(record)),
        script=templates.ours(script),
        script_hash=digest,
    )


def _keys(record: FrontierRecord) -> tuple[str, ...]:
    return (*record.objectives, SCORE)


def tradeoffs(record: FrontierRecord) -> Iterator[Chart]:
    """A chart a pair of figures, those with the score first."""
    pairs = [(x, SCORE) for x in record.objectives]
    pairs += list(combinations(record.objectives, 2))
    for x, y in pairs:
        yield _tradeoff(record, x, y)


def _tradeoff(record: FrontierRecord, x: str, y: str) -> Chart:
    groups = (
        ("explored", _SHORT, [p for p in record.points if p.on_frontier is None and not p.whole]),
        ("trained for the whole", _WHOLE, [p for p in record.points if _beaten(p)]),
        ("on the frontier", _FRONTIER, list(record.frontier)),
    )
    series = tuple(
        Series(name, look, tuple(_mark(record, point, x, y) for point in points))
        for name, look, points in groups
        if points
    )
    better = "Up and to the left" if y == SCORE else "Down and to the left"
    others = [words.title_of(record, key) for key in _keys(record) if key not in (x, y)]
    note = f" A point may be there for its {' or '.join(others)}." if others else ""
    alternative = "; ".join(told(record, point, (x, y)) for point in record.frontier)
    return Chart(
        id=f"of-{x}-{y}",
        title=f"{numbers.capital(words.title_of(record, y))} against {words.title_of(record, x)}",
        caption=f"{better} is better; bars are intervals.{note}",
        plots=(Plot(series, _axis(record, x), _axis(record, y), height=320.0),),
        missing=(),
        alternative=alternative,
    )


def _beaten(point: PointRecord) -> bool:
    return point.whole and point.on_frontier is None


def _axis(record: FrontierRecord, key: str) -> Axis:
    title = drawing.title(words.title_of(record, key), words.unit_of(record, key))
    if key == SCORE:
        return Axis(title)
    unit = _shown_unit(record, key)
    name = f"{numbers.capital(words.title_of(record, key))}, {unit[1]} (log scale)"
    return Axis(name, log=True)


def _shown_unit(record: FrontierRecord, key: str) -> tuple[float, str]:
    """Factor and name of the unit that suits the middle of a figure."""
    values = sorted(point.figures[key].value or 0.0 for point in record.points)
    middle = values[len(values) // 2]
    steps = words.unit_of(record, key).steps
    return next((step for step in steps if middle >= step[0]), steps[-1])


def _mark(record: FrontierRecord, point: PointRecord, x: str, y: str) -> Point:
    places, ends = [], []
    for key in (x, y):
        figure = point.score if key == SCORE else point.figures[key]
        unit = words.unit_of(record, key)
        factor = drawing.scale(unit) if key == SCORE else 1.0 / _shown_unit(record, key)[0]
        places.append((figure.value or 0.0) * factor)
        interval = drawing.ends(figure, factor) if point.on_frontier is not None else None
        ends.append(None if interval is None or interval[0] == interval[1] else interval)
    return Point(
        places[0],
        places[1],
        ends[0],
        ends[1],
        12.0 if point.on_frontier is not None else 8.0,
        told(record, point, _keys(record)),
        key=f"{point.on_frontier:02}" if point.on_frontier is not None else "",
    )


def told(record: FrontierRecord, point: PointRecord, keys: tuple[str, ...]) -> str:
    """A point in words, with some of its figures."""
    explored = record.explored_of(point)
    figures = []
    for key in keys:
        figure = point.score if key == SCORE else point.figures[key]
        value, interval = words.parts(record, key, figure)
        figures.append(
            f"{words.title_of(record, key)} {value}{f' ({interval})' if interval else ''}"
        )
    place = f"point {point.on_frontier:02}, " if point.on_frontier is not None else ""
    short = "" if point.whole else f" after {numbers.how_many(point.epochs, 'epoch')}, in float"
    name = f"{place}{words.student_of(explored)}, {point.file}, {words.training_of(explored)}"
    return f"{numbers.printable(name)}: {', '.join(figures)}{short}"


def frontier(record: FrontierRecord) -> Table:
    """A row a point of the frontier, with the recipe that makes it."""
    head = ("Point", "Student", "File", "Training", *_titles(record), "Budgets", "Recipe")
    rows = tuple(
        row(
            f"{point.on_frontier:02}",
            words.student_of(record.explored_of(point)),
            point.file,
            words.training_of(record.explored_of(point)),
            *_figures(record, point),
            words.budgets_of(point),
            point.recipe or "",
        )
        for point in record.frontier
    )
    return Table("Points that no other beats in all of these", head, rows, sorts=True)


def _titles(record: FrontierRecord) -> tuple[str, ...]:
    return tuple(
        numbers.capital(words.title_of(record, key)) for key in (SCORE, *record.objectives)
    )


def _figures(record: FrontierRecord, point: PointRecord) -> Iterator[Cell]:
    for key in (SCORE, *record.objectives):
        figure = point.score if key == SCORE else point.figures[key]
        value, interval = words.parts(record, key, figure)
        yield Cell(value, interval, value=figure.value)


def every(record: FrontierRecord) -> Table:
    """A row a choice that was explored."""
    rows = []
    for one in record.explored:
        if one.failed is not None:
            came = f"failed: {one.failed}"
        elif one.pruned is not None:
            came = f"not trained: {one.pruned}"
        else:
            came = (
                "trained for the whole" if one.whole else numbers.how_many(one.epochs or 0, "epoch")
            )
        score = numbers.score_unit(record.metric)
        shown = "—" if one.score is None else numbers.amount(one.score, score)
        rows.append(
            row(
                Cell(str(one.number), value=float(one.number)),
                words.student_of(one),
                words.training_of(one),
                Cell(shown, value=one.score),
                came,
            )
        )
    head = (
        "Choice",
        "Student",
        "Training",
        f"{numbers.capital(record.metric)} explored",
        "Came of it",
    )
    return Table(
        "Every choice, in the order in which they were tried", head, tuple(rows), sorts=True
    )


def growth(record: FrontierRecord) -> Chart:
    """The hypervolume after each choice."""
    found = [
        (one.number, one.hypervolume) for one in record.explored if one.hypervolume is not None
    ]
    points = tuple(Point(float(number), share) for number, share in found)
    series = (Series("hypervolume", _FRONTIER, points, kind="steps"),)
    ticks = _ticks(len(found))
    plot = Plot(series, Axis("Choices", ticks=ticks), Axis("Share of the box", span=(0.0, 1.0)))
    return Chart(
        id="hypervolume",
        title="Hypervolume over choices",
        caption="Of short trainings. Higher is better; where it stays level, further choices have "
        f"brought nothing. The frontier, trained for the whole, has {record.hypervolume or 0:.3f}. "
        f"Reference point: {_corner(record)}.",
        plots=(plot,) if len(points) > 1 else (),
        missing=() if len(points) > 1 else ("there is one choice only",),
        alternative=", ".join(f"{share:.3f} after {number}" for number, share in found),
    )


def _ticks(count: int) -> tuple[tuple[float, str], ...]:
    """Whole numbers along an axis of choices."""
    step = max(1, math.ceil(count / 8))
    return tuple((float(at), str(at)) for at in range(1, count + 1, step))


def _corner(record: FrontierRecord) -> str:
    """The reference point in words."""
    return ", ".join(
        f"{words.title_of(record, key)} {numbers.amount(value, words.unit_of(record, key))}"
        for key, value in record.reference.items()
    )


def importances(record: FrontierRecord) -> Iterator[Chart]:
    """A chart a figure, with a bar a choice."""
    keys = [key for key in (SCORE, *record.objectives) if key in record.importance]
    plots = []
    for key in keys:
        shares = sorted(record.importance[key].items(), key=lambda one: -one[1])
        bars = tuple(
            Series(
                name,
                _FRONTIER,
                (
                    Point(
                        share, float(place), text=_percent(share), told=f"{name}: {_percent(share)}"
                    ),
                ),
                kind="bars",
                listed=False,
            )
            for place, (name, share) in enumerate(shares)
        )
        plots.append(
            Plot(
                bars,
                Axis("Share of the variance", span=(0.0, 1.18), ticks=_SHARES),
                drawing.lines([name for name, _ in shares]),
                numbers.capital(words.title_of(record, key)),
                52.0 + _BAR_PX * len(shares),
            )
        )
    trained = sum(one.score is not None for one in record.explored)
    yield Chart(
        id="importance",
        title="What mattered",
        caption="How much of a figure's variance among "
        f"{numbers.how_many(trained, 'short training')} each choice explains (fANOVA, Hutter et "
        "al. 2014); of few choices this is rough.",
        plots=tuple(plots),
        missing=(record.importance_missing,) if record.importance_missing else (),
        alternative="; ".join(
            f"{words.title_of(record, key)}: "
            + ", ".join(
                f"{name} {_percent(share)}" for name, share in record.importance[key].items()
            )
            for key in keys
        ),
    )


_SHARES = ((0.0, "0"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %"))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _notes(record: FrontierRecord) -> Iterator[str]:
    yield (
        f"Each choice is a student and a way to train it. What its files take was measured before "
        f"it was trained, on files of random weights, by a short measurement on "
        f"{record.measured_on}. A measured figure beats another only where their intervals do not "
        f"overlap, or where they are more than {100 * MARGIN:.0f} % to either side apart if few "
        f"processes gave no interval; of points that are nearer both stay, and `edgestill compare` "
        f"tells them apart. Scores are compared as they are."
    )
    yield (
        f"Choices were explored with {record.share:.0%} of their epochs, by the score of the "
        f"student in float; those that no other beats were trained for the whole, and each of "
        f"their files was scored in its runtime. It ended because {record.ended}."
    )
    yield (
        f"The first choices are at random, then those of a tree-structured Parzen estimator "
        f"(Optuna {record.optuna}, seed {record.seed}); edgestill {record.edgestill}, "
        f"{record.created}."
    )
