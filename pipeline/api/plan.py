"""``edgestill.plan``: which stages of a build would run."""

from pathlib import Path
from typing import Any

from .. import build as pipeline
from ..engine.artifacts import Artifacts
from ..finished.planned import Planned
from ..search.plan import plan as plan_search
from .build import RecipeOption, recipe_of
from .settings import Settings


def plan(
    recipe: RecipeOption = None,
    *,
    data: Any = None,
    teacher: Any = None,
    artifacts: Path | str = "artifacts",
    store: str | None = None,
    overrides: Settings = (),
    seed: int | None = None,
) -> Planned:
    """Say which stages a build would run and which are in the store. No stage is run.

    Args:
        recipe: as of ``build``: a path, its sections as a dict, or a ``Recipe``; None: the bundled
            demo.
        data: as of ``build``, in place of the recipe's ``data.source``; they are written to
            ``artifacts/given``.
        teacher: as of ``build``, in place of the recipe's ``[teacher]``; a module is exported to
            ``artifacts/given``.
        artifacts: the folder that builds write to.
        store: a folder or URL (``s3://``, ``gs://``, ``az://``) that machines share the store in;
            ``""``: none; None: that of the variable ``EDGESTILL_STORE``, if it is set.
        overrides: values by key, such as ``{"distill.temperature": 2}``, or ``key=value`` texts.
        seed: replaces the recipe's seed.

    Raises:
        RecipeError: the recipe's file, a key or a value is wrong.
        DataError: what a build would refuse about the data, as far as it is known in seconds.

    Example:
        >>> import edgestill
        >>> edgestill.plan("recipe.toml").would_run
        ()
        >>> edgestill.plan("recipe.toml", overrides={"distill.temperature": 9.0}).would_run[0]
        'student'
    """
    place = Artifacts.chosen(artifacts, store)
    told = recipe_of(recipe, data, teacher, place.folder, overrides, seed)
    if told.searches:
        steps, search = plan_search(told, place)
        return Planned(tuple(steps), search)
    return Planned(tuple(pipeline.plan(told, place)))
