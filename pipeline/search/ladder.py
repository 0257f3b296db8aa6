"""The ladder: where a budget is missed, what may help is tried, the cheapest first.

    climbed = climb(recipe, trials, candidates=None, until=time.monotonic() + 3600)
    climbed.recipe, climbed.rungs

Each rung is a build without its verdict: the files are scored on validation and measured for a
short time (``shortfalls``). A change that brings the nearest file closer to the budgets is kept,
and the next rung goes on from it. The first recipe that is expected to be READY ends the climb.
Test takes no part, so that the verdict on test keeps its error rate however many rungs there
were.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...devices.onboard.stats.estimate import Estimate
from ...errors import EdgestillError, StorageError
from ..compress.plan import plan as plan_of
from ..judge.budgets import UNDECIDING
from ..judge.gate import judge
from ..judge.rungs import RUNGS, State, saturates, teacher_is_short
from ..recipe.files import in_toml, parse
from ..recipe.recipe import Recipe
from ..recipe.search import RungName
from ..records import DataRecord, RungRecord, Shortfall
from .candidates import Candidates
from .neighbours import Around
from .rungs import ONCE, Change, Options, needs, options, over
from .shortfalls import distance, expected, nearest, observations
from .trials import Trials, settings_of

AS_IT_IS = "as it is"


@dataclass(frozen=True, slots=True)
class Tried:
    """One recipe, judged without test.

    Attributes:
        recipe: the recipe.
        found: what each of its files is expected to miss.
        score: of the nearest file on validation.
        teacher_short: whether the teacher's own score misses its budget.
        unknown: budgets of the nearest file that this machine cannot decide, whatever it answers:
            their figures are predicted, declared or not there.
    """

    recipe: Recipe
    found: Mapping[str, tuple[Shortfall, ...]]
    score: Estimate | None
    teacher_short: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def nearest(self) -> str | None:
        """The file that misses least."""
        return nearest(self.found)

    @property
    def misses(self) -> tuple[Shortfall, ...]:
        """What that file misses."""
        name = self.nearest
        return self.found[name] if name is not None else ()

    @property
    def fits(self) -> bool:
        """Whether some file is expected to be READY."""
        return self.nearest is not None and not self.misses

    @property
    def distance(self) -> tuple[float, float, float]:
        """How far from READY the nearest file is, then all of them together.

        The farthest is a recipe of which no file can ship.
        """
        if self.nearest is None:
            return math.inf, math.inf, math.inf
        total = sum(distance(misses)[1] for misses in self.found.values())
        return (*distance(self.misses), total)


@dataclass
class Climb:
    """A climb under way.

    Attributes:
        trials: runs what a rung needs.
        data: that every recipe has; no rung changes them.
        candidates: of the search; None where the recipe names its student.
        until: by ``time.monotonic``: no rung is begun later.
        rungs: what was tried, in order.
        tried: every recipe that was judged.
        best: the nearest of them.
        changes: what it has that the first one has not.
    """

    trials: Trials
    data: DataRecord
    candidates: Candidates | None
    until: float
    best: Tried
    rungs: list[RungRecord] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over_time(self) -> bool:
        """Whether no further rung may begin."""
        return time.monotonic() > self.until


def climb(recipe: Recipe, trials: Trials, *, candidates: Candidates | None, until: float) -> Climb:
    """Try the rungs of ``search.ladder`` until a recipe is expected to be READY.

    Args:
        recipe: with a student of its own.
        trials: runs what a rung needs.
        candidates: of the search that chose the student; None where the recipe names it.
        until: by ``time.monotonic``: no rung is begun later.

    Raises:
        EdgestillError: the recipe itself cannot be built. A rung that cannot be is left out.
    """
    began = time.monotonic()
    data = trials.data(recipe).record
    first = _judged(recipe, trials, data)
    climbing = Climb(trials, data, candidates, until, first, tried=[first])
    climbing.rungs.append(_record(AS_IT_IS, {}, first, kept=True, began=began))
    _tell(climbing)
    for name in settings_of(recipe).ladder:
        if climbing.best.fits or climbing.is_over_time:
            break
        _try(name, climbing)
    return climbing


def _try(name: RungName, climbing: Climb) -> None:
    """Try a rung, again and again where that goes on helping."""
    done: set[str] = set()
    while not (climbing.best.fits or climbing.is_over_time):
        found = _options(name, climbing)
        if isinstance(found, str):
            if not done:
                climbing.rungs.append(RungRecord(name=name, skipped=found))
            return
        if isinstance(found, list):
            _begin(found, climbing)
        change = next((one for one in found if str(texts(one)) not in done), None)
        if change is None:
            return
        done.add(str(texts(change)))
        kept = _step(name, change, climbing)
        if kept and name in ONCE:
            return


def _begin(found: Sequence[Change], climbing: Climb) -> None:
    """Begin all that a rung may change at once, where several trainings run at once."""
    recipes = []
    for change in found[1:]:
        with suppress(EdgestillError):
            recipes.append(changed(climbing.best.recipe, change))
    climbing.trials.ahead(recipes, "validation")


def _options(name: RungName, climbing: Climb) -> Options:
    """What a rung may change of the nearest recipe, where it can mend anything that is missed."""
    best, mends = climbing.best, RUNGS[name].mends
    if not mends & needs(best.found):
        return f"it mends {' and '.join(sorted(mends))}, and nothing of that is missed"
    recipe, trials = best.recipe, climbing.trials
    state = State(
        recipe,
        saturates=saturates(plan_of(recipe.compress.model_copy(update={"target": recipe.target}))),
        best_epoch=recipe.distill.epochs,  # a ladder trains longer, whichever epoch was the best
        tokens=climbing.data.layout == "tokens",
        teacher_short=best.teacher_short,
        over=over(best.misses),
    )
    return options(name, state, Around(recipe, trials, climbing.candidates))


def _step(name: RungName, change: Change, climbing: Climb) -> bool:
    """Judge the recipe with one change; whether it is kept."""
    began = time.monotonic()
    try:
        recipe = changed(climbing.best.recipe, change)
        if any(recipe == one.recipe for one in climbing.tried):
            return False
        climbing.trials.progress.note(f"search: trying {name}: {', '.join(texts(change))}")
        found = _judged(recipe, climbing.trials, climbing.data)
    except StorageError:
        raise
    except EdgestillError as error:
        climbing.rungs.append(
            RungRecord(name=name, changes=texts(change), skipped=f"it failed: {error}")
        )
        climbing.trials.progress.note(f"search: {name} failed: {error}")
        return False
    kept = found.distance < climbing.best.distance
    climbing.tried.append(found)
    climbing.rungs.append(_record(name, change, found, kept=kept, began=began))
    if kept:
        climbing.best, climbing.changes = found, {**climbing.changes, **change}
    _tell(climbing)
    return kept


def _judged(recipe: Recipe, trials: Trials, data: DataRecord) -> Tried:
    """A recipe's files, scored on validation and measured for a short time."""
    quality, measured = trials.on_validation(recipe)
    verdict = judge(recipe.gate, quality, measured)
    on = (observations(data, "test"), observations(data, "validation"))
    found = expected(verdict, quality, *on)
    name = nearest(found)
    score = next((one.score for one in quality.variants if one.name == name), None)
    unknown = tuple(
        check.key
        for judged in verdict.variants
        if judged.name == name
        for check in judged.checks
        if check.figure.value is None or check.figure.kind in UNDECIDING
    )
    return Tried(recipe, found, score, teacher_is_short(quality, recipe.gate.budgets()), unknown)


