"""edgestill: a teacher and a data set go in, a student that provably fits an edge device comes out.

    >>> import edgestill
    >>> run = edgestill.build("recipe.toml", progress=False)
    >>> run.verdict.outcome
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
    from .errors import DataError as DataError
    from .errors import EdgestillError as EdgestillError
    from .errors import HostError as HostError
    from .errors import MaterialError as MaterialError
    from .errors import MeasureError as MeasureError
    from .errors import ModelError as ModelError
    from .errors import NoEffectError as NoEffectError
    from .errors import ReachError as ReachError
    from .errors import RecipeError as RecipeError
    from .errors import StorageError as StorageError
    from .errors import UnknownNameError as UnknownNameError
    from .errors import UsageError as UsageError
    from .pipeline.api.adapt import adapt as adapt
    from .pipeline.api.bench import bench as bench
    from .pipeline.api.bench_arena import bench_arena as bench_arena
    from .pipeline.api.bench_instructions import bench_instructions as bench_instructions
    from .pipeline.api.bench_operators import bench_operators as bench_operators
    from .pipeline.api.build import build as build
    from .pipeline.api.bundle import Bundled as Bundled
    from .pipeline.api.bundle import bundle as bundle
    from .pipeline.api.compare import compare as compare
    from .pipeline.api.explain import explain as explain
    from .pipeline.api.export import export as export
    from .pipeline.api.frontier import Frontier as Frontier
    from .pipeline.api.gate import Gated as Gated
    from .pipeline.api.gate import gate as gate
    from .pipeline.api.history import history as history
    from .pipeline.api.load_run import load_run as load_run
    from .pipeline.api.plan import plan as plan
    from .pipeline.api.quantize import quantize as quantize
    from .pipeline.api.run import Run as Run
    from .pipeline.api.search import search as search
    from .pipeline.api.stopped import Stopped as Stopped
    from .pipeline.api.track import track as track
    from .pipeline.api.verify import verify as verify
    from .pipeline.api.watching import Event as Event
    from .pipeline.finished.arena import ArenaCounted as ArenaCounted
    from .pipeline.finished.compare import Compared as Compared
    from .pipeline.finished.explain import Explained as Explained
    from .pipeline.finished.exported import Exported as Exported
    from .pipeline.finished.history import History as History
    from .pipeline.finished.instructions import InstructionsCounted as InstructionsCounted
    from .pipeline.finished.measured import Measured as Measured
    from .pipeline.finished.planned import Planned as Planned
    from .pipeline.finished.profiled import Profiled as Profiled
    from .pipeline.finished.quantize import Quantized as Quantized
    from .pipeline.finished.verified import Verified as Verified
    from .pipeline.recipe.recipe import Recipe as Recipe
    from .pipeline.tracking.track import Recorded as Recorded
    from .version import __version__ as __version__

_FUNCTIONS = {
    name: f".pipeline.api.{name}"
    for name in (
        "build",
        "adapt",
        "plan",
        "quantize",
        "explain",
        "bench",
        "bench_operators",
        "bench_instructions",
        "bench_arena",
        "compare",
        "export",
        "bundle",
        "gate",
        "history",
        "load_run",
        "search",
        "track",
        "verify",
    )
}
_CLASSES = {
    "Recipe": ".pipeline.recipe.recipe",
    "Run": ".pipeline.api.run",
    "Stopped": ".pipeline.api.stopped",
    "Frontier": ".pipeline.api.frontier",
    "Bundled": ".pipeline.api.bundle",
    "Gated": ".pipeline.api.gate",
    "History": ".pipeline.finished.history",
    "Quantized": ".pipeline.finished.quantize",
    "Measured": ".pipeline.finished.measured",
    "Compared": ".pipeline.finished.compare",
    "Exported": ".pipeline.finished.exported",
    "Explained": ".pipeline.finished.explain",
    "Planned": ".pipeline.finished.planned",
    "Profiled": ".pipeline.finished.profiled",
    "InstructionsCounted": ".pipeline.finished.instructions",
    "ArenaCounted": ".pipeline.finished.arena",
    "Verified": ".pipeline.finished.verified",
    "Recorded": ".pipeline.tracking.track",
    "Event": ".pipeline.api.watching",
    **dict.fromkeys(
        (
            "EdgestillError",
            "UsageError",
            "UnknownNameError",
            "RecipeError",
            "MaterialError",
            "DataError",
            "ModelError",
            "NoEffectError",
            "HostError",
            "StorageError",
            "MeasureError",
            "ReachError",
        ),
        ".errors",
    ),
}

__all__ = [
    "ArenaCounted",
    "Bundled",
    "Compared",
    "DataError",
    "EdgestillError",
    "Event",
    "Explained",
    "Exported",
    "Frontier",
    "Gated",
    "History",
    "HostError",
    "InstructionsCounted",
    "MaterialError",
    "MeasureError",
    "Measured",
    "ModelError",
    "NoEffectError",
    "Planned",
    "Profiled",
    "Quantized",
    "ReachError",
    "Recipe",
    "RecipeError",
    "Recorded",
    "Run",
    "Stopped",
    "StorageError",
    "UnknownNameError",
    "UsageError",
    "Verified",
    "__version__",
    "adapt",
    "bench",
    "bench_arena",
    "bench_instructions",
    "bench_operators",
    "build",
    "bundle",
    "compare",
    "explain",
    "export",
    "gate",
    "history",
    "load_run",
    "plan",
    "quantize",
    "search",
    "track",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        from .pipeline.api.in_python import in_python

        found = in_python(getattr(import_module(_FUNCTIONS[name], __name__), name))
    elif name in _CLASSES or name == "__version__":
        place = _CLASSES.get(name, ".version")
        found = getattr(import_module(place, __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
