"""``edgestill.bench_arena``: the memory that models need on a microcontroller."""

from collections.abc import Sequence
from pathlib import Path

from ..finished.arena import ArenaCounted, look
from ..finished.inspected import subjects_of
from .paths import OnDisk, model_of
from .watching import ProgressOption, watched


def bench_arena(
    models: OnDisk | Path | str | Sequence[OnDisk | Path | str],
    *,
    progress: ProgressOption = True,
) -> ArenaCounted:
    """Count the memory that ``.tflite`` files need on a microcontroller, on this machine.

    Args:
        models: files, or runs: then the files that they ship.
        progress: True shows it, False does not; a function is called with each ``Event``.

    Raises:
        UsageError: a file of another format.
        HostError: the toolchain ``tflite-micro`` is not set up.
        ModelError: TensorFlow Lite Micro cannot load or run a model.

    Example:
        >>> import edgestill
        >>> try:
        ...     edgestill.bench_arena("model.onnx", progress=False)
        ... except edgestill.UsageError as error:
        ...     print(error.expected)
        a .tflite file, which microcontrollers run
    """
    several = models if isinstance(models, list | tuple) else [models]
    files = [model_of(one, "models") for one in several]
    with watched(progress, "edgestill.bench_arena") as watch:
        return look(subjects_of(files), watch.progress)
