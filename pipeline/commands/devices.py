"""Commands on devices: their profiles, this machine measured, and what it can measure.

A device is a bundled profile, ``host``, or the path of a user's TOML file.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import click

from ...errors import StorageError, UsageError
from . import names
from .help import Commands
from .output import say, stderr, stdout
from .shared import Invocation, artifacts_option, command, print_json, print_result

if TYPE_CHECKING:
    from rich.table import Table

    from ...devices.doctor import Check
    from ...devices.profiles.profile import Figure, Profile

_UNKNOWN = "-"


@command(examples=("edgestill devices list",))
@click.pass_obj
def list_profiles(invocation: Invocation) -> None:
    """List the bundled devices and this machine."""
    from ...devices.profiles.profile import load, names

    profiles = [load(name) for name in names()]
    if invocation.json:
        print_json(invocation, [document(profile) for profile in profiles])
        return
    stdout().print(overview(profiles))


@command(examples=("edgestill devices show raspberry-pi-5", "edgestill devices show host --json"))
@click.argument("device", metavar="NAME|FILE.toml", shell_complete=names.devices)
@click.pass_obj
def show(invocation: Invocation, device: str) -> None:
    """Show every figure of one device.

    Each has its unit, its range where known, and its source.
    """
    from ...devices.profiles.profile import load

    _print(invocation, load(device, where="devices show"))


@command(examples=("edgestill devices probe", "edgestill devices probe --out board.toml"))
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
    help="Seconds for each of memory, fp32 and int8.",
)
@click.pass_obj
def probe(invocation: Invocation, out: Path | None, seconds: float) -> None:
    """Measure this machine as a profile.

    Its peaks and bandwidth are what one thread attains.
    """
    from ...devices.operators.probe import probe as measure
    from ...devices.operators.probe import to_toml
    from ..engine.store import disk_errors, write_atomic
    from ..progress import OnConsole

    if out is not None:
        _check_new(out)
    OnConsole(stderr()).note(f"measuring memory, fp32 and int8, about {3 * seconds:.0f} s …")
    profile = measure(seconds=seconds)
    if out is not None:
        with disk_errors(out.parent):
            write_atomic(out, to_toml(profile).encode())
    _print(invocation, profile)
    if out is not None and not invocation.json:
        say(f"profile written to {out}; use its path in place of a device's name")


@command(examples=("edgestill devices setup-emulator",))
@click.pass_obj
def setup_emulator(invocation: Invocation) -> None:
    """Set up emulated ARM cores (Debian 12).

    They count the instructions of a model for an ARM device. Only this command and
    `toolchains setup` download packages.
    Debian and Python packages come from the servers that apt and pip are configured for. They go
    into the user's cache folder; nothing is installed.
    """
    from ...devices.instructions import emulated_core as emulated
    from ...devices.instructions import setup_emulator as emulator
    from ..progress import OnConsole

    note = OnConsole(stderr()).note
    installed = emulator.setup_emulator(note)
    note("counting the instructions of a small model")
    runtime = emulated.try_out().runtime
    facts = {name: str(path) for name, path in asdict(installed).items()}
    text = f"{installed.folder}: ready, with {runtime}"
    print_result(invocation, {**facts, "runtime": runtime}, text)


DEVICE_COMMANDS: dict[str, click.Command] = {
    "list": list_profiles,
    "show": show,
    "probe": probe,
    "setup-emulator": setup_emulator,
}
"""Every command of ``edgestill devices``, in the order of its help."""


@click.group(cls=Commands, commands=DEVICE_COMMANDS)
def devices() -> None:
    """List devices, show the profile of one, measure this machine."""


@command(examples=("edgestill doctor",))
@artifacts_option
@click.pass_obj
def doctor(invocation: Invocation, artifacts: Path) -> None:
    """Print what this machine can measure and what it cannot.

    Each limit is printed with its consequence and what to do about it.
    """
    from ...devices.doctor import checks

    results = [*checks(artifacts), *_stored(artifacts)]
    lines = []
    for check in results:
        means = f"; {check.means}" if check.state == "ok" else ""
        lines.append(f"{check.state:<7}  {check.name}: {check.found}{means}")
        if check.state != "ok":
            lines.append(f"         {check.means}" + (f"; {check.fix}" if check.fix else ""))
    print_result(invocation, [asdict(check) for check in results], *lines, hang=9)


def _stored(artifacts: Path) -> "list[Check]":
    """What the store takes of the disk, where there is one."""
    from ...devices.doctor import Check
    from ..engine.artifacts import Artifacts
    from ..finished.stored import local_side, size_of, summary

    place = Artifacts(artifacts)
    if not (artifacts / "store").is_dir():
        return []
    found = summary(size_of(local_side(place), place))
    return [Check("store", "ok", found, "`edgestill store gc` removes what is not needed")]


def document(profile: "Profile") -> dict[str, Any]:
    """A profile as a JSON document: every figure by its name; null where the figure is unknown."""
    from ...devices.profiles.profile import FIGURES

    known = {key: profile.figures.get(key) for key in FIGURES}
    described = {
        key: {"what": FIGURES[key], **asdict(figure)} if figure else None
        for key, figure in known.items()
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
    """A table with one line per device; peaks and bandwidth are those of one core."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, caption="peaks and bandwidth: of one core")
    table.add_column("device", min_width=22, overflow="fold")
    table.add_column("processor", no_wrap=True)
    for heading in ("cores", "GHz", "fp32\nGFLOP/s", "int8\nGOP/s", "memory\nGB/s"):
        table.add_column(heading, justify="right")
    columns = ("cores", "clock_ghz", "fp32_gflop_s", "int8_gop_s", "bandwidth_gb_s")
    for profile in profiles:
        title = Text.assemble((profile.name, "bold"), f"\n{profile.title}")
        kind = Text(f"{profile.arch}\n{profile.kernels}")
        table.add_row(title, kind, *(_value(profile, key) for key in columns))
    return table


