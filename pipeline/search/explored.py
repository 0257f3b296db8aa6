"""One choice of a search: what its files take, then a short training, then perhaps the whole.

    tried = briefly(tried, trials, …)    # after a short training, unless it is left out
    wholly(tried, trials, …)             # all of its epochs; each file scored by itself

A file that is not whole has the score of the student in float after the short training: exporting
and scoring every file of every choice would take longer than training it, and is done for those
that no other beats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...devices.onboard.stats.estimate import Estimate
from ..judge.gate import judge
from ..judge.shortfall import MARGIN
from ..recipe.architecture import Architecture
from ..recipe.recipe import Recipe
from ..records import BenchmarkRecord, Shortfall, VerifyRecord
from .objectives import figures_of, known
from .pareto import SCORE, Span, dominates, minimized
from .shortfalls import expected, keys_of_resources, missed, of_resources
from .trials import Trials

Picks = Mapping[str, int]
_FAR = 1.0
"""Over a budget of resources by more than this share of it in every file: it is not trained."""
_MOST = {"share": 1.0}
"""The best score there can be, by the unit of the metric."""
_EXPLORED = "the student in float on validation, after a short training"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a choice.

    Attributes:
        score: on validation.
        figures: by objective.
        misses: budgets that it is expected to miss.
    """

    score: Estimate
    figures: Mapping[str, Estimate]
    misses: tuple[Shortfall, ...] = ()

    @property
    def values(self) -> dict[str, float]:
        """The score and what it takes, as numbers."""
        found = {SCORE: self.score, **self.figures}
        return {key: one.value for key, one in found.items() if one.value is not None}

    def spans(self, score: float) -> tuple[Span, ...]:
        """Between which values each figure may be, to be minimized.

        Args:
            score: in place of its own. Scores are compared as they are: all of them are of the
                same samples.
        """
        return (-score, -score), *map(_span, self.figures.values())


def _span(figure: Estimate) -> Span:
    """The interval of what was measured; of few processes, which give none, a margin around it.

    Predictions are wrong by the same model, so that they are compared as they are.
    """
    value = figure.value or 0.0
    if figure.kind != "measured" or value <= 0.0:
        return value, value
    low, high = figure.low, figure.high
    return (
        value * (1.0 - MARGIN) if low is None else low,
        value * (1.0 + MARGIN) if high is None else high,
    )


@dataclass(frozen=True, slots=True)
class Tried:
    """A choice and what came of it.

    Attributes:
        picks: of the space.
        recipe: that it makes.
        change: by key of the recipe.
        files: by name; empty where it was left out or failed.
        pruned: why it was not trained.
        failed: the error that ended it.
        epochs: of its training.
        score: of the student in float.
        seconds: of its training, 0 where it was in the store.
        whole: whether it was trained for all of its epochs and its files scored.
    """

    picks: Picks
    recipe: Recipe
    change: Mapping[str, Any]
    files: Mapping[str, File] = field(default_factory=dict)
    pruned: str | None = None
    failed: str | None = None
    epochs: int | None = None
    score: float | None = None
    seconds: float = 0.0
    whole: bool = False


def takes(trials: Trials, recipe: Recipe) -> BenchmarkRecord:
    """What the files of a recipe's student take, by those of an untrained one."""
    return trials.resources(recipe, recipe.student.only(Architecture), timed=True)


def left_out(
    recipe: Recipe,
    measured: BenchmarkRecord,
    figures: Mapping[str, Mapping[str, Estimate]],
    others: Sequence[Tried],
    best: float | None,
) -> str | None:
    """Why a choice is not worth a training; None: it is.

    Args:
        recipe: of the choice.
        measured: what its files take.
        figures: the same by file and objective.
        others: that were tried before.
        best: the score that none can exceed, where there is such.
    """
    by_file = {name: missed(checks) for name, checks in of_resources(recipe.gate, measured).items()}
    if not by_file and keys_of_resources(recipe.gate):
        return "no file of it can meet the budgets"
    if by_file:
        name = min(by_file, key=lambda one: max((m.excess for m in by_file[one]), default=0.0))
        worst = max(by_file[name], key=lambda miss: miss.excess, default=None)
        if worst is not None and worst.excess > _FAR:
            times = worst.value / worst.budget
            return f"its nearest file, {name}, takes {times:.1f} times what {worst.key} allows"
    if best is None:
        return None
    perfect = [
        minimized(file.values)
        for other in others
        for file in other.files.values()
        if file.score.value == best
    ]
    hoped = [minimized({SCORE: best, **_numbers(own)}) for own in figures.values()]
    if all(any(dominates(one, own) or one == own for one in perfect) for own in hoped):
        return f"a smaller one has the best score there is, {best:g}, already"
    return None


def best_of(unit: str) -> float | None:
    """The best score of a metric with this unit; None where there is none to be reached."""
    return _MOST.get(unit)


def _numbers(figures: Mapping[str, Estimate]) -> dict[str, float]:
    return {key: one.value for key, one in figures.items() if one.value is not None}


def briefly(
    tried: Tried,
    trials: Trials,
    figures: Mapping[str, Mapping[str, Estimate]],
    measured: BenchmarkRecord,
    share: float,
) -> Tried:
    """The choice after a short training.

    Args:
        tried: a choice that is worth it.
        trials: runs the training.
        figures: what its files take, by file and objective.
        measured: the same, for budgets.
        share: of its epochs.
    """
    record = trials.short_training(tried.recipe, share)
    samples = trials.data(tried.recipe).record.samples("validation")
    why = "one short training has none; the whole one is scored file by file"
    score = Estimate(record.validation_score, None, None, _EXPLORED, samples, why, kind="measured")
    checks = of_resources(tried.recipe.gate, measured)
    files = {name: File(score, own, missed(checks.get(name, ()))) for name, own in figures.items()}
    return replace(tried, files=files, epochs=len(record.curve), score=record.validation_score)


def wholly(tried: Tried, trials: Trials, objectives: Sequence[str]) -> Tried:
    """The choice after the whole training: each file scored in the runtime that ships it.

    Args:
        tried: a choice that had a short training.
        trials: runs the training.
        objectives: what is weighed against the score.
    """
    quality, measured = trials.on_validation(tried.recipe, timed=True)
    figures = known(figures_of(measured, objectives))
    verdict = judge(tried.recipe.gate, quality, measured)
    samples = trials.data(tried.recipe).record.samples("test")
    misses = expected(verdict, quality, samples)
    faulty = {one.name for one in verdict.variants if one.faults}
    scores = _scores(quality)
    files = {
        name: File(scores[name], own, misses.get(name, ()))
        for name, own in figures.items()
        if name in scores and name not in faulty and scores[name].value is not None
    }
    return replace(tried, files=files, epochs=tried.recipe.distill.epochs, whole=True)


def _scores(quality: VerifyRecord) -> dict[str, Estimate]:
    return {one.name: one.score for one in quality.variants}
