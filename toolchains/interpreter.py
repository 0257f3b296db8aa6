"""Find the interpreter that has a package, and start a module of ours in it.

>>> command(Path(sys.executable), "edgestill.devices.onboard.measure.worker")[1:]
('-P', '-m', 'edgestill.devices.onboard.measure.worker')
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from ..errors import HostError
from .table import COMMAND, TOOLCHAINS, Toolchain

STAMP = "edgestill-toolchain.json"
"""Written last by `setup`: the digest of the requirements that are installed."""
_PACKAGE = Path(__file__).parents[1]
# Our package is made known by its folder: the other environment must see nothing else of ours.
_BOOTSTRAP = """\
import importlib.util, runpy, sys
root, module = sys.argv[1], sys.argv[2]
del sys.argv[1:3]
spec = importlib.util.spec_from_file_location(
    "edgestill", root + "/__init__.py", submodule_search_locations=[root]
)
package = importlib.util.module_from_spec(spec)
sys.modules["edgestill"] = package
spec.loader.exec_module(package)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where toolchains lie: in EDGESTILL_TOOLCHAINS, else below the user's folder for caches."""
    if own := environment.get("EDGESTILL_TOOLCHAINS"):
        return Path(own)
    return caches(environment) / "toolchains"


def caches(environment: Mapping[str, str] = os.environ) -> Path:
    r"""Where edgestill keeps what it can fetch again.

    It is `~/.cache/edgestill` on Linux, `~/Library/Caches/edgestill` on macOS and
    `%LOCALAPPDATA%\edgestill\Cache` on Windows. XDG_CACHE_HOME comes first everywhere.
    """
    if base := environment.get("XDG_CACHE_HOME"):
        return Path(base) / "edgestill"
    # A toolchain's own interpreter, which runs modules that import this one, has no platformdirs.
    from platformdirs import user_cache_path

    return user_cache_path("edgestill", appauthor=False)


def python_in(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment_of(toolchain: Toolchain, base: Path | None = None) -> Path:
    """The folder of a toolchain's environment, whether it exists or not."""
    return (base or folder()) / toolchain.name


def digest(toolchain: Toolchain) -> str:
    """SHA-256 of the requirements."""
    return hashlib.sha256(toolchain.requirements.read_bytes()).hexdigest()


def state(toolchain: Toolchain, base: Path | None = None) -> str:
    """`ready`, `outdated` (set up from other requirements), `unfinished`, `here` or `absent`.

    `here`: the running interpreter has its packages, and no environment was set up.
    """
    place = environment_of(toolchain, base)
    if (place / STAMP).exists():
        try:
            known = json.loads((place / STAMP).read_text(encoding="utf-8"))["requirements_sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return "unfinished"
        return "ready" if known == digest(toolchain) else "outdated"
    if all(find_spec(module) is not None for module in toolchain.modules):
        return "here"
    return "unfinished" if place.exists() else "absent"


def python_of(name: str, base: Path | None = None) -> Path | None:
    """The interpreter of a toolchain; None where it is not set up from the present requirements.

    Args:
        name: a key of `TOOLCHAINS`.
        base: where toolchains lie; None: `folder()`.
    """
    toolchain = TOOLCHAINS[name]
    known = state(toolchain, base)
    if known == "here":
        return Path(sys.executable)
    return python_in(environment_of(toolchain, base)) if known == "ready" else None


def python_with(module: str, base: Path | None = None) -> Path | None:
    """An interpreter that can import a module: ours first, then that of a toolchain.

    Args:
        module: its name at the top level, such as `openvino`.
        base: where toolchains lie; None: `folder()`.
    """
    if find_spec(module) is not None:
        return Path(sys.executable)
    owners = [name for name, one in TOOLCHAINS.items() if module in one.modules]
    return next((found for name in owners if (found := python_of(name, base))), None)


def missing(what: str, module: str, base: Path | None = None) -> HostError:
    """The error where no interpreter has a module.

    Args:
        what: what it is needed for, such as `a .tflite file`.
        module: its name at the top level.
        base: where toolchains lie; None: `folder()`.
    """
    owners = [one for one in TOOLCHAINS.values() if module in one.modules]
    if not owners:
        return HostError(f"no {module}", where=what, fix=f"install it: pip install {module}")
    toolchain = owners[0]
    told = {"outdated": "of an earlier edgestill", "unfinished": "not set up whole"}
    known = told.get(state(toolchain, base), "not set up")
    return HostError(
        f"the toolchain {toolchain.name} is {known}",
        where=what,
        fix=f"run: {COMMAND} {toolchain.name} (about {toolchain.download_mib} MiB)",
    )


def variables(source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a child: ours, without what points into our Python, and telemetry off."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {name: value for name, value in source.items() if name not in ours}
    return kept | {
        "ORT_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONHASHSEED": "0",
    }


def command(python: Path, module: str, *arguments: str) -> tuple[str, ...]:
    """The words that run a module of ours as a program.

    Args:
        python: the interpreter; one that is not ours needs only what the module imports.
        module: its dotted name, such as `edgestill.devices.onboard.measure.worker`.
        arguments: behind it.
    """
    # -P: no module is imported from the current folder; a foreign one may hold a numpy.py.
    if python == Path(sys.executable):
        return (str(python), "-P", "-m", module, *arguments)
    return (str(python), "-P", "-c", _BOOTSTRAP, str(_PACKAGE), module, *arguments)
