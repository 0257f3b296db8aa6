"""A search in words: what a student is called, what its figures are, what mattered.

>>> mattered(record)
'of accuracy, student.width explains 61 %, student.model 22 %, distill.alpha 9 %'
"""

from collections.abc import Iterator, Mapping

from ...devices.onboard.stats.estimate import Estimate
from ..records import ExploredRecord, FrontierRecord, PointRecord
from . import numbers
from .numbers import Unit

SCORE = "score"
UNITS: dict[str, Unit] = {
    "latency": numbers.MILLISECONDS,
    "size": numbers.BYTES,
    "memory": numbers.BYTES,
    "energy": numbers.MICROJOULES,
}
"""By objective."""
TITLES = {
    "latency": "latency p50",
    "size": "file size",
    "memory": "peak memory",
    "energy": "energy proxy per query",
}
_STUDENT = ("student.model", "student.width")
_MOST = 3


def unit_of(record: FrontierRecord, key: str) -> Unit:
    """How an objective, or the score, is printed."""
    return numbers.score_unit(record.metric) if key == SCORE else UNITS[key]


def title_of(record: FrontierRecord, key: str) -> str:
    """What an objective, or the score, is called."""
    return f"{record.metric} on validation" if key == SCORE else TITLES[key]


def student_of(explored: ExploredRecord) -> str:
    """``resnet8 × 16``; of a search that keeps the student, that it is the recipe's."""
    if "student.model" not in explored.settings:
        return "as in the recipe"
    model, width = (explored.settings[key] for key in _STUDENT)
    return f"{model} × {width:g}"


def training_of(explored: ExploredRecord) -> str:
    """What was chosen besides the student: ``kd, temperature 4, alpha 0.9``."""
    chosen = {k: v for k, v in explored.settings.items() if k not in _STUDENT}
    return ", ".join(_told(key, value) for key, value in chosen.items()) or "as in the recipe"


def _told(key: str, value: str | float) -> str:
    name = key.partition(".")[2].replace("_", " ")
    if isinstance(value, str):
        return value
    return f"{name} {value:g}"


def budgets_of(point: PointRecord) -> str:
    """Whether a point is expected to meet the budgets, and which it misses."""
    if not point.misses:
        return "met" if point.whole else "of resources: met"
    return f"misses {', '.join(miss.key for miss in point.misses)}"


def parts(record: FrontierRecord, key: str, figure: Estimate) -> tuple[str, str | None]:
    """A figure and its interval; None where it is exact or has none."""
    value, interval = numbers.without_reason(figure, unit_of(record, key))
    if figure.kind == "predicted":
        return f"{value} (predicted)", interval
    return value, None if interval == numbers.NO_INTERVAL else interval


def mattered(record: FrontierRecord) -> str | None:
    """The choices that explain most of the score, in a sentence; None where that is not known."""
    shares = record.importance.get(SCORE, {})
    if not shares:
        return None
    listed = ", ".join(_shares(shares))
    return f"of {record.metric}, {listed}"


def _shares(shares: Mapping[str, float]) -> Iterator[str]:
    ordered = sorted(shares.items(), key=lambda one: -one[1])[:_MOST]
    for place, (key, share) in enumerate(ordered):
        yield f"{key}{' explains' if place == 0 else ''} {share:.0%}".replace("%", " %")


def covered(record: FrontierRecord) -> str:
    """The hypervolume with what it is measured in."""
    names = " and ".join(("the score", *record.objectives))
    share = record.hypervolume or 0.0
    return (
        f"hypervolume {share:.3f}: the frontier covers {100 * share:.1f} % of the box between the "
        f"worst and the best that was seen of {names} (resources by their logarithms)"
    )


def against(record: FrontierRecord) -> str:
    """``accuracy against latency and size``."""
    *most, last = record.objectives
    return f"{record.metric} against {', '.join(most)}{' and ' if most else ''}{last}"


def cautions(record: FrontierRecord) -> tuple[str, ...]:
    """What a reader of the scores has to know."""
    found = [
        f"scores are those of validation ({numbers.how_many(record.samples, 'sample')}), by which "
        "the points were picked, so expect a little less on test, which nobody looked at: build a "
        "point's recipe for its verdict",
    ]
    short = sum(not point.whole for point in record.frontier)
    if short:
        found.append(
            f"{numbers.how_many(short, 'point')} of the frontier had only the short training "
            f"({record.share:.0%} of the epochs), with the score of the student in float"
        )
    if not record.on_target:
        found.append(
            f"latency is predicted for {record.target}; nothing was measured there, only on "
            f"{record.measured_on}"
        )
    return tuple(found)


def how_many(record: FrontierRecord) -> str:
    """How many choices were tried, and what became of them."""
    trained = sum(one.score is not None for one in record.explored)
    pruned = sum(one.pruned is not None for one in record.explored)
    failed = sum(one.failed is not None for one in record.explored)
    whole = sum(one.whole for one in record.explored)
    parts_ = [
        f"{numbers.how_many(len(record.explored), 'choice')}: {trained} trained for a short time",
        f"{whole} for the whole",
    ]
    if pruned:
        parts_.append(f"{pruned} left out before training")
    if failed:
        parts_.append(f"{failed} failed")
    return ", ".join(parts_)
