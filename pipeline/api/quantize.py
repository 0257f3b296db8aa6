"""``edgestill.quantize``: smaller files of an ONNX model, each compared with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..finished.quantize import Quantized
from ..finished.quantize import quantize as make
from ..recipe.files import compress_part
from .given import ArraysOrPath, as_file
from .paths import path_of
from .settings import Settings, texts
from .watching import ProgressOption, watched


def quantize(  # noqa: PLR0913 - named options of a function that users call
    model: Path | str,
    calibration: ArraysOrPath,
    *,
    out: Path | str = "",
    methods: Sequence[str] = ("int8-static",),
    target: str = "host",
    settings: Settings = (),
    max_loss: float | None = None,
    batch_axes: Mapping[str, int | None] | None = None,
    progress: ProgressOption = True,
) -> Quantized:
    """Write one smaller file per method, and compare every output with the model's.

    Args:
        model: an ``.onnx`` file, made by whatever.
        calibration: samples as the model takes them: an ``.npz`` file, or arrays by the names of
            its inputs, samples along the first axis; ``y`` may hold the classes, so that a loss is
            one of accuracy.
        out: the folder to write to; none: the current one. Files are ``MODEL.METHOD.onnx``.
        methods: ``int8-static``, ``int8-dynamic``, ``int8-mixed``, ``fp16``, …
        target: the device to compress for; ``host``: this machine.
        settings: keys of ``[compress]``, such as ``{"calibration": "percentile"}``.
        max_loss: of ``int8-mixed``: the largest loss against the model.
        batch_axes: the axis of an input along which its samples lie, where the model and the arrays
            do not tell; None: an input that is the same in each query.
        progress: True shows it, False does not; a function is called with each ``Event``.

    Raises:
        UsageError: a file that would be overwritten, or no such target.
        RecipeError: no such method, or a setting that is wrong.
        ModelError: the model is missing, broken or cannot be compressed so.
        DataError: the calibration data are not the model's inputs.

    Example:
        >>> import edgestill
        >>> made = edgestill.quantize(
        ...     "model.onnx", {"x": x}, methods=["int8-dynamic"], progress=False
        ... )
        >>> [(file.path, file.destroyed) for file in made.files]
        [('model.int8-dynamic.onnx', ())]
    """
    if isinstance(methods, str):
        methods = (methods,)
    told = texts(settings)
    if max_loss is not None:
        told = (*told, f"mixed_max_loss={max_loss}")
    part = compress_part(methods, target, told)
    with (
        watched(progress, "edgestill.quantize") as watch,
        as_file(calibration, "calibration") as samples,
    ):
        assert samples is not None  # noqa: S101 - calibration is never None
        return make(path_of(model, "model"), samples, Path(out), part, watch.progress, batch_axes)
