"""``edgestill.compare``: is one model slower than another?"""

from collections.abc import Callable
from pathlib import Path

from ...devices.profiles.profile import HOST
from ..finished.compare import Compared, CompareOptions
from ..finished.compare import compare as measure
from .given import ArraysOrPath
from .paths import OnDisk, path_of
from .queries import Axes, Shapes, queried
from .watching import ProgressOption, watched


def compare(  # noqa: PLR0913 - named options of a function that users call
    a: OnDisk | Path | str,
    b: OnDisk | Path | str,
    *,
    inputs: ArraysOrPath | None = None,
    shapes: Shapes | None = None,
    batch: int = 1,
    batch_axes: Axes | None = None,
    threads: int = 1,
    device: str = HOST,
    seconds: float = 0.3,
    warmup_seconds: float = 2.0,
    max_seconds: float = 120.0,
    max_ratio: float | None = None,
    out: Path | str | None = None,
    ask: Callable[[str], str] | None = None,
    progress: ProgressOption = True,
) -> Compared:
    """Measure two models in turn, in fresh processes, until their ratio is known well enough.

    Args:
        a: a model's file, or a run, its folder or its name: then the file that it ships.
        b: the same.
        inputs: an ``.npz`` file or arrays by input; None: generated inputs.
        shapes: full shapes of inputs with dynamic axes besides that of the samples.
        batch: samples of a query.
        batch_axes: the axis of an input along which its samples lie.
        threads: intra-op threads.
        device: to measure on, a profile's name or path; answers are compared on this machine.
        seconds: timed seconds of a process.
        warmup_seconds: longest warm-up of a process.
        max_seconds: how long to go on at most.
        max_ratio: the largest allowed ratio of B's time to A's; ``outcome`` says whether it is
            kept.
        out: where raw samples go; None: a new folder below ``artifacts/bench``.
        ask: asks for an extent that a model leaves open; None refuses instead.
        progress: True shows it, False does not; a function is called with each ``Event``.

    Raises:
        UsageError: a shape that is missing or does not fit.
        ModelError: a model that is missing, broken, or answers one input in several ways.
        MaterialError: a run that ships nothing.
        MeasureError: a measuring process died or ran out of time.

    Example:
        >>> import edgestill
        >>> found = edgestill.compare(
        ...     "model.onnx", "model.onnx", seconds=0.01, max_seconds=0.1, progress=False
        ... )
        >>> found.sentence
        'B takes ...× the latency of A (...)'
    """
    with (
        watched(progress, "edgestill.compare") as watch,
        queried(inputs, shapes, batch, batch_axes) as feed,
    ):
        options = CompareOptions(
            feed,
            threads,
            device,
            seconds,
            warmup_seconds,
            max_seconds,
            max_ratio,
            None if out is None else Path(out),
        )
        return measure(path_of(a, "a"), path_of(b, "b"), watch.progress, options, ask=ask)
