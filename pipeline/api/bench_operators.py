"""``edgestill.bench_operators``: where the time of a model goes, operator by operator."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..finished.inspected import inspected, subjects_of
from ..finished.profiled import Machines, Profiled, look
from ..finished.scenario import SINGLE_STREAM, choose
from .given import ArraysOrPath
from .paths import OnDisk, model_of
from .queries import Axes, Shapes, queried
from .watching import ProgressOption, watched


def bench_operators(  # noqa: PLR0913 - named options of a function that users call
    models: OnDisk | Path | str | Sequence[OnDisk | Path | str],
    *,
    inputs: ArraysOrPath | None = None,
    shapes: Shapes | None = None,
    batch: int = 1,
    batch_axes: Axes | None = None,
    scenario: str = SINGLE_STREAM,
    threads: int | None = None,
    device: str | None = None,
    predict_on: str | None = None,
    host_profile: Path | str | None = None,
    ask: Callable[[str], str] | None = None,
    progress: ProgressOption = True,
    **load: Any,
) -> Profiled:
    """Time every operator of models, or predict their latency on a device that is not here.

    Args:
        models: ``.onnx`` files, or runs: then the files that they ship.
        inputs: an ``.npz`` file or arrays by input; None: generated inputs.
        shapes: full shapes of inputs with dynamic axes besides that of the samples.
        batch: samples of a query.
        batch_axes: the axis of an input along which its samples lie.
        scenario: ``single-stream``, ``offline`` for each batch size, or ``threads`` for each number
            of threads.
        threads: intra-op threads; None: 1.
        device: the profile that has this machine's figures, for a roofline; None: they are
            measured.
        predict_on: the name or path of a profile of another device to predict the latency on.
        host_profile: with ``predict_on``: this machine's figures, as ``edgestill devices probe``
            writes them; None: they are measured.
        ask: asks for an extent that a model leaves open; None refuses instead.
        progress: True shows it, False does not; a function is called with each ``Event``.
        load: options of the scenario's own, such as ``batches=(1, 8)`` of ``offline``.

    Raises:
        UsageError: no such device, or one that lacks figures; a scenario whose operators cannot be
            timed alone.
        ModelError: a model that is missing, broken, or not an ``.onnx`` file.
        MeasureError: a measuring process died or ran out of time.

    Example:
        >>> import edgestill
        >>> found = edgestill.bench_operators("model.onnx", progress=False)
        >>> [operator.op for operator in found["model.onnx"].operators]
        ['MatMul', 'MatMul']
    """
    if device is not None and (predict_on is not None or host_profile is not None):
        raise UsageError("device with another profile", fix="leave one of them out")
    several = models if isinstance(models, list | tuple) else [models]
    files = [model_of(one, "models") for one in several]
    unset = {"threads": threads, "operators": True}
    given = {name for name, value in unset.items() if value is not None}
    chosen = choose(scenario, load, given | ({"batch"} if batch != 1 else set()))
    machines = Machines(
        predict_on if predict_on is not None else device,
        None if host_profile is None else Path(host_profile),
        predict_on is not None,
    )
    with (
        watched(progress, "edgestill.bench_operators") as watch,
        queried(inputs, shapes, batch, batch_axes) as feed,
    ):
        looked_at = inspected(subjects_of(files), feed, ask)
        return look(looked_at, machines, watch.progress, chosen, threads=threads or 1)
