"""``edgestill.export``: a finished model in other formats, each compared in its own runtime."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...errors import UsageError
from ...exporters.package import Cpu
from ..finished.export import export as write
from ..finished.export import formats_of
from ..finished.export_source import open_model, open_run
from ..finished.exported import Exported
from ..runs.locate import run_or_file
from .given import ArraysOrPath
from .paths import OnDisk, path_of
from .queries import Axes, Shapes, queried
from .watching import ProgressOption, watched


def export(  # noqa: PLR0913 - named options of a function that users call
    source: OnDisk | Path | str,
    to: str | Sequence[str],
    *,
    out: Path | str = "",
    variant: str | None = None,
    inputs: ArraysOrPath | None = None,
    shapes: Shapes | None = None,
    batch: int = 1,
    batch_axes: Axes | None = None,
    ort_target: Cpu = "arm",
    progress: ProgressOption = True,
) -> Exported:
    """Write a finished model in other formats; each file's answers are compared with the model's.

    Args:
        source: a run, its folder or a name, whose last build is meant, or an ``.onnx`` file.
        to: the formats: ``ort``, ``openvino``, ``litert``, …
        out: the folder to write to; none: the current one.
        variant: of a run: this one, not the one that ships.
        inputs: an ``.npz`` file or arrays to compare on; None: a run's test samples, or generated
            inputs.
        shapes: of a model: full shapes of inputs with dynamic axes besides that of the samples.
        batch: of a model: samples of a query.
        batch_axes: of a model: the axis of an input along which its samples lie.
        ort_target: of a model: the CPU that ``.ort`` files are for; a run's recipe says its own.
        progress: True shows it, False does not; a function is called with each ``Event``.

    Raises:
        UsageError: no such format or variant, or a file that is there already and is another.
        HostError: the toolchain of a format is not set up.
        ModelError: the model is missing, broken or does not run.
        MaterialError: a run that changed or ships nothing.

    Example:
        >>> import edgestill
        >>> exported = edgestill.export("model.onnx", "ort", out="exported", progress=False)
        >>> [(one.format, one.told) for one in exported.made]
        [('ort', 'the same answers')]
    """
    formats = formats_of(to if isinstance(to, str) else ",".join(to))
    path = run_or_file(path_of(source, "source"))
    with (
        tempfile.TemporaryDirectory(prefix="edgestill-") as scratch,
        watched(progress, "edgestill.export") as watch,
        queried(inputs, shapes, batch, batch_axes) as feed,
    ):
        if path.is_dir():
            if shapes or batch_axes or batch != 1:
                raise UsageError(
                    "--shape, --batch or --batch-axis with a run",
                    expected="none of them: a run says what its models take",
                )
            real = None if feed.inputs is None else Path(feed.inputs)
            opened = open_run(path, variant, real, Path(scratch), watch.progress.warn)
        elif variant is not None:
            raise UsageError("--variant with a model's file", expected="the folder of a run")
        else:
            opened = open_model(path, feed, ort_target)
        return write(opened, formats, Path(out), watch.progress)
