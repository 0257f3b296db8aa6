"""``edgestill.adapt``: a finished student on other data, from its weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import build as pipeline
from ..engine.artifacts import Artifacts
from ..finished.adapt import SHARES, STEP_SHARES, Start, start_of
from ..finished.planned import Planned
from ..progress import Progress
from ..recipe.recipe import Recipe
from ..runs.locate import located
from .engines import EngineOption, runner_of
from .given import kept, samples_of
from .paths import OnDisk, path_of
from .run import Run
from .settings import Settings, texts
from .watching import ProgressOption, watched

Mode = Literal["frozen", "partly", "whole"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of ``adapt`` that make its recipe."""

    data: Any
    mode: Mode
    task: str | None
    samples: bool
    steps: bool
    name: str | None
    recipe: Path | str | None
    overrides: Settings
    seed: int | None


def adapt(  # noqa: PLR0913 - named options of a function that users call
    run: OnDisk | Path | str,
    data: Any,
    *,
    mode: Mode = "whole",
    task: str | None = None,
    samples: bool = False,
    steps: bool = False,
    name: str | None = None,
    recipe: Path | str | None = None,
    artifacts: Path | str = "artifacts",
    store: str | None = None,
    overrides: Settings = (),
    seed: int | None = None,
    progress: ProgressOption = True,
    engine: EngineOption = "local",
    address: str | None = None,
) -> Run:
    """Adapt the student of a run to other data: a new last layer, trained further, all stages.

    The new last layer is first fitted on the features of the loaded layers (docs/adapt.md).

    The same student is trained from random weights, too, by the same schedule. The new run's
    ``report.adaptation`` has the steps to the same score of both, and what the start gave on test.

    Args:
        run: the run that the student is of, its folder, or its name: then the last of that name.
        data: a source as in ``data.source`` of a recipe, such as ``"npz:new.npz"``; or
            ``(x, y)``, or a dict of arrays, as for ``build``. Samples are of the shape, layout and
            dtype that the student takes.
        mode: what is trained: ``"frozen"``, the new last layer alone (a linear probe);
            ``"partly"``, the later half of the other layers, too; ``"whole"``, all layers.
        task: of the new data; None: that of the run.
        samples: whether it is also trained on 1/16 and 1/4 of the labelled samples.
        steps: whether it is also trained for 1/20, 1/10 and 1/5 of the epochs, each by a complete
            schedule.
        name: of the new run; None: the old one's with ``-adapted``.
        recipe: a TOML file with any keys of a recipe, which stand over those of the run.
        artifacts: the folder that builds write to.
        store: a folder or URL (``s3://``, ``gs://``, ``az://``) that machines share the store in;
            ``""``: none; None: that of the variable ``EDGESTILL_STORE``, if it is set.
        overrides: values by key, such as ``{"distill.epochs": 5}``, or ``key=value`` texts.
        seed: replaces the run's seed.
        progress: True shows it, False does not; a function is called with each ``Event``.
        engine: as in ``build``.
        address: as in ``build``.

    Returns:
        The new run.

    Raises:
        MaterialError: no run, one that has changed, or whose student's weights are gone.
        DataError: samples that the student does not take.
        ModelError: the student ends with no layer that can be made anew.
        RecipeError: a key or a value is wrong.

    Example:
        >>> import edgestill
        >>> run = edgestill.adapt("artifacts/runs/tiny/latest", (x, y))     # doctest: +SKIP
        >>> run.report.adaptation.steps_share.value                         # doctest: +SKIP
        0.12
    """
    place = Artifacts.chosen(artifacts, store)
    wanted = Wanted(
        data=data,
        mode=mode,
        task=task,
        samples=samples,
        steps=steps,
        name=name,
        recipe=recipe,
        overrides=overrides,
        seed=seed,
    )
    with watched(progress, "edgestill.adapt") as watch:
        start, adapted = _prepared(path_of(run, "run"), wanted, place.folder, watch.progress)
        if not all(step.cached for step in pipeline.plan(adapted, place, tries=False)):
            adapted = _fitted(start, adapted, place, watch.progress)
        with runner_of(engine, address, place.folder, adapted.name) as runner:
            built = pipeline.build(
                adapted,
                artifacts=place,
                progress=watch.progress,
                around=watch.stage,
                planned=watch.planned,
                runner=runner,
            )
        if built.ran:
            watch.ended("build")
    assert built.run is not None  # noqa: S101 - a build that was not stopped has a run
    assert built.report is not None  # noqa: S101
    return Run(built.run, built.report, built.ran)


def plan(
    run: Path, wanted: Wanted, *, artifacts: Path, store: str | None, progress: Progress
) -> Planned:
    """Which stages of an adaptation would run; the options are those of ``adapt``."""
    place = Artifacts.chosen(artifacts, store)
    _, adapted = _prepared(run, wanted, place.folder, progress)
    # A function of the user's gets the number of outputs once the data are read.
    return Planned(tuple(pipeline.plan(adapted, place, tries=False)))


def _prepared(
    run: Path, wanted: Wanted, artifacts: Path, progress: Progress
) -> tuple[Start, Recipe]:
    """The student to start from, and the recipe of its adaptation."""
    start = start_of(located(run, artifacts=artifacts).folder, artifacts, progress.warn)
    source = wanted.data
    if not isinstance(source, str):
        source = f"npz:{kept(artifacts, samples_of(source)).absolute()}"
    told: dict[str, Any] = {"data.source": source, "student.tune": wanted.mode}
    if wanted.samples:
        told["student.sample_shares"] = SHARES
    if wanted.steps:
        told["student.step_shares"] = STEP_SHARES
    if wanted.name is not None:
        told["name"] = wanted.name
    file = None if wanted.recipe is None else Path(wanted.recipe)
    adapted = start.recipe(
        file, (*texts(told), *texts(wanted.overrides)), task=wanted.task, seed=wanted.seed
    )
    start.look(adapted)
    if left := start.left_out():
        progress.note(
            f"budgets of the run that are about its own task are left out: {', '.join(left)}; set "
            "others with --set gate.min_accuracy=0.9"
        )
    return start, adapted


def _fitted(start: Start, recipe: Recipe, place: Artifacts, progress: Progress) -> Recipe:
    """The recipe for data that the student takes; its outputs are those of the data."""
    stopped = pipeline.build(recipe, artifacts=place, until="data", progress=progress).stopped
    assert stopped is not None  # noqa: S101 - it was told to stop
    start.check(stopped.record)
    return start.fitted(recipe, stopped.record)
