"""``edgestill.search``: the frontier of accuracy against latency, size, memory and energy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..engine.artifacts import Artifacts
from ..recipe.files import dump
from ..records import FrontierRecord
from ..runs import searches
from ..search import objectives
from ..search.frontier import TRIALS, FrontierSearch, Options
from ..search.frontier_record import recipes_of, record_of
from ..search.trials import Trials
from .build import RecipeOption, recipe_of
from .engines import EngineOption, runner_of
from .frontier import Frontier
from .settings import Settings
from .watching import ProgressOption, watched


def search(  # noqa: PLR0913 - named options of a function that users call
    recipe: RecipeOption = None,
    *,
    against: str | Sequence[str] = objectives.DEFAULT,
    trials: int = TRIALS,
    minutes: float | None = None,
    data: Any = None,
    teacher: Any = None,
    artifacts: Path | str = "artifacts",
    store: str | None = None,
    overrides: Settings = (),
    seed: int | None = None,
    progress: ProgressOption = True,
    engine: EngineOption = "local",
    address: str | None = None,
) -> Frontier:
    """Find the students and trainings that no other beats, by validation.

    A choice is a student and how it is distilled. It is measured before it is trained, explored by
    a short training, and trained for the whole where no other beats it. A further call with more
    trials goes on.

    Args:
        recipe: as in ``build``.
        against: what the score is weighed against: latency, size, memory, energy.
        trials: choices to explore in all.
        minutes: after which nothing further is begun; None: ``search.max_minutes`` of the recipe.
        data: as in ``build``.
        teacher: as in ``build``.
        artifacts: the folder that builds write to.
        store: a folder or URL (``s3://``, ``gs://``, ``az://``) that machines share the store in;
            ``""``: none; None: that of the variable ``EDGESTILL_STORE``, if it is set.
        overrides: values by key, such as ``{"search.widths": [8, 16]}``, or ``key=value`` texts.
        seed: replaces the recipe's seed.
        progress: True shows it, False does not; a function is called with each ``Event``.
        engine: as in ``build``; several choices are explored at once.
        address: as in ``build``.

    Raises:
        UsageError: no such objective.
        RecipeError: the recipe is wrong, or has budgets that no choice comes near.
        HostError: Optuna is not installed, or a figure cannot be had on this machine.
        EdgestillError: see ``edgestill.errors``; whatever was finished before stays in the store.

    Example:
        >>> import edgestill
        >>> found = edgestill.search("recipe.toml", trials=2, progress=False)
        >>> found.points[0].on_frontier
        1
        >>> edgestill.build(found.recipe_of(1), progress=False).ready
        True
    """
    place = Artifacts.chosen(artifacts, store)
    folder = place.folder
    wanted = objectives.parsed(against)
    with watched(progress, "edgestill.search") as watch:
        read = recipe_of(recipe, data, teacher, folder, overrides, seed)
        journals = searches.prepare(folder, read.name)
        with runner_of(engine, address, folder, read.name) as runner:
            trials_run = Trials(place, watch.progress, watch.stage, runner)
            options = Options(trials, minutes, wanted)
            searching = FrontierSearch(read, trials_run, options, journals)
            path, record = _searched(searching, folder)
        watch.ended("search")
    return Frontier(path, record)


def _searched(searching: FrontierSearch, folder: Path) -> tuple[Path, FrontierRecord]:
    """Run a search and write what it found, also after an interruption."""
    stop: BaseException | None = None
    try:
        searching.run()
    except BaseException as interruption:
        # An interruption keeps what there is; an error is one of the recipe or the machine.
        trained = any(one.files for one in searching.tried)
        if isinstance(interruption, Exception) or not trained:
            raise
        stop = interruption
    record = record_of(searching, interrupted=stop is not None)
    path = searches.write(folder, record, dump(searching.recipe), recipes_of(searching, record))
    if stop is not None:
        searching.trials.progress.note(f"search: what was found until then is in {path}")
        raise stop
    return path, record
