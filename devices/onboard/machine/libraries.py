"""The shared libraries of a runtime that this process has in memory: what an app has to bring.

>>> loaded_from("onnxruntime")                                  # doctest: +SKIP
{'onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so': 25583520}
"""

import sys
from pathlib import Path

from .system import ROOT

MAPS = ROOT / "proc/self/maps"


def loaded_from(package: str, maps: Path = MAPS) -> dict[str, int] | None:
    """The size in bytes of each library of an imported package that is mapped, by its name.

    Those that a wheel brings in a folder beside the package (`PACKAGE.libs`) count, too.

    Args:
        package: as `import` names it.
        maps: the kernel's list of what is mapped.

    Returns:
        None where the kernel has no such list, or the package is not imported from a folder.
    """
    module = sys.modules.get(package)
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    folder = Path(file).resolve().parent
    own = (folder, folder.with_name(f"{folder.name}.libs"))
    try:
        text = maps.read_text(encoding="utf-8", errors="replace")
        mapped = {
            Path(words[5]) for line in text.splitlines() if len(words := line.split(None, 5)) > 5
        }
        return {
            path.name: path.stat().st_size
            for path in sorted(mapped)
            if ".so" in path.name and any(path.is_relative_to(one) for one in own)
        }
    except OSError:
        return None
