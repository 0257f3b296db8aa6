"""Set up what runs a model on an emulated ARM core: qemu, an ARM Python, its runtime, a counter.

    >>> setup_emulator(print).python                                # doctest: +SKIP

All of it is made of packages by their names, from the servers that this system's apt and pip are
set up for, and lies below the user's cache folder; nothing is installed into the system. It is the
only part of edgestill that uses the network. Each part is made in a folder of its own and gets its
name when it is whole: what was interrupted goes on where it stopped, and what is there stays.

Debian 12 only: its qemu-user 7.2 takes plugins and is linked dynamically, which later versions of
the package are not, and onnxruntime 1.26 is the last for aarch64 that this qemu runs.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import HostError, StorageError
from ..onboard.machine.host import ROOT, read_text

_COMMAND = "edgestill devices setup-emulator"
_QEMU = ("qemu-user",)
_PYTHON = ("python3.11", "libstdc++6")
_WHEELS = ("onnxruntime==1.26.0", "numpy==2.3.5", "flatbuffers==25.9.23", "protobuf==6.33.1")
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
_SOURCE = Path(__file__).with_name("count_instructions.c")
_MINUTES = 20
_APT_CONF = """APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
Acquire::Retries "3";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Emulator:
    """Where its parts lie.

    Attributes:
        folder: of all of it.
        qemu: root of the system with qemu-aarch64 and its libraries.
        root: root of the ARM system with Python in it.
        site: the folder of ARM packages for that Python.
        plugin: the counter, for qemu's ``-plugin``.
    """

    folder: Path
    qemu: Path
    root: Path
    site: Path
    plugin: Path

    @property
    def program(self) -> Path:
        """The emulator."""
        return self.qemu / "usr/bin/qemu-aarch64"

    @property
    def python(self) -> Path:
        """The ARM Python."""
        return self.root / "usr/bin/python3.11"

    def worker(self, core: str, counts: Path | None = None) -> tuple[str, ...]:
        """The command line of ``devices.onboard.measure.worker`` on an emulated core.

        Args:
            core: as ``qemu-aarch64 -cpu`` calls it.
            counts: the file for the counts of marked regions; None: nothing is counted.
        """
        triple = f"{platform.machine()}-linux-gnu"
        libraries = f"{self.qemu / 'lib' / triple}:{self.qemu / 'usr/lib' / triple}"
        # Its bytecode is kept here: compiling it anew in each emulated process takes half a minute.
        own = {
            "PYTHONPATH": f"{self.site}:{self._package()}",
            "PYTHONPYCACHEPREFIX": self.folder / "bytecode",
        }
        return (
            # The variables of `env` are for qemu; -E and -U say what the emulated program gets.
            *("env", f"LD_LIBRARY_PATH={libraries}"),
            *(str(self.program), "-cpu", core, "-L", str(self.root)),
            *("-U", "LD_LIBRARY_PATH", "-U", "PYTHONDONTWRITEBYTECODE"),
            *(word for name, value in own.items() for word in ("-E", f"{name}={value}")),
            *(("-plugin", f"{self.plugin},out={counts}") if counts is not None else ()),
            *(str(self.python), "-P", "-m", "edgestill.devices.onboard.measure.worker"),
        )

    def _package(self) -> Path:
        """A folder with edgestill in it and nothing of the host's other packages."""
        package = Path(__file__).parents[2]
        folder = self.folder / f"package-{_digest(str(package))}"
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (folder / "edgestill").symlink_to(package, target_is_directory=True)
        return folder


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where an emulator is kept: below XDG_CACHE_HOME, or else ``~/.cache``."""
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edgestill" / "emulator"


def parts(folder: Path | None = None) -> Emulator:
    """Where the parts of an emulator lie, or would lie.

    A part's folder is named for what goes into it, so that another version makes it anew.
    """
    folder = folder or cache_folder()
    return Emulator(
        folder,
        qemu=folder / f"qemu-{_digest(*_QEMU)}",
        root=folder / f"python-{_digest(*_PYTHON)}",
        site=folder / f"site-{_digest(*_WHEELS)}",
        plugin=folder / f"count-{_digest(_SOURCE.read_text(encoding='utf-8'))}.so",
    )


def find(folder: Path | None = None) -> Emulator:
    """The emulator that was set up.

    Raises:
        HostError: there is none, or a part of it is missing or of another version.
    """
    emulator = parts(folder)
    for part in (emulator.program, emulator.python, emulator.site, emulator.plugin):
        if not part.exists():
            raise HostError(
                f"no emulator ({part} is missing)", where="an emulated core", fix=f"run {_COMMAND}"
            )
    return emulator


def setup_emulator(say: Say, folder: Path | None = None, root: Path = ROOT) -> Emulator:
    """Make every part of the emulator that is not there yet; some minutes of downloads.

    Args:
        say: told what is being done, one sentence each.
        folder: where to; None: ``cache_folder()``.
        root: of the file system whose ``etc/os-release`` is read.

    Raises:
        HostError: another system than Debian 12, a missing tool, or a step that failed, such as
            for want of the network.
        StorageError: the folder cannot be written.
    """
    emulator = parts(folder)
    _check_system(root)
    try:
        emulator.folder.mkdir(parents=True, exist_ok=True)
        host = _run(["dpkg", "--print-architecture"])
        # The C library of qemu is the system's: it must match the loader that starts it.
        _make(
            emulator.qemu, "qemu", say, lambda draft: _debian(draft, host, _QEMU, without="libc6_")
        )
        _make(emulator.root, "an ARM Python", say, lambda draft: _debian(draft, "arm64", _PYTHON))
        _make(emulator.site, "an ARM onnxruntime", say, _wheels)
        _make(emulator.plugin, "the instruction counter", say, _compile)
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


def _make(place: Path, what: str, say: Say, make: Callable[[Path], None]) -> None:
    """Let `make` make a part in a draft, which gets its name when it is whole."""
    if place.exists():
        say(f"{what} is there: {place}")
        return
    say(f"making {what}: {place}")
    draft = place.with_name(f"{place.name}.draft")
    make(draft)
    draft.rename(place)


def _debian(draft: Path, arch: str, packages: Sequence[str], without: str | None = None) -> None:
    """Unpack packages and all they depend on, by an apt that knows nothing of this system's state.

    What was downloaded stays until all is unpacked, so that a second try has less to do.

    Args:
        draft: the folder to unpack into.
        arch: as Debian calls it.
        packages: their names.
        without: files whose names begin so are left out.
    """
    apt = draft.with_name(f"{draft.name}-apt")
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    conf = apt / "apt.conf"
    conf.write_text(_APT_CONF.format(arch=arch, folder=apt), encoding="utf-8")
    environment = {"APT_CONFIG": str(conf)}
    _run(["apt-get", "-q", "update"], environment)
    only = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    get = ["apt-get", "-q", "-y", "-d", "--no-install-recommends", *only, "install", *packages]
    _run(get, environment)
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        if without is None or not package.name.startswith(without):
            _run(["dpkg-deb", "-x", str(package), str(draft)])
    shutil.rmtree(apt)


def _wheels(draft: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    _run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-compile", "--only-binary=:all:", *platforms),
            *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"),
            *("--target", str(draft), *_WHEELS),
        ]
    )


def _compile(draft: Path) -> None:
    _run(["cc", "-O2", "-shared", "-fPIC", "-o", str(draft), str(_SOURCE)])


def _run(command: Sequence[str], environment: Mapping[str, str] = {}) -> str:
    """Run one step; the last line it said.

    Raises:
        HostError: it failed, with the last line it said, or took too long.
    """
    step = " ".join(command[:2])
    again = f"see that the network is there, then run {_COMMAND} again"
    try:
        done = subprocess.run(
            list(command),
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=60 * _MINUTES,
        )
    except subprocess.TimeoutExpired:
        raise HostError(f"no end after {_MINUTES} minutes", where=step, fix=again) from None
    last = next((line for line in reversed(done.stdout.splitlines()) if line.strip()), "")
    if done.returncode != 0:
        raise HostError(last[:300] or f"status {done.returncode}", where=step, fix=again)
    return last


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
