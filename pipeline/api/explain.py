"""``edgestill.explain``: why a quantized model is slower than the one it was made from."""

from collections.abc import Sequence
from pathlib import Path

from ...devices.onboard.settings import Session
from ...errors import UsageError
from ..finished.explain import Explained, Pair, apply, check_target, diagnosed
from .given import ArraysOrPath
from .paths import path_of
from .queries import Axes, Shapes, queried
from .watching import ProgressOption, watched


def explain(  # noqa: PLR0913 - named options of a function that users call
    fp32: Path | str,
    int8: Path | str,
    *,
    inputs: ArraysOrPath | None = None,
    shapes: Shapes | None = None,
    batch: int = 1,
    batch_axes: Axes | None = None,
    threads: int = 1,
    apply_to: Path | str | None = None,
    leave: Sequence[str] = (),
    processes: int = 9,
    seconds: float = 0.3,
    progress: ProgressOption = True,
) -> Explained:
    """Time the layers of two files of one model, and say which to leave in float.

    Args:
        fp32: an ``.onnx`` file in float.
        int8: the same model quantized, with Q/DQ pairs.
        inputs: an ``.npz`` file or arrays by input; None: generated inputs.
        shapes: full shapes of inputs with dynamic axes besides that of the samples.
        batch: samples of a query.
        batch_axes: the axis of an input along which its samples lie.
        threads: intra-op threads.
        apply_to: a file to write with layers in float; then all three files are measured.
        leave: operators of the quantized file to leave in float there; none: the advised ones.
        processes: with ``apply_to``: fresh processes of each model; fewer than 6 give no interval.
        seconds: with ``apply_to``: timed seconds of a process.
        progress: True shows it, False does not; a function is called with each ``Event``.

    Raises:
        UsageError: layers to leave without ``apply_to``, or a file that is one of the two models.
        ModelError: a model that is missing, broken, or not the other's.
        NoEffectError: no layer is advised, and none was named.
        MeasureError: a measuring process died or ran out of time.

    Example:
        >>> import edgestill
        >>> made = edgestill.quantize("model.onnx", {"x": x}, progress=False)
        >>> found = edgestill.explain("model.onnx", made.files[0].path, progress=False)
        >>> [layer.op for layer in found.layers]
        ['MatMul', 'MatMul']
    """
    if leave and apply_to is None:
        raise UsageError("leave without apply_to", fix="name the file to write with apply_to=")
    target = None if apply_to is None else Path(apply_to)
    files = path_of(fp32, "fp32"), path_of(int8, "int8")
    if target is not None:
        check_target(target, *files)
    with (
        watched(progress, "edgestill.explain") as watch,
        queried(inputs, shapes, batch, batch_axes) as feed,
    ):
        pair = Pair(*files, Session(threads=threads), feed)
        found = Explained(files[0].name, files[1].name, diagnosed(pair, watch.progress), None)
        if target is None:
            return found
        return found.with_applied(
            apply(
                pair,
                found.diagnosis,
                tuple(leave),
                target,
                watch.progress,
                processes=processes,
                seconds=seconds,
            )
        )
