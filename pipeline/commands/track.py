"""``edgestill track``, and the options by which ``build`` does the same."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ...errors import EdgestillError, UsageError
from ..tracking.places import Places
from .output import say
from .shared import Invocation, command, print_result

_OPTIONS = (
    click.option(
        "--mlflow",
        metavar="FOLDER|URI",
        help="Record the run in MLflow: in this folder, or on a server (http://…).",
    ),
    click.option(
        "--experiment", metavar="NAME", help="--mlflow: of this name; default: edgestill/NAME."
    ),
    click.option(
        "--tensorboard",
        metavar="FOLDER",
        type=click.Path(path_type=Path),
        help="Write the run's curves and figures as event files below this folder.",
    ),
)


def place_options(function: Callable[..., None]) -> Callable[..., None]:
    """``--mlflow``, ``--experiment`` and ``--tensorboard``, as one ``Places``."""

    @functools.wraps(function)
    def with_places(
        *arguments: Any,
        mlflow: str | None,
        experiment: str | None,
        tensorboard: Path | None,
        **others: Any,
    ) -> None:
        function(*arguments, places=Places(mlflow, experiment, tensorboard), **others)

    for option in reversed(_OPTIONS):
        with_places = option(with_places)
    return with_places


@command(
    examples=(
        "edgestill track RUN --mlflow http://localhost:5000",
        "edgestill track RUN --mlflow tracked --tensorboard events",
    )
)
@click.argument("run", type=click.Path(path_type=Path))
@place_options
@click.pass_obj
def track(invocation: Invocation, run: Path, places: Places) -> None:
    """Record RUN in MLflow, or write event files for TensorBoard.

    RUN is a run's folder, or a name, whose last build it is. Parameters, figures with both ends of
    their intervals, curves, the report and what ships. Recorded again it is the same run there.
    """
    from ..api.track import track as run_track

    if not places.named:
        raise UsageError("no place", expected="--mlflow or --tensorboard")
    found = run_track(run, **places._asdict())
    print_result(invocation, found.to_dict(), *found.lines())


def check_places(places: Places, until: str | None) -> None:
    """Find out before a build whether it can be recorded.

    Raises:
        UsageError: a place that cannot be one, or a build that stops before its report.
        HostError: a library is missing, or a server does not answer.
    """
    if not any(places):
        return
    from ..tracking.track import check

    if until is not None:
        raise UsageError("--until", expected="a whole build where a run is to be recorded")
    check(places)


def record_built(run: Path, places: Places) -> None:
    """Record what was built. Where that fails, the verdict stands: it is said on stderr."""
    if not places.named:
        return
    from ..tracking.track import record

    try:
        lines = record(run, places).lines()
    except EdgestillError as error:
        lines = (f"warning: the run was not recorded: {error}",)
    say(*lines, file=sys.stderr)
