"""The parts of the emulator on disk, and the command line that runs a worker on an emulated core.

    >>> find().worker("cortex-a72")                                 # doctest: +SKIP
    ('env', 'LD_LIBRARY_PATH=...', '.../qemu-aarch64', '-cpu', 'cortex-a72', ...)

`setup_emulator` creates the parts.
"""

import hashlib
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import HostError
from ...toolchains.interpreter import caches

COMMAND = "edgestill devices setup-emulator"
QEMU_PACKAGES = ("qemu-user",)
PYTHON_PACKAGES = ("python3.11", "libstdc++6")
WHEELS = (
    "onnxruntime==1.26.0",
    "ai-edge-litert==1.4.0",
    "backports.strenum==1.2.8",
    "flatbuffers==25.9.23",
    "numpy==2.3.5",
    "protobuf==6.33.1",
    "tqdm==4.67.1",
    "typing-extensions==4.15.0",
)
"""The last versions of the runtimes that this qemu runs, and what they need."""
EMULATED = ("onnxruntime", "litert")
"""Names of the runtimes that those wheels bring."""
COUNTER_SOURCE = Path(__file__).with_name("count_instructions.c")


@dataclass(frozen=True, slots=True)
class Emulator:
    """The paths of an emulator's parts.

    Attributes:
        folder: the folder of all parts.
        qemu: root of the system with qemu-aarch64 and its libraries.
        root: root of the ARM system with Python in it.
        site: the folder of ARM packages for that Python.
        plugin: the instruction counter, for qemu's ``-plugin``.
    """

    folder: Path
    qemu: Path
    root: Path
    site: Path
    plugin: Path

    @property
    def program(self) -> Path:
        """The emulator's executable."""
        return self.qemu / "usr/bin/qemu-aarch64"

    @property
    def python(self) -> Path:
        """The ARM Python's executable."""
        return self.root / "usr/bin/python3.11"

    def worker(self, core: str, counts: Path | None = None) -> tuple[str, ...]:
        """The command line of ``devices.onboard.measure.worker`` on an emulated core.

        Args:
            core: a name that ``qemu-aarch64 -cpu`` accepts.
            counts: the file for the counts of marked regions; None to count nothing.
        """
        triple = f"{platform.machine()}-linux-gnu"
        libraries = f"{self.qemu / 'lib' / triple}:{self.qemu / 'usr/lib' / triple}"
        # Compiling the bytecode in each emulated process takes half a minute, so it is cached.
        variables = {
            "PYTHONPATH": f"{self.site}:{self._package()}",
            "PYTHONPYCACHEPREFIX": self.folder / "bytecode",
        }
        return (
            # The variables of `env` are for qemu; -E and -U set those of the emulated program.
            *("env", f"LD_LIBRARY_PATH={libraries}"),
            *(str(self.program), "-cpu", core, "-L", str(self.root)),
            *("-U", "LD_LIBRARY_PATH", "-U", "PYTHONDONTWRITEBYTECODE"),
            *(word for name, value in variables.items() for word in ("-E", f"{name}={value}")),
            *(("-plugin", f"{self.plugin},out={counts}") if counts is not None else ()),
            *(str(self.python), "-P", "-m", "edgestill.devices.onboard.measure.worker"),
        )

    def _package(self) -> Path:
        """A folder that contains edgestill and none of the host's other packages."""
        package = Path(__file__).parents[2]
        folder = self.folder / f"package-{digest(str(package))}"
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (folder / "edgestill").symlink_to(package, target_is_directory=True)
        return folder


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the emulator, below the user's folder for caches."""
    return caches(environment) / "emulator"


def parts(folder: Path | None = None) -> Emulator:
    """The paths of an emulator's parts, whether they exist or not.

    A part's folder is named by a digest of its packages, so that other versions get a new folder.
    """
    folder = folder or cache_folder()
    return Emulator(
        folder,
        qemu=folder / f"qemu-{digest(*QEMU_PACKAGES)}",
        root=folder / f"python-{digest(*PYTHON_PACKAGES)}",
        site=folder / f"site-{digest(*WHEELS)}",
        plugin=folder / f"count-{digest(COUNTER_SOURCE.read_text(encoding='utf-8'))}.so",
    )


def find(folder: Path | None = None) -> Emulator:
    """The emulator that was set up.

    Raises:
        HostError: it was not set up, or a part is missing or of another version.
    """
    emulator = parts(folder)
    for part in (emulator.program, emulator.python, emulator.site, emulator.plugin):
        if not part.exists():
            raise HostError(
                f"no emulator ({part} is missing)", where="an emulated core", fix=f"run {COMMAND}"
            )
    return emulator


def digest(*texts: str) -> str:
    """Twelve hexadecimal digits that name these texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
