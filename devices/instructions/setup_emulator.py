"""Set up the emulator of ARM cores: qemu, an ARM Python, its runtime, an instruction counter.

    >>> setup_emulator(print).python                                # doctest: +SKIP

The packages come by name from the servers that apt and pip are configured for on this system. They
are unpacked below the user's cache folder; nothing is installed into the system. Each part is
created in a draft folder that is renamed when it is complete: an interrupted run continues at the
part where it stopped and keeps complete parts.

Debian 12 only: its qemu-user 7.2 accepts plugins and is linked dynamically, which later versions of
the package are not. onnxruntime 1.26 is the last version for aarch64 that this qemu runs, and of
LiteRT 1.4.0 runs where 2.3 crashes.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...errors import HostError, StorageError
from ...toolchains.step import run_step
from ..onboard.machine.system import ROOT, read_text
from .emulator import (
    COMMAND,
    COUNTER_SOURCE,
    PYTHON_PACKAGES,
    QEMU_PACKAGES,
    WHEELS,
    Emulator,
    parts,
)

_PLATFORMS = tuple(
    f"{name}_aarch64"
    for name in ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
)
_MINUTES = 20
_APT_CONF = """APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
Acquire::Retries "3";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""
Log = Callable[[str], None]
"""Receives one sentence a step."""


def setup_emulator(log: Log, folder: Path | None = None, root: Path = ROOT) -> Emulator:
    """Create every missing part of the emulator; downloads take some minutes.

    Args:
        log: called before each step with a sentence.
        folder: the emulator's folder; None: ``cache_folder()``.
        root: root of the file system whose ``etc/os-release`` is read.

    Raises:
        HostError: the system is not Debian 12, a tool is missing, or a step failed, for example
            because there is no network.
        StorageError: the folder cannot be written.
    """
    emulator = parts(folder)
    _check_system(root)
    try:
        emulator.folder.mkdir(parents=True, exist_ok=True)
        host = _run(["dpkg", "--print-architecture"])
        _make(emulator.qemu, "qemu", log, lambda draft: _qemu(draft, host))
        _make(emulator.root, "an ARM Python", log, _python)
        _make(emulator.site, "an ARM onnxruntime and LiteRT", log, _wheels)
        _make(emulator.plugin, "the instruction counter", log, _compile)
    except OSError as error:
        raise StorageError(
            f"a folder that cannot be written ({error.strerror or error})",
            where=str(emulator.folder),
        ) from None
    return emulator


def _check_system(root: Path) -> None:
    release = dict(
        line.split("=", 1)
        for line in (read_text(root / "etc/os-release") or "").splitlines()
        if "=" in line
    )
    system = tuple(release.get(key, "").strip('"') for key in ("ID", "VERSION_ID"))
    if system != ("debian", "12"):
        raise HostError(
            " ".join(filter(None, system)) or "another system",
            expected="Debian 12, whose qemu takes plugins",
            where="setting up the emulator",
            fix="run it in a container of Debian 12",
        )
    packages = {"apt-get": "apt", "dpkg": "dpkg", "dpkg-deb": "dpkg", "cc": "gcc libc6-dev"}
    for tool, package in packages.items():
        if shutil.which(tool) is None:
            raise HostError(
                f"no {tool}",
                where="setting up the emulator",
                fix=f"install it: apt-get install {package}",
            )


def _make(place: Path, what: str, log: Log, make: Callable[[Path], None]) -> None:
    """Let `make` create a part in a draft folder, and rename it when it is complete."""
    if place.exists():
        log(f"{what} exists: {place}")
        return
    log(f"creating {what}: {place}")
    draft = place.with_name(f"{place.name}.draft")
    make(draft)
    draft.rename(place)


def _debian(draft: Path, arch: str, packages: Sequence[str], without: str | None = None) -> None:
    """Unpack packages and their dependencies, with an apt that ignores this system's state.

    Downloads are kept until everything is unpacked, so that a second run need not repeat them.

    Args:
        draft: the folder to unpack into.
        arch: Debian's name of the architecture.
        packages: names of packages.
        without: package files with this prefix are left out.
    """
    apt = draft.with_name(f"{draft.name}-apt")
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    conf = apt / "apt.conf"
    conf.write_text(_APT_CONF.format(arch=arch, folder=apt), encoding="utf-8")
    environment = {"APT_CONFIG": str(conf)}
    _run(["apt-get", "-q", "update"], environment)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    only = ["-o", "APT::Sandbox::User=root"] if root else []
    get = ["apt-get", "-q", "-y", "-d", "--no-install-recommends", *only, "install", *packages]
    _run(get, environment)
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        if without is None or not package.name.startswith(without):
            _run(["dpkg-deb", "-x", str(package), str(draft)])
    shutil.rmtree(apt)


def _qemu(draft: Path, host: str) -> None:
    # qemu uses the system's C library, which must match the loader that starts it.
    _debian(draft, host, QEMU_PACKAGES, without="libc6_")


def _python(draft: Path) -> None:
    _debian(draft, "arm64", PYTHON_PACKAGES)


def _wheels(draft: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    _run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-compile", "--only-binary=:all:", *platforms),
            *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"),
            *("--target", str(draft), *WHEELS),
        ]
    )


def _compile(draft: Path) -> None:
    _run(["cc", "-O2", "-shared", "-fPIC", "-o", str(draft), str(COUNTER_SOURCE)])


def _run(command: Sequence[str], environment: Mapping[str, str] = {}) -> str:
    """Run one step and return the last line of its output.

    Raises:
        HostError: it failed (with the last line of its output) or took too long.
    """
    step = " ".join(command[:2])
    again = f"check the network, then run {COMMAND} again"
    return run_step(command, where=step, fix=again, minutes=_MINUTES, environment=environment)
