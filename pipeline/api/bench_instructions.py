"""``edgestill.bench_instructions``: counts that are the same on a busy build server."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ...devices.profiles.profile import HOST
from ...errors import UsageError
from ..finished.inspected import inspected, subjects_of
from ..finished.instructions import InstructionsCounted, count
from .given import ArraysOrPath
from .paths import OnDisk, model_of
from .queries import Axes, Shapes, queried
from .watching import ProgressOption, watched


def bench_instructions(  # noqa: PLR0913 - named options of a function that users call
    models: OnDisk | Path | str | Sequence[OnDisk | Path | str],
    *,
    inputs: ArraysOrPath | None = None,
    shapes: Shapes | None = None,
    batch: int = 1,
    batch_axes: Axes | None = None,
    device: str = HOST,
    baseline: Path | str | None = None,
    update_baseline: bool = False,
    ask: Callable[[str], str] | None = None,
    progress: ProgressOption = True,
) -> InstructionsCounted:
    """Count the instructions of one query of each model: not a time, but the same every time.

    Args:
        models: ``.onnx`` files, or runs: then the files that they ship.
        inputs: an ``.npz`` file or arrays by input; None: generated inputs.
        shapes: full shapes of inputs with dynamic axes besides that of the samples.
        batch: samples of a query.
        batch_axes: the axis of an input along which its samples lie.
        device: whose kind of core counts, a profile's name or path; an ARM core is emulated.
        baseline: a file of earlier counts; ``exit_code`` is 1 where one is 1 % above it.
        update_baseline: write the counts there instead.
        ask: asks for an extent that a model leaves open; None refuses instead.
        progress: True shows it, False does not; a function is called with each ``Event``.

    Raises:
        UsageError: a device whose core cannot be counted, or a file that is no baseline.
        HostError: what counts is not installed.
        ModelError: a model that is missing or broken.
        MeasureError: a counting process died or ran out of time.

    Example:
        >>> import edgestill
        >>> found = edgestill.bench_instructions("model.onnx", progress=False)
        >>> found["model.onnx"].entry.instructions > 1000
        True
    """
    if update_baseline and baseline is None:
        raise UsageError("update_baseline without baseline", fix="name the file to write")
    several = models if isinstance(models, list | tuple) else [models]
    files = [model_of(one, "models") for one in several]
    with (
        watched(progress, "edgestill.bench_instructions") as watch,
        queried(inputs, shapes, batch, batch_axes) as feed,
    ):
        return count(
            inspected(subjects_of(files), feed, ask),
            watch.progress,
            device=device,
            baseline=None if baseline is None else Path(baseline),
            update=update_baseline,
        )
