"""``student.model = "auto"``: the candidate that becomes the student.

The largest candidates that fit are trained for a short time; by their scores on validation a third
of them goes on for three times as long, until one is left (successive halving: Jamieson & Talwalkar
2016, "Non-stochastic best arm identification", AISTATS). Each training has a schedule of its own
length, since a learning rate that has not come down yet hides which model is better.
"""

import math
from typing import NamedTuple

from ...errors import RecipeError
from ..judge.budgets import BUDGETS
from ..preflight import fits
from ..printable import how_many
from ..progress import Progress
from ..recipe.recipe import Recipe
from ..recipe.search import AUTO
from ..records import Cost
from .candidates import Candidates
from .family import architectures
from .shortfalls import ARENA, keys_of_resources
from .trials import Trials, settings_of, with_student

MICRO = "tflite-micro"
"""The format whose files have an arena."""
_CARRIED = frozenset({"int8-static", "int8-qat"})
"""The variants that it takes."""
_GO_ON = 3
"""One finalist of so many goes on, for so many times as long."""


class ChosenStudent(NamedTuple):
    """The student that was chosen.

    Attributes:
        recipe: with it.
        candidates: all of them, with what is known of each.
        scores: on validation after the last short training that a finalist had.
        cost: of the one that was chosen.
    """

    recipe: Recipe
    candidates: Candidates
    scores: dict[Cost, float]
    cost: Cost


def choose(recipe: Recipe, trials: Trials) -> ChosenStudent:
    """Measure candidates, train the largest that fit for a short time, and take the best.

    Where none fits, the one that misses the budgets by the least is taken: it is the ladder's to
    go on from, and the verdict's to refuse.

    Args:
        recipe: whose student is ``auto``.
        trials: runs what is measured and trained.

    Raises:
        RecipeError: nothing that a file takes of the device is limited.
        EdgestillError: as a build; what the recipe asks of the data is checked before any
            candidate is measured.
    """
    search, progress = settings_of(recipe), trials.progress
    _has_budgets(recipe)
    _can_have_an_arena(recipe)
    data = trials.data(recipe).record
    suited = architectures(search, data)
    fits(with_student(recipe, suited[0]), data)
    costs = trials.costs(recipe, suited)
    candidates = Candidates(costs, recipe.gate)
    while (cost := candidates.to_measure(search.finalists)) is not None:
        candidates.add(cost, trials.resources(recipe, cost.architecture))
        progress.note(f"search: {cost.name} {_told(candidates, cost)}")
    finalists = candidates.fitting()[: search.finalists]
    measured = sum(map(candidates.is_measured, costs))
    progress.note(
        f"search: {how_many(len(costs), 'candidate')}, {measured} measured, "
        f"{len(candidates.fitting())} fit"
    )
    if not finalists:
        nearest = candidates.closest()
        if nearest is None:
            raise _without_files(recipe, trials, candidates)
        progress.note(f"search: none fits; the nearest is {nearest.name}")
        return ChosenStudent(with_student(recipe, nearest.architecture), candidates, {}, nearest)
    scores = _halved(recipe, trials, finalists)
    best = max(finalists, key=lambda cost: (_rounds(scores, cost), cost.macs))
    progress.note(f"search: {best.name} is the student")
    last = {cost: found[-1] for cost, found in scores.items()}
    return ChosenStudent(with_student(recipe, best.architecture), candidates, last, best)


def _has_budgets(recipe: Recipe) -> None:
    """Refuse a choice by nothing: without a limit the largest of all candidates would fit."""
    if not keys_of_resources(recipe.gate):
        keys = (key for key, budget in BUDGETS.items() if budget.measured is not None)
        raise RecipeError(
            found=f"student.model = {AUTO!r}, and no budget that a student could be chosen by",
            expected=f"one of {', '.join(keys)}",
            where="gate",
            fix="set one, such as max_size_kib = 256, or name the student",
        )


def _can_have_an_arena(recipe: Recipe) -> None:
    """Refuse a budget of the arena where no file that is to be made could have one."""
    if ARENA not in recipe.gate.budgets():
        return
    if MICRO not in recipe.export.formats:
        raise RecipeError(
            found=f"gate.{ARENA}, and export.formats = {list(recipe.export.formats)}",
            expected=f"{MICRO!r} among them, whose files alone have an arena",
            where="export.formats",
            fix=f'formats = ["onnx", "{MICRO}"] in [export]',
        )
    variants = recipe.compress.variants
    if not _CARRIED.intersection(variants):
        raise RecipeError(
            found=f"gate.{ARENA}, and compress.variants = {list(variants)}",
            expected=f"int8-static or int8-qat among them, which {MICRO} takes",
            where="compress.variants",
            fix='add "int8-static"',
        )


def _told(candidates: Candidates, cost: Cost) -> str:
    if not candidates.has_files(cost):
        return "has no file that can meet the budgets"
    return "fits" if candidates.fits(cost) else "does not fit"


def _without_files(recipe: Recipe, trials: Trials, candidates: Candidates) -> RecipeError:
    """No candidate has a file that the app takes, or that has an arena: what the formats say."""
    measured = [cost for cost in candidates.costs if candidates.is_measured(cost)]
    why = [
        f"{cost.name}: {one.variant} is not in {one.format}, for {one.reason}"
        for cost in measured[:1]
        for one in trials.not_carried(recipe, cost.architecture)
    ]
    return RecipeError(
        found=f"no candidate of which a file can meet the budgets ({'; '.join(why) or 'no file'})",
        expected="models of which the formats that ship can have a file",
        where="search.models",
        fix="name other models, or leave search.models out; or change export.formats, "
        "gate.runtimes and compress.variants",
    )


def _rounds(scores: dict[Cost, list[float]], cost: Cost) -> tuple[int, float]:
    """How many rounds a finalist was in, and its score in the last."""
    found = scores.get(cost, [])
    return len(found), found[-1] if found else 0.0


def _halved(recipe: Recipe, trials: Trials, finalists: list[Cost]) -> dict[Cost, list[float]]:
    """Scores on validation, one a round."""
    scores: dict[Cost, list[float]] = {}
    share, left = settings_of(recipe).finalist_share, list(finalists)
    while len(left) > 1:
        short = {cost: with_student(recipe, cost.architecture) for cost in left}
        trials.ahead(short.values(), "short training", min(share, 1.0))
        for cost in left:
            record = trials.short_training(short[cost], min(share, 1.0))
            scores.setdefault(cost, []).append(record.validation_score)
            _tell(trials.progress, cost, record.validation_score, share)
        left.sort(key=lambda cost: scores[cost][-1], reverse=True)
        if share >= 1.0:
            break
        left, share = left[: math.ceil(len(left) / _GO_ON)], share * _GO_ON
    return scores


def _tell(progress: Progress, cost: Cost, score: float, share: float) -> None:
    progress.note(
        f"search: {cost.name} scores {score:.4f} on validation after {min(share, 1.0):.0%} of its "
        "epochs"
    )
