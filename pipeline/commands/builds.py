"""Commands on a recipe: ``build``, ``adapt``, ``plan``, ``init``, ``schema``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from ..tracking.places import Places
from . import names
from .output import say, stderr
from .shared import (
    Invocation,
    address_option,
    artifacts_option,
    command,
    engine_option,
    note_demo,
    overrides_option,
    print_result,
    processes_option,
    store_option,
    verbose_option,
)
from .track import check_places, place_options, record_built
from .verdict import conclude, conclude_stage

if TYPE_CHECKING:
    from ..finished.planned import Planned

_recipe = click.argument("recipe", type=click.Path(path_type=Path), required=False)
_seed = click.option("--seed", type=click.IntRange(0), help="Override the recipe's seed.")


@command(
    examples=(
        "edgestill build",
        "edgestill build recipe.toml",
        "edgestill build recipe.toml --set distill.temperature=2 --seed 1",
        "edgestill build recipe.toml --until student",
        "edgestill build recipe.toml --processes 2",
        "edgestill build recipe.toml --json > verdict.json",
        "edgestill build recipe.toml --engine ray --address auto",
    )
)
@_recipe
@click.option(
    "--until", metavar="STAGE", shell_complete=names.stages, help="Stop after this stage."
)
@overrides_option
@artifacts_option
@store_option
@processes_option
@_seed
@engine_option
@address_option
@place_options
@verbose_option
@click.pass_obj
def build(
    invocation: Invocation,
    /,
    recipe: Path | None,
    processes: int,
    verbose: bool,
    places: Places,
    **given: Any,
) -> None:
    """Run every stage of RECIPE; default: the bundled demo.

    The demo learns digits of which few have a label.

    What is in the store already is not run again. The exit code is that of the verdict: 0 ready,
    1 not ready, 5 undecided.
    """
    from ..api.build import build as run_build
    from ..api.stopped import Stopped
    from ..engine.processes import started
    from ..progress import OnConsole

    progress = OnConsole(stderr())
    check_places(places, given["until"])
    note_demo(recipe)
    with started(processes, given["engine"]):
        built = run_build(recipe, **given, progress=progress)
    if isinstance(built, Stopped):
        conclude_stage(invocation, built)
        return
    if not built.ran:
        progress.note("every stage is in the store; nothing was run")
    conclude(invocation, built, verbose=verbose)
    record_built(built.path, places)


@command(
    examples=(
        "edgestill adapt artifacts/runs/digits/TIME --data npz:new.npz",
        "edgestill adapt RUN --data images:pictures --set gate.min_accuracy=0.9",
        "edgestill adapt RUN --data images:pictures --mode frozen",
        "edgestill adapt RUN --data npz:new.npz --samples --steps --set distill.seeds=3",
        "edgestill adapt RUN --data npz:new.npz --recipe more.toml --plan",
    )
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--data",
    required=True,
    metavar="SOURCE",
    help="The other data, as data.source of a recipe: npz:FILE, images:FOLDER, …",
)
@click.option(
    "--mode",
    type=click.Choice(["frozen", "partly", "whole"]),
    default="whole",
    show_default=True,
    help="What is trained: the new last layer alone (a linear probe), the later half of the other "
    "layers, too, or all layers (fine-tuning).",
)
@click.option(
    "--task",
    metavar="TASK",
    shell_complete=names.tasks,
    help="Of the other data, as data.task of a recipe; default: the run's.",
)
@click.option(
    "--samples",
    is_flag=True,
    help="Train it on 1/16 and 1/4 of the samples, too, to see how few are enough.",
)
@click.option(
    "--steps",
    is_flag=True,
    help="Train it for 1/20, 1/10 and 1/5 of the epochs, too, each by a complete schedule, to see "
    "how few steps are enough.",
)
@click.option("--name", help="Of the new run; default: the run's with -adapted.")
@click.option(
    "--recipe",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A TOML file with keys of a recipe, which stand over those of the run.",
)
@click.option("--plan", "planned", is_flag=True, help="Print which stages would run, and end.")
@overrides_option
@artifacts_option
@store_option
@_seed
@engine_option
@address_option
@verbose_option
@click.pass_obj
def adapt(
    invocation: Invocation,
    /,
    run: Path,
    data: str,
    planned: bool,
    verbose: bool,
    artifacts: Path,
    **given: Any,
) -> None:
    """Adapt the student of RUN to other data.

    RUN is a run's folder, or a name, whose last build it is. Its student gets a new last layer and
    starts from its weights; then every stage is run. The same student from random weights is
    trained beside it, so that the report shows the steps to the same score. Budgets of the device
    are those of RUN. The exit code is that of the verdict: 0 ready, 1 not ready, 5 undecided.
    """
    from ..api import adapt as adapting
    from ..progress import OnConsole

    progress = OnConsole(stderr())
    if planned:
        for name in ("engine", "address"):
            given.pop(name)
        store = given.pop("store")
        wanted = adapting.Wanted(data=data, **given)
        stages = adapting.plan(run, wanted, artifacts=artifacts, store=store, progress=progress)
        _print_planned(invocation, stages)
        return
    adapted = adapting.adapt(run, data, artifacts=artifacts, progress=progress, **given)
    if not adapted.ran:
        progress.note("every stage is in the store; nothing was run")
    conclude(invocation, adapted, verbose=verbose)


@command(examples=("edgestill plan recipe.toml", "edgestill plan recipe.toml --set seed=1"))
@_recipe
@overrides_option
@artifacts_option
@store_option
@processes_option
@_seed
@click.pass_obj
def plan(invocation: Invocation, /, recipe: Path | None, processes: int, **given: Any) -> None:
    """Print which stages of RECIPE would run.

    The outputs of the others are in the store. What a build would refuse of the recipe, the data
    and modules of yours is refused now; a device is not asked.
    """
    from ..api.plan import plan as make_plan
    from ..engine.compute import shared_by

    note_demo(recipe)
    with shared_by(processes):
        planned = make_plan(recipe, **given)
    _print_planned(invocation, planned)


def _print_planned(invocation: Invocation, planned: "Planned") -> None:
    """Which stages would run, a line a stage."""
    rows = planned.rows()
    wide = max((len(where) for _, where, _ in rows), default=0)
    lines = [f"{stage:<10} {where:<{wide}}  {key}" for stage, where, key in rows]
    lines += planned.unchecked()
    lines += [f"search     {sentence}" for sentence in planned.searched()]
    print_result(invocation, planned.records(), *lines)


@command(as_json=False, examples=("edgestill init my-model", "edgestill init ."))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Write a commented recipe into DIR, to edit and build."""
    from ..engine.store import disk_errors, write_atomic
    from ..recipe.files import bundled

    target = folder / "recipe.toml"
    if target.exists():
        raise UsageError(
            "a file that exists", expected="a new file", where=str(target), fix="name another DIR"
        )
    with disk_errors(folder, opening=True):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(target, bundled("start").read_bytes())
    say(f"{target} written; edit it, then run: edgestill build {target}")


@command(
    as_json=False,
    examples=(
        "edgestill schema > recipe.schema.json",
        "edgestill schema report > report.schema.json",
    ),
)
@click.argument("what", type=click.Choice(["recipe", "report"]), default="recipe")
def schema(what: str) -> None:
    """Print the JSON Schema of recipes or reports.

    Editors complete and check TOML with the schema of recipes.
    """
    from ..judge.task_budgets import in_schema
    from ..recipe.files import schema_of

    if what == "recipe":
        from ..recipe.recipe import Recipe as Model
    else:
        from ..records import Report as Model  # type: ignore[assignment]
    document = schema_of(Model, f"edgestill {what}")
    document = in_schema(document) if what == "recipe" else document
    say(*json.dumps(document, indent=2).split("\n"))
