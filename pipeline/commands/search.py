"""``edgestill search``: the frontier of accuracy against what a file takes of the device."""

from pathlib import Path
from typing import Any

import click

from .output import say, stderr
from .shared import (
    Invocation,
    address_option,
    artifacts_option,
    command,
    engine_option,
    note_demo,
    overrides_option,
    print_json,
    store_option,
)


@command(
    examples=(
        "edgestill search recipe.toml",
        "edgestill search recipe.toml --against latency,memory --trials 40",
        "edgestill search recipe.toml --minutes 30",
        "edgestill search recipe.toml --set 'search.models=[\"resnet8\"]'",
    )
)
@click.argument("recipe", type=click.Path(path_type=Path), required=False)
@click.option(
    "--against",
    default="latency,size",
    show_default=True,
    metavar="FIGURE[,FIGURE…]",
    help="What the score is weighed against: latency, size, memory, energy.",
)
@click.option(
    "--trials",
    type=click.IntRange(1, 10_000),
    default=16,
    show_default=True,
    help="Choices to explore in all; a further call with more goes on.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.0, min_open=True),
    help="Begin nothing further after so many; default: search.max_minutes of the recipe.",
)
@overrides_option
@artifacts_option
@store_option
@click.option("--seed", type=click.IntRange(0), help="Override the recipe's seed.")
@engine_option
@address_option
@click.pass_obj
def search(invocation: Invocation, /, recipe: Path | None, **given: Any) -> None:
    """Find the students and trainings that no other beats.

    Students are measured before they are trained, explored by short trainings, and those on the
    frontier are trained for the whole. Scores are of validation; each point has a recipe to build.
    """
    from ..api.search import search as find
    from ..progress import OnConsole

    note_demo(recipe)
    found = find(recipe, **given, progress=OnConsole(stderr()))
    if invocation.json:
        print_json(invocation, found.to_dict())
        return
    say(*repr(found).split("\n"))
