"""The commands on devices: what is known of each, and this machine measured as one more.

A device is a bundled profile, ``host``, or the path of a TOML file of the user's.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import click

from ...errors import StorageError, UsageError
from .shared import Commands, Manner, command, say, stderr, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from ...devices.profiles.profile import Figure, Profile

_UNKNOWN = "-"


@click.group(cls=Commands, no_args_is_help=False)
def devices() -> None:
    """List devices, show what is known of one, measure this one."""


@command()
@click.pass_obj
def list_(manner: Manner) -> None:
    """List the bundled devices and this machine."""
    from ...devices.profiles.profile import load, names

    found = [load(name) for name in names()]
    if manner.json:
        click.echo(json.dumps([document(one) for one in found], allow_nan=False))
        return
    stdout().print(overview(found))


@command()
@click.argument("device", metavar="NAME|FILE.toml")
@click.pass_obj
def show(manner: Manner, device: str) -> None:
    """Show every figure of one device, with its unit and its source."""
    from ...devices.profiles.profile import load

    _print(manner, load(device, where="devices show"))


@command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the profile to this new TOML file.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.0, 60.0, min_open=True),
    default=1.0,
    show_default=True,
    help="How long memory, fp32 and int8 are each repeated.",
)
@click.pass_obj
def probe(manner: Manner, out: Path | None, seconds: float) -> None:
    """Measure this machine: what one thread attains, as a profile."""
    from ...devices.operators.probe import probe as measure
    from ...devices.operators.probe import to_toml
    from ..engine.store import disk_errors, write_atomic

    if out is not None:
        _check_new(out)
    with stderr().status("measuring memory, fp32 and int8"):
        found = measure(seconds=seconds)
    if out is not None:
        with disk_errors(out.parent):
            write_atomic(out, to_toml(found).encode())
    _print(manner, found)
    if out is not None and not manner.json:
        click.echo(f"profile: {out}: its path goes wherever a device's name does")


@command()
@click.pass_obj
def setup_emulator(manner: Manner) -> None:
    """Download and set up what runs models on emulated ARM cores (Debian 12).

    The one command that uses the network: packages of Debian and of Python, by the servers that
    apt and pip here are set up for, into the user's cache folder; nothing is installed.
    """
    from ...devices.instructions import emulated_core as emulated
    from ...devices.instructions import setup_emulator as emulator

    def told(text: str) -> None:
        stderr().print(text, highlight=False, soft_wrap=True)

    made = emulator.setup_emulator(told)
    told("counting the instructions of a small model")
    runtime = emulated.try_out().runtime
    facts = {name: str(place) for name, place in asdict(made).items()}
    say(manner, {**facts, "runtime": runtime}, f"{made.folder}: ready, with {runtime}")


# In the order of use.
_COMMANDS = {"list": list_, "show": show, "probe": probe, "setup-emulator": setup_emulator}
for _name, _one in _COMMANDS.items():
    devices.add_command(_one, _name)


def document(profile: "Profile") -> dict[str, Any]:
    """One profile as JSON: every figure by its name and what it is, null where it is not known."""
    from ...devices.profiles.profile import FIGURES

    told = {key: profile.figures.get(key) for key in FIGURES}
    described = {
        key: {"what": FIGURES[key], **asdict(one)} if one else None for key, one in told.items()
    }
    return {
        "name": profile.name,
        "title": profile.title,
        "arch": profile.arch,
        "features": list(profile.features),
        "kernels": profile.kernels,
        "source": profile.source,
        "figures": described,
    }


def overview(profiles: Sequence["Profile"]) -> "Table":
    """One line a device; peaks and bandwidth are those of one core."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, caption="peaks and bandwidth: of one core")
    table.add_column("device", min_width=22, overflow="fold")
    table.add_column("processor", no_wrap=True)
    for heading in ("cores", "GHz", "fp32\nGFLOP/s", "int8\nGOP/s", "memory\nGB/s"):
        table.add_column(heading, justify="right")
    columns = ("cores", "clock_ghz", "fp32_gflop_s", "int8_gop_s", "bandwidth_gb_s")
    for one in profiles:
        told = Text.assemble((one.name, "bold"), f"\n{one.title}")
        kind = Text(f"{one.arch}\n{one.kernels}")
        table.add_row(told, kind, *(_value(one, key) for key in columns))
    return table


def figures(profile: "Profile") -> "Table":
    """Every figure with what it is, its range where known, and its source."""
    from rich.table import Table
    from rich.text import Text

    from ...devices.profiles.profile import FIGURES

    table = Table(box=None, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("range", no_wrap=True)
    table.add_column("what it is, and where that is from", overflow="fold")
    for key, what in FIGURES.items():
        one = profile.figures.get(key)
        source = one.source if one else "not known"
        told = Text.assemble((what, "bold"), "\n", source)
        table.add_row(key, _value(profile, key), _range(one), told)
    return table


def _print(manner: Manner, profile: "Profile") -> None:
    from rich.text import Text

    if manner.json:
        click.echo(json.dumps(document(profile), allow_nan=False))
        return
    console = stdout()
    console.print(Text(f"{profile.name}: {profile.title}"))
    console.print(Text(f"{profile.arch}, {', '.join(profile.features)} ({profile.source})"))
    console.print(figures(profile))


def _check_new(out: Path) -> None:
    """Refuse before anything is measured."""
    if out.suffix != ".toml":
        raise UsageError(repr(out.name), expected="a name that ends in .toml", where="--out")
    if out.exists():
        raise UsageError("it is there already", where=str(out), fix="choose another name")
    if not out.parent.is_dir():
        raise UsageError("no such folder", where=str(out.parent), fix="make it first")
    try:
        NamedTemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise StorageError(
            f"a folder that cannot be written ({error.strerror})",
            where=str(out.parent),
            fix="name another with --out",
        ) from None


def _value(profile: "Profile", key: str) -> str:
    one = profile.figures.get(key)
    return _number(one.value if one else None)


def _range(figure: "Figure | None") -> str:
    ends = {"from": figure.low, "to": figure.high} if figure else {}
    return " ".join(f"{word} {_number(end)}" for word, end in ends.items() if end is not None)


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.6g}"
