"""What a device is: its instruction set, for whoever compresses a model for it.

>>> load("raspberry-pi-5").dot_product
True

A profile is the machine at hand (``host``), one of ``profiles/*.toml`` by its name, or the path of
a ``.toml`` file of the user's with the same keys.
"""

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import UsageError
from . import host

HOST = "host"
BUNDLED = Path(__file__).with_name("profiles")
Arch = Literal["x86_64", "aarch64"]
ARCHITECTURES: tuple[Arch, ...] = ("x86_64", "aarch64")
_KEYS = {"title": str, "arch": str, "features": list, "source": str}


@dataclass(frozen=True, slots=True)
class Profile:
    """One device, as far as it decides how a model is compressed.

    Attributes:
        name: as the recipe has it.
        title: in words.
        arch: ``x86_64`` or ``aarch64``, as ``uname -m`` says it.
        features: instruction set extensions, in the kernel's spelling (``/proc/cpuinfo``; 64-bit
            ARM's ``asimd`` is ``neon``).
        source: where that is written down.
    """

    name: str
    title: str
    arch: str
    features: tuple[str, ...]
    source: str

    @property
    def saturates(self) -> bool:
        """Whether its int8 kernels cut sums of two products of 8 bits off."""
        return host.saturates(self.arch, self.features)

    @property
    def dot_product(self) -> bool:
        """Whether an ARM core multiplies and adds four pairs of int8 at once (sdot)."""
        return "asimddp" in self.features

    @property
    def kernels(self) -> str:
        """The family of matrix kernels that a runtime picks on it."""
        return host.kernel_class(self.features)


def names() -> tuple[str, ...]:
    """The machine at hand and every bundled profile."""
    return (HOST, *sorted(file.stem for file in BUNDLED.glob("*.toml")))


def load(name: str, *, where: str = "the device") -> Profile:
    """A profile by its name or path.

    Args:
        name: ``host``, a bundled profile's name, or a path ending in ``.toml``.
        where: who asks, for a refusal.

    Raises:
        UsageError: no such profile, or a file that is none.
    """
    if name == HOST:
        here = host.describe()
        return Profile(HOST, here.cpu, here.arch, here.features, "/proc/cpuinfo")
    if name.endswith(".toml"):
        return _read(Path(name).stem, Path(name))
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        raise UsageError(
            found=repr(name),
            expected=f"one of {', '.join(names())}, or the path of a .toml file",
            where=where,
            fix=f"did you mean {near[0]!r}?" if near else None,
        )
    return _read(name, BUNDLED / f"{name}.toml")


def _read(name: str, path: Path) -> Profile:
    try:
        told: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"a profile that cannot be read ({error})", where=str(path)) from None
    wrong = [key for key, kind in _KEYS.items() if not isinstance(told.get(key), kind)]
    wrong += [key for key in told if key not in _KEYS]
    if wrong or not all(isinstance(one, str) for one in told["features"]):
        raise UsageError(
            f"the keys {', '.join(sorted(map(str, told)))}",
            expected="title, arch, features (a list of texts) and source",
            where=str(path),
        )
    if told["arch"] not in ARCHITECTURES:
        raise UsageError(
            repr(told["arch"]), expected=" or ".join(ARCHITECTURES), where=f"{path}: arch"
        )
    return Profile(name, told["title"], told["arch"], tuple(told["features"]), told["source"])
