"""What a build with a search would do, before it does: candidates, short trainings, the ladder.

>>> steps, search = plan(load("auto.toml"), Path("artifacts"))            # doctest: +SKIP
>>> len(search.candidates), search.short_epochs                           # doctest: +SKIP
(40, 6)
"""

from pathlib import Path

from .. import build
from ..engine.artifacts import Artifacts
from ..engine.flow import Step
from ..finished.planned import SearchPlan
from ..preflight import known
from ..recipe.architecture import Architecture
from ..recipe.recipe import Recipe
from ..recipe.search import AUTO
from ..stages import STUDENT
from .family import architectures
from .trials import settings_of, short_epochs, with_student


def plan(recipe: Recipe, artifacts: Artifacts | Path) -> tuple[list[Step], SearchPlan]:
    """The stages that are known before the search, and what the search may do; no stage is run.

    Of a student that is to be chosen, these are the stages before its training.

    Raises:
        DataError, RecipeError: as ``build.plan``.
    """
    search = settings_of(recipe)
    candidates: tuple[Architecture, ...] = ()
    if recipe.student.model == AUTO:
        known(recipe)
        data = build.known_data(recipe, artifacts)
        candidates = architectures(search, data) if data is not None else ()
    if candidates:
        steps = build.plan(with_student(recipe, candidates[0]), artifacts)
        first = next(i for i, step in enumerate(steps) if step.stage == STUDENT.name)
        steps = steps[:first]
    elif recipe.student.model == AUTO:
        steps = []
    else:
        steps = build.plan(recipe, artifacts)
    return steps, SearchPlan(
        candidates=candidates,
        finalists=min(search.finalists, len(candidates)),
        short_epochs=short_epochs(recipe, search.finalist_share),
        epochs=recipe.distill.epochs,
        ladder=search.ladder,
        max_minutes=search.max_minutes,
    )
