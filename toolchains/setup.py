"""Set up and remove toolchains; their packages come from the index that pip is configured for.

>>> setup(TOOLCHAINS["openvino"], print)                           # doctest: +SKIP
"""

import json
import shutil
import sys
import venv
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import StorageError
from .interpreter import STAMP, digest, environment_of, python_in, state
from .step import run_step
from .table import COMMAND, Toolchain

_MINUTES = 30
_SPARE = 1.2
"""Room that unpacking takes beside what is installed."""
Log = Callable[[str], None]
"""Receives one sentence a step."""


def setup(toolchain: Toolchain, log: Log, base: Path | None = None) -> Path:
    """Make a toolchain's environment from its pinned requirements; returns its interpreter.

    The packages come from the index that pip is configured for. What was interrupted is made anew.

    Args:
        toolchain: a row of `TOOLCHAINS`.
        log: called before each step with a sentence.
        base: where toolchains lie; None: `folder()`.

    Raises:
        HostError: pip failed, for example because there is no network; or what it installed cannot
            be imported.
        StorageError: the folder cannot be written, or has no room.
    """
    place = environment_of(toolchain, base)
    python = python_in(place)
    if state(toolchain, base) == "ready":
        log(f"{toolchain.name} is set up: {place}")
        return python
    try:
        remove(toolchain, base)
        place.mkdir(parents=True)
        _check_room(toolchain, place)
        log(f"creating {place}")
        # Our own pip installs there as well; to bring another one takes seconds.
        own = find_spec("pip") is not None
        venv.create(place, with_pip=not own)
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        if not own:
            pip = [str(python), "-m", "pip"]
        log(f"installing {toolchain.title} (about {toolchain.download_mib} MiB)")
        requirements = str(toolchain.requirements)
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        # Nothing else comes in by a dependency, such as a package that only reports usage.
        closed = ["--no-deps"] if toolchain.closed else []
        _run((*pip, "install", *quiet, *closed, "-r", requirements), toolchain)
        log("importing it")
        for module in toolchain.modules:
            _run((str(python), "-P", "-c", f"import {module}"), toolchain)
        known = {"requirements_sha256": digest(toolchain), "python": sys.version.split()[0]}
        (place / STAMP).write_text(json.dumps(known), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"a folder that cannot be written ({error.strerror or error})", where=str(place)
        ) from None
    return python


def remove(toolchain: Toolchain, base: Path | None = None) -> bool:
    """Delete a toolchain's environment; whether there was one."""
    place = environment_of(toolchain, base)
    if place.is_symlink():
        # A link to an environment elsewhere, which stays.
        place.unlink()
        return True
    if not place.exists():
        return False
    # The stamp goes first: what is deleted by half is not ready.
    (place / STAMP).unlink(missing_ok=True)
    shutil.rmtree(place)
    return True


def _check_room(toolchain: Toolchain, place: Path) -> None:
    free = shutil.disk_usage(place).free >> 20
    needed = int(_SPARE * toolchain.download_mib)
    if free < needed:
        shutil.rmtree(place)
        raise StorageError(
            f"{free} MiB free", expected=f"{needed} MiB for {toolchain.name}", where=str(place)
        )


def _run(words: Sequence[str], toolchain: Toolchain) -> None:
    """Run one step.

    Raises:
        HostError: it failed (with the last line of its output) or took too long.
    """
    again = f"check the network, then run {COMMAND} {toolchain.name} again"
    where = f"setting up {toolchain.name}"
    run_step(words, where=where, fix=again, minutes=_MINUTES)
