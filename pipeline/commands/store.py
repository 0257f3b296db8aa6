"""Commands on the store: what it holds, what may go, whether all of it is whole."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import MaterialError, UsageError
from .help import Commands
from .output import stderr
from .shared import Invocation, artifacts_option, command, print_result, store_option

if TYPE_CHECKING:
    from ..engine.artifacts import Artifacts
    from ..finished.stored import Side

_SECONDS = {"h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BYTES |= {f"{unit}i": 1024**power for power, unit in enumerate("kmgt", 1)}
_shared = click.option(
    "--shared",
    is_flag=True,
    help="Of the store that machines share (--store), not of that of this machine.",
)


def seconds_of(context: click.Context, option: click.Parameter, text: str) -> float:
    """Seconds of ``12h``, ``30d`` or ``4w``."""
    del context, option
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text.strip().lower())
    if found is None:
        raise click.BadParameter(f"{text!r}, expected hours, days or weeks: 12h, 30d, 4w")
    return float(found[1]) * _SECONDS[found[2]]


def bytes_of(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """Bytes of ``500MB``, ``20GB`` or ``20GiB``; None of none."""
    del context, option
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*((?:[kmgt]i?)?)b?", text.strip().lower())
    if found is None:
        raise click.BadParameter(f"{text!r}, expected a size: 500MB, 20GB, 20GiB")
    return int(float(found[1]) * _BYTES[found[2]])


@command(
    examples=("edgestill store size", "edgestill store size --store s3://models/edgestill --json")
)
@artifacts_option
@store_option
@click.pass_obj
def size(invocation: Invocation, artifacts: Path, store: str | None) -> None:
    """Show what the store holds.

    By stage, by when it was last used, and how much no run names; the store of this machine, and
    the one that machines share where there is one.
    """
    from ..engine.artifacts import Artifacts
    from ..finished.stored import Sizes, lines_of_size, local_side, shared_side, size_of
    from ..progress import OnConsole

    place = Artifacts.chosen(artifacts, store)
    sides = (local_side(place), shared_side(place, OnConsole(stderr()).warn))
    found = Sizes(tuple(size_of(side, place) for side in sides if side is not None))
    lines = [line for one in found.stores for line in lines_of_size(one)]
    print_result(invocation, found.to_dict(), *lines, hang=2)


@command(
    examples=(
        "edgestill store gc --dry-run",
        "edgestill store gc --older-than 7d --keep-size 20GB",
        "edgestill store gc --shared --store s3://models/edgestill --older-than 90d",
    )
)
@click.option(
    "--older-than",
    callback=seconds_of,
    default="30d",
    show_default=True,
    metavar="TIME",
    help="Remove what no run names and nobody used for so long: 12h, 30d, 4w.",
)
@click.option(
    "--keep-size",
    callback=bytes_of,
    metavar="SIZE",
    help="Then remove until no more is left: 20GB; the longest unused first, what a run names "
    "last.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@_shared
@artifacts_option
@store_option
@click.pass_obj
def gc(
    invocation: Invocation,
    /,
    artifacts: Path,
    store: str | None,
    shared: bool,
    older_than: float,
    keep_size: int | None,
    dry_run: bool,
) -> None:
    """Remove what is no longer needed.

    Entries that no run below --artifacts names and that no build read for long; what killed builds
    left; damaged entries. A run keeps copies of its files, and an entry that is gone is made again
    when a build needs it. What a running build has is never removed.
    """
    from ..engine.artifacts import Artifacts
    from ..finished.stored import collected, lines_of_collected
    from ..runs.named_keys import named_keys

    place = Artifacts.chosen(artifacts, store)
    side = _side(place, shared=shared)
    done = collected(side, named_keys(place.folder), older_than, keep_size, dry_run=dry_run)
    print_result(invocation, done.to_dict(), *lines_of_collected(done), hang=2)


@command(
    examples=(
        "edgestill store verify",
        "edgestill store verify --shared --store /mnt/team/edgestill",
    )
)
@_shared
@artifacts_option
@store_option
@click.pass_obj
def verify(invocation: Invocation, artifacts: Path, store: str | None, shared: bool) -> None:
    """Hash every entry again, and name those that are damaged.

    Nothing is changed: a build that needs a damaged entry sets it aside and makes it again. With
    --shared every entry is downloaded, and none is kept. Ends with 3 where one is damaged.
    """
    from ..engine.artifacts import Artifacts
    from ..finished.stored import hashed, lines_of_hashed

    done = hashed(_side(Artifacts.chosen(artifacts, store), shared=shared))
    print_result(invocation, done.to_dict(), *lines_of_hashed(done), hang=2)
    if done.bad:
        invocation.code = MaterialError.exit_code


STORE_COMMANDS: dict[str, click.Command] = {"size": size, "gc": gc, "verify": verify}
"""Every command of ``edgestill store``, in the order of its help."""


@click.group(cls=Commands, commands=STORE_COMMANDS)
def store() -> None:
    """Show, clean and check the store of finished stages."""


def _side(place: "Artifacts", *, shared: bool) -> "Side":
    from ..finished.stored import local_side, shared_side
    from ..progress import OnConsole

    if not shared:
        return local_side(place)
    side = shared_side(place, OnConsole(stderr()).warn)
    if side is None:
        raise UsageError(
            "--shared without a shared store",
            expected="its folder or URL",
            where="--store",
            fix="name it, or set EDGESTILL_STORE",
        )
    return side
