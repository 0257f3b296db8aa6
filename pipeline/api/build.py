"""``edgestill.build``: the whole pipeline, from a recipe and data to a verdict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, overload

from ...errors import UsageError
from .. import build as pipeline
from ..engine.artifacts import Artifacts
from ..preflight import KNOWN
from ..recipe.files import bundled, load, of_tree
from ..recipe.recipe import Recipe
from ..search.fit import fit
from .engines import EngineOption, runner_of
from .given import kept, samples_of
from .own_teacher import teacher_of
from .run import Run
from .settings import Settings, texts
from .stopped import Stopped
from .watching import ProgressOption, watched

RecipeOption = Recipe | Mapping[str, Any] | Path | str | None


@overload
def build(
    recipe: RecipeOption = None,
    *,
    data: Any = None,
    teacher: Any = None,
    artifacts: Path | str = "artifacts",
    store: str | None = None,
    overrides: Settings = (),
    seed: int | None = None,
    until: None = None,
    progress: ProgressOption = True,
    engine: EngineOption = "local",
    address: str | None = None,
) -> Run: ...


@overload
def build(
    recipe: RecipeOption = None,
    *,
    data: Any = None,
    teacher: Any = None,
    artifacts: Path | str = "artifacts",
    store: str | None = None,
    overrides: Settings = (),
    seed: int | None = None,
    until: str,
    progress: ProgressOption = True,
    engine: EngineOption = "local",
    address: str | None = None,
) -> Stopped: ...


@overload
def build(
    recipe: RecipeOption = None,
    *,
    data: Any = None,
    teacher: Any = None,
    artifacts: Path | str = "artifacts",
    store: str | None = None,
    overrides: Settings = (),
    seed: int | None = None,
    until: str | None,
    progress: ProgressOption = True,
    engine: EngineOption = "local",
    address: str | None = None,
) -> Run | Stopped: ...


def build(  # noqa: PLR0913 - named options of a function that users call
    recipe: RecipeOption = None,
    *,
    data: Any = None,
    teacher: Any = None,
    artifacts: Path | str = "artifacts",
    store: str | None = None,
    overrides: Settings = (),
    seed: int | None = None,
    until: str | None = None,
    progress: ProgressOption = True,
    engine: EngineOption = "local",
    address: str | None = None,
) -> Run | Stopped:
    """Run the pipeline; finished stages are read from the store.

    Args:
        recipe: the path of a recipe, its sections as a dict, or a ``Recipe``; None: the bundled
            demo. Relative paths in a dict start from the current folder.
        data: ``(x, y)``, or a dict of ``x`` and ``y``, or of ready splits ``x_train``, ``y_train``,
            ``x_test`` and ``y_test``, in place of the recipe's ``data.source``: arrays of numpy or
            torch, samples along the first axis. They are written to ``artifacts/given``, in a file
            that is named by their content.
        teacher: a trained ``torch.nn.Module`` that gives logits for samples as ``data`` has them,
            or the path of an ``.onnx`` file, in place of the recipe's ``[teacher]``. A module is
            exported to ``artifacts/given``; the student learns from its answers.
        artifacts: the folder that builds write to.
        store: a folder or URL (``s3://``, ``gs://``, ``az://``) that machines share the store in;
            ``""``: none; None: that of the variable ``EDGESTILL_STORE``, if it is set.
        overrides: values by key, such as ``{"distill.temperature": 2}``, or ``key=value`` texts.
        seed: replaces the recipe's seed.
        until: stop after this stage and return what it made.
        progress: True shows it, False does not; a function is called with each ``Event``.
        engine: ``ray`` runs the stages on a cluster, what does not depend on each other at once.
        address: of the cluster's head, ``"10.0.0.1:6379"`` or ``"auto"``; None: Ray is started on
            this machine, and ended.

    Returns:
        The run; with ``until`` the stage that was the last.

    Raises:
        RecipeError: the recipe's file, a key or a value is wrong.
        DataError, ModelError: the data or the teacher cannot be used.
        EdgestillError: see ``edgestill.errors``; whatever was finished before stays in the store.

    Example:
        >>> import edgestill
        >>> run = edgestill.build("recipe.toml", progress=False)
        >>> run.verdict.outcome
        'ready'
        >>> [file.name for file in run.files if file.suffix == ".onnx"]
        ['tiny-fp32.onnx']
    """
    place = Artifacts.chosen(artifacts, store)
    with watched(progress, "edgestill.build") as watch:
        read = recipe_of(recipe, data, teacher, place.folder, overrides, seed)
        run_build = fit if read.searches else pipeline.build
        with runner_of(engine, address, place.folder, read.name) as runner:
            built = run_build(
                pipeline.Given(read, Path(recipe) if isinstance(recipe, Path | str) else None),
                artifacts=place,
                until=until,
                progress=watch.progress,
                around=watch.stage,
                planned=watch.planned,
                runner=runner,
            )
        if built.ran:
            watch.ended("build")
    if built.stopped is not None:
        return Stopped.after(built.stopped, built.ran)
    assert built.run is not None  # noqa: S101 - a build that was not stopped has a run
    assert built.report is not None  # noqa: S101
    return Run(built.run, built.report, built.ran)


def recipe_of(
    recipe: RecipeOption,
    data: Any,
    teacher: Any,
    artifacts: Path,
    overrides: Settings,
    seed: int | None,
) -> Recipe:
    """The recipe that a call's parameters make; data and a module in memory become files.

    Raises:
        RecipeError, DataError, ModelError, UsageError: as ``build``.
    """
    told = (*texts(overrides), *_in_memory(data, teacher, artifacts))
    return _read(recipe, told, seed)


def _in_memory(data: Any, teacher: Any, artifacts: Path) -> tuple[str, ...]:
    """What is given in memory, as overrides that name files with it."""
    samples = None if data is None else samples_of(data)
    told: dict[str, Any] = {}
    if samples is not None:
        told["data.source"] = f"npz:{kept(artifacts, samples).absolute()}"
    if teacher is not None:
        told["teacher"] = {"model": teacher_of(teacher, samples, artifacts)}
    return texts(told)


def _read(recipe: RecipeOption, overrides: tuple[str, ...], seed: int | None) -> Recipe:
    if recipe is None:
        return load(bundled("demo"), overrides, seed=seed, checks=KNOWN)
    if isinstance(recipe, Path | str):
        return load(Path(recipe), overrides, seed=seed, checks=KNOWN)
    if isinstance(recipe, Mapping):
        return of_tree(recipe, overrides, seed=seed, checks=KNOWN)
    if not isinstance(recipe, Recipe):
        raise UsageError(
            f"a {type(recipe).__name__}",
            expected="a path, a dict of sections, or a Recipe",
            where="recipe",
        )
    if overrides or seed is not None:
        tree = recipe.model_dump(mode="json", exclude_none=True)
        return of_tree(tree, overrides, seed=seed, checks=KNOWN)
    return recipe