def figures(profile: "Profile") -> "Table":
    """A table of every figure: its value, its range where known, its meaning, its source."""
    from rich.table import Table
    from rich.text import Text

    from ...devices.profiles.profile import FIGURES

    table = Table(box=None, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("range", no_wrap=True)
    table.add_column("what it is, and its source", overflow="fold")
    for key, what in FIGURES.items():
        figure = profile.figures.get(key)
        source = figure.source if figure else "not known"
        meaning = Text.assemble((what, "bold"), "\n", source)
        table.add_row(key, _value(profile, key), _range(figure), meaning)
    return table


def _print(invocation: Invocation, profile: "Profile") -> None:
    from rich.text import Text

    if invocation.json:
        print_json(invocation, document(profile))
        return
    console = stdout()
    console.print(Text(f"{profile.name}: {profile.title}"))
    console.print(Text(f"{profile.arch}, {', '.join(profile.features)} ({profile.source})"))
    console.print(figures(profile))


def _check_new(out: Path) -> None:
    """Refuse a file that cannot be written, before anything is measured."""
    if out.suffix != ".toml":
        raise UsageError(repr(out.name), expected="a name that ends in .toml", where="--out")
    if out.exists():
        raise UsageError(
            "a file that exists", expected="a new file", where=str(out), fix="choose another name"
        )
    if not out.parent.is_dir():
        raise UsageError("no such folder", where=str(out.parent), fix="create it first")
    try:
        NamedTemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise StorageError(
            f"the folder cannot be written ({error.strerror})",
            where=str(out.parent),
            fix="name another folder with --out",
        ) from None


def _value(profile: "Profile", key: str) -> str:
    figure = profile.figures.get(key)
    return _number(figure.value if figure else None)


def _range(figure: "Figure | None") -> str:
    ends = {"from": figure.low, "to": figure.high} if figure else {}
    return " ".join(f"{word} {_number(end)}" for word, end in ends.items() if end is not None)


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.6g}"
