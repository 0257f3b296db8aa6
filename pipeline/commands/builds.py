"""Commands on a recipe: ``build``, ``plan``, ``init``, ``schema``."""

import json
from pathlib import Path

import click

from ...errors import UsageError
from . import names
from .output import say, stderr
from .shared import (
    Invocation,
    artifacts_option,
    command,
    overrides_option,
    print_result,
    verbose_option,
)
from .verdict import conclude, conclude_stage

_recipe = click.argument("recipe", type=click.Path(path_type=Path), required=False)
_seed = click.option("--seed", type=click.IntRange(0), help="Override the recipe's seed.")


@command(
    examples=(
        "edgestill build",
        "edgestill build recipe.toml",
        "edgestill build recipe.toml --set distill.temperature=2 --seed 1",
        "edgestill build recipe.toml --until student",
        "edgestill build recipe.toml --json > verdict.json",
    )
)
@_recipe
@click.option(
    "--until", metavar="STAGE", shell_complete=names.stages, help="Stop after this stage."
)
@overrides_option
@artifacts_option
@_seed
@verbose_option
@click.pass_obj
def build(
    invocation: Invocation,
    recipe: Path | None,
    until: str | None,
    overrides: tuple[str, ...],
    artifacts: Path,
    seed: int | None,
    verbose: bool,
) -> None:
    """Run every stage of RECIPE; default: the bundled demo.

    The demo learns digits of which few have a label.

    What is in the store already is not run again. The exit code is that of the verdict: 0 ready,
    1 not ready, 5 undecided.
    """
    from ..api.build import build as run_build
    from ..api.stopped import Stopped
    from ..progress import OnConsole

    progress = OnConsole(stderr())
    built = run_build(
        recipe,
        artifacts=artifacts,
        overrides=overrides,
        seed=seed,
        until=until,
        progress=progress,
    )
    if isinstance(built, Stopped):
        conclude_stage(invocation, built)
        return
    if not built.ran:
        progress.note("every stage is in the store; nothing was run")
    conclude(invocation, built, verbose=verbose)


@command(examples=("edgestill plan recipe.toml", "edgestill plan recipe.toml --set seed=1"))
@_recipe
@overrides_option
@artifacts_option
@_seed
@click.pass_obj
def plan(
    invocation: Invocation,
    recipe: Path | None,
    overrides: tuple[str, ...],
    artifacts: Path,
    seed: int | None,
) -> None:
    """Print which stages of RECIPE would run.

    The outputs of the others are in the store.
    """
    from ..api.plan import plan as make_plan

    planned = make_plan(recipe, artifacts=artifacts, overrides=overrides, seed=seed)
    lines = [f"{stage:<10} {where:<13} {key}" for stage, where, key in planned.rows()]
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
