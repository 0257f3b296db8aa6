"""``edgestill.bench``: latency, memory and energy of any exported model."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...devices.profiles.profile import HOST
from ..finished.inspected import inspected, subjects_of
from ..finished.measure import BenchOptions, measure
from ..finished.measured import Measured
from ..finished.scenario import SINGLE_STREAM, choose
from .given import ArraysOrPath
from .paths import OnDisk, model_of
from .queries import Axes, Shapes, queried
from .watching import ProgressOption, watched


def bench(  # noqa: PLR0913 - named options of a function that users call
    models: OnDisk | Path | str | Sequence[OnDisk | Path | str],
    *,
    inputs: ArraysOrPath | None = None,
    shapes: Shapes | None = None,
    batch: int = 1,
    batch_axes: Axes | None = None,
    scenario: str = SINGLE_STREAM,
    device: str = HOST,
    threads: int | None = None,
    spinning: bool | None = None,
    processes: int | None = None,
    seconds: float | None = None,
    precision: float | None = None,
    max_seconds: float = 120.0,
    meter: Path | str | None = None,
    out: Path | str | None = None,
    ask: Callable[[str], str] | None = None,
    progress: ProgressOption = True,
    **load: Any,
) -> Measured:
    """Measure models in turn, each in fresh processes, under one load.

    Args:
        models: the files of one or several models, or runs: then the files that they ship; several
            take turns.
        inputs: an ``.npz`` file or arrays by input; None: generated inputs.
        shapes: full shapes of inputs with dynamic axes besides that of the samples.
        batch: samples of a query.
        batch_axes: the axis of an input along which its samples lie.
        scenario: the load: ``single-stream``, ``multi-stream``, ``offline``, ``server``,
            ``threads``, ``cold-start`` or ``sustained``.
        device: to measure on, a profile's name or path.
        threads: intra-op threads; None: as the device says, else 1.
        spinning: whether idle threads spin; None: as the device says, else not.
        processes: fresh processes of each model; None: 9. Fewer than 6 give no interval.
        seconds: timed seconds of a process; None: 0.3.
        precision: share of the p50 that half its interval is to be; more processes until then.
        max_seconds: how long to go on for that precision.
        meter: the log of a power meter that runs meanwhile.
        out: where raw samples go; None: a new folder below ``artifacts/bench``.
        ask: asks for an extent that a model leaves open; None refuses instead.
        progress: True shows it, False does not; a function is called with each ``Event``.
        load: options of the scenario's own, such as ``rate=100`` of ``server``.

    Raises:
        UsageError: no such scenario, device or option, or a shape that is missing.
        ModelError: a model that is missing, broken, or gives no finite output.
        MeasureError: a measuring process died or ran out of time.

    Example:
        >>> import edgestill
        >>> found = edgestill.bench("model.onnx", processes=1, seconds=0.01, progress=False)
        >>> found["model.onnx"].p50_ms.value > 0
        True
    """
    several = models if isinstance(models, list | tuple) else [models]
    files = [model_of(one, "models") for one in several]
    unset = {"seconds": seconds, "threads": threads, "precision": precision, "meter": meter}
    given = {name for name, value in unset.items() if value is not None}
    chosen = choose(scenario, load, given | ({"batch"} if batch != 1 else set()))
    options = BenchOptions(
        threads,
        spinning,
        device,
        processes,
        0.3 if seconds is None else seconds,
        precision,
        max_seconds,
        None if meter is None else Path(meter),
        None if out is None else Path(out),
    )
    with (
        watched(progress, "edgestill.bench") as watch,
        queried(inputs, shapes, batch, batch_axes) as feed,
    ):
        looked_at = inspected(subjects_of(files), feed, ask)
        return measure(looked_at, chosen, options, watch.progress)
