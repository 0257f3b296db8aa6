"""edgestill: a teacher and a data set go in, a student that provably fits an edge device comes out.

    >>> import edgestill
    >>> built = edgestill.build("recipe.toml")      # doctest: +SKIP
    >>> built.verdict.outcome                       # doctest: +SKIP
    'ready'

Importing the package is cheap on purpose: the public names load on first use (PEP 562), because
``edgestill --help`` and a build with nothing to do must not wait for torch.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# onnxruntime starts a telemetry thread and writes under the home folder when it is imported, unless
# told not to *before* the import. A measured process with one more thread is a different process.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from .pipeline.build import build as build
    from .pipeline.recipe.recipe import Recipe as Recipe
    from .version import __version__ as __version__

__all__ = ["Recipe", "__version__", "build"]

_PUBLIC = {
    "build": ".pipeline.build",
    "Recipe": ".pipeline.recipe.recipe",
    "__version__": ".version",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name], __name__), name)
