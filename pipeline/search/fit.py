"""A build that looks first: for a student that fits, then for what brings it inside its budgets.

>>> built = fit(load("recipe.toml"), artifacts="artifacts")               # doctest: +SKIP
>>> built.report.search.ended                                             # doctest: +SKIP
'int8-mixed is expected to be READY'

The verdict at its end is that of a build of the recipe that was found: on test, which nothing
before it has looked at, and by a measurement of its own. So its READY is wrong in no more builds
than any other (``judge.promise``): of all that was looked at, one recipe is judged.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ...errors import UsageError
from ..build import Built, Given, build
from ..engine.artifacts import Artifacts
from ..engine.runner import IN_PROCESS, Runner
from ..engine.store import disk_errors
from ..preflight import known
from ..progress import Progress, Silent
from ..recipe.recipe import Recipe
from ..recipe.search import AUTO
from ..records import SearchRecord
from ..runs import run as runs
from .choose import ChosenStudent, choose
from .ladder import AS_IT_IS, Climb, climb, outlook, texts, told_misses
from .shortfalls import nearest
from .trials import Trials, settings_of


def fit(
    recipe: Recipe | Given,
    *,
    artifacts: Artifacts | Path | str = "artifacts",
    until: str | None = None,
    progress: Progress | None = None,
    around: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    planned: Callable[[Sequence[str], Sequence[float | None]], None] = lambda *_: None,
    runner: Runner = IN_PROCESS,
) -> Built:
    """Choose a student, climb the ladder, and build what was found.

    Args:
        recipe: one that ``searches``, as it is or with the file that it was read from.
        artifacts: the folder builds write to, by itself or with a store that machines share.
        until: refused: which stages there are is known at the end.
        progress: gets each step; nothing is printed by default.
        around: entered around each stage that runs.
        planned: told the stages of the last build that will run, before the first of them, and the
            seconds that each took in earlier builds of the name, None where none did.
        runner: where the stages run.

    Raises:
        UsageError: ``until`` is given.
        EdgestillError: see ``errors.py``; whatever was finished before it stays in the store.
    """
    if until is not None:
        raise UsageError(
            found=f"{until!r} for a recipe with a search",
            expected="a recipe that names its student and has no [search]",
            where="--until",
            fix="leave --until out",
        )
    given = recipe if isinstance(recipe, Given) else Given(recipe)
    recipe = given.recipe
    began, progress = time.monotonic(), progress or Silent()
    known(recipe)
    place = Artifacts.of(artifacts)
    with disk_errors(place.folder, opening=True):
        runs.prepare(place.folder, recipe.name)
    trials = Trials(place, progress, around, runner)
    deadline = began + 60.0 * settings_of(recipe).max_minutes
    choice = choose(recipe, trials) if recipe.student.model == AUTO else None
    candidates = choice.candidates if choice else None
    chosen = choice.recipe if choice else recipe
    climbed = climb(chosen, trials, candidates=candidates, until=deadline)
    record = SearchRecord(
        candidates=choice.candidates.records(choice.scores, choice.cost) if choice else (),
        rungs=tuple(climbed.rungs),
        changes=(*_student(choice), *texts(climbed.changes)),
        ended=_ended(climbed, recipe),
        trade=None if climbed.best.fits else _trade(climbed),
        seconds=time.monotonic() - began,
    )
    progress.note(f"search: {record.ended}")
    if record.trade is not None:
        progress.note(f"search: {record.trade}")
    found = climbed.best.recipe.model_copy(update={"search": None})
    built = build(
        Given(found, given.file, record),
        artifacts=place,
        progress=progress,
        around=around,
        planned=planned,
        runner=runner,
    )
    return Built(built.run, built.report, None, (*trials.ran, *built.ran))


def _student(choice: ChosenStudent | None) -> Iterator[str]:
    if choice is not None:
        cost = choice.cost
        yield from texts({"student.model": cost.model, "student.width": cost.width})


def _ended(climbed: Climb, recipe: Recipe) -> str:
    best = climbed.best
    if best.fits:
        changed = "" if climbed.changes else ", with nothing changed"
        return f"{outlook(best)}{changed}"
    if climbed.is_over_time:
        minutes = settings_of(recipe).max_minutes
        return f"no file is expected to be READY; search.max_minutes ({minutes:g}) are over"
    tried = sum(rung.skipped is None and rung.name != AS_IT_IS for rung in climbed.rungs)
    return f"no file is expected to be READY, and no rung of the ladder is left ({tried} tried)"


def _trade(climbed: Climb) -> str | None:
    """The budget that binds, and what would have to give: of all that was tried, the nearest."""
    nearest_one = min(climbed.tried, key=lambda one: one.distance)
    name = nearest(nearest_one.found)
    if name is None:
        return None
    binding = max(nearest_one.misses, key=lambda miss: miss.excess)
    listed = ", ".join(told_misses(nearest_one.misses))
    student = nearest_one.recipe.student
    score = nearest_one.score
    keeps = ""
    if score is not None and score.value is not None:
        keeps = f" and scores {score.value:.4f} on validation"
    return (
        f"{binding.key} binds: the nearest, {name} of {student.model} of width {student.width}, "
        f"misses {listed}{keeps}"
    )