def changed(recipe: Recipe, change: Change) -> Recipe:
    """A recipe with other values of some keys, checked as any recipe is.

    Raises:
        RecipeError: the values do not go together.
    """
    tree = recipe.model_dump(mode="json", exclude_none=True)
    for key, value in change.items():
        *parents, leaf = key.split(".")
        part = tree
        for parent in parents:
            part = part[parent]
        part[leaf] = value
    return parse(tree, where="search")


def texts(change: Change) -> tuple[str, ...]:
    """Changes as ``--set`` takes them."""
    return tuple(f"{key}={in_toml(value)}" for key, value in change.items())


def _record(name: str, change: Change, found: Tried, *, kept: bool, began: float) -> RungRecord:
    return RungRecord(
        name=name,
        changes=texts(change),
        fits=found.fits,
        kept=kept,
        nearest=found.nearest,
        score=found.score,
        misses=found.misses,
        seconds=time.monotonic() - began,
    )


def _tell(climbing: Climb) -> None:
    rung = climbing.rungs[-1]
    if rung.nearest is None:
        told = "no file can ship"
    elif rung.fits:
        told = outlook(climbing.best if rung.kept else climbing.tried[-1])
    else:
        told = f"{rung.nearest} misses {', '.join(told_misses(rung.misses))}"
    climbing.trials.progress.note(f"search: {rung.name}: {told}")


def outlook(found: Tried) -> str:
    """What a verdict on a recipe that fits is expected to be."""
    if not found.unknown:
        return f"{found.nearest} is expected to be READY"
    return (
        f"{found.nearest} is inside all that can be known here; {', '.join(found.unknown)} can "
        "only be UNDECIDED"
    )


def told_misses(misses: Sequence[Shortfall]) -> Iterator[str]:
    """Each as ``max_p50_ms (2.4 where a verdict takes 1.9)``."""
    for miss in misses:
        yield f"{miss.key} ({miss.value:.4g} where a verdict takes {miss.needed:.4g})"
