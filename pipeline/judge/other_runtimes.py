"""What a file answers in a runtime that is not ours: in a fresh process of its own interpreter.

>>> outputs(Path("int8-static.tflite"), x, batch=1).shape           # doctest: +SKIP
(2000, 10)
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.measure.job import AnswersJob
from ...devices.onboard.runtimes import RUNTIMES, row_of
from ...devices.onboard.settings import Feed, Session
from ...devices.place.place import Local, Place
from ...exporters.interface import INPUT
from ...exporters.microcontroller import SUFFIX
from ...exporters.scaled import Scales, beside
from ..records import Steadiness
from .apart import relative

_LEAST_S, _A_SAMPLE_S = 300.0, 1.0
"""Seconds that a process may take at least, and more for each sample."""


def runs_elsewhere(path: Path) -> bool:
    """Whether another runtime than ONNX Runtime runs a file."""
    return row_of(path) is not RUNTIMES["onnxruntime"]


def outputs(
    path: Path,
    x: NDArray[Any],
    *,
    batch: int,
    place: Place | None = None,
    runtime: str | None = None,
) -> NDArray[Any]:
    """The first output for samples in order, in queries of one batch size.

    A file that takes another type or order of axes is given them as the JSON beside it says.

    Args:
        path: a file of ours, with one input.
        x: samples [n, ...] as the model takes them.
        batch: samples a query.
        place: where it runs; None: here.
        runtime: that runs it, by its name in ``RUNTIMES``; None: the one that reads such files.

    Raises:
        HostError: the toolchain of its runtime is not set up, or the process died.
        ModelError: the file cannot be run.
    """
    session, place = Session(runtime=runtime), place or Local()
    scales = Scales.read(path)
    if scales is None and path.name.endswith(SUFFIX):
        raise FileNotFoundError(beside(path, ".json"))
    if scales is not None:
        batch = scales.input.shape[0]
        given = _outputs(path, scales.input.as_taken(x), batch, session, place)
        return scales.output.as_numbers(given)
    return _outputs(path, np.asarray(x), batch, session, place)


def _outputs(
    path: Path, x: NDArray[Any], batch: int, session: Session, place: Place
) -> NDArray[Any]:
    with TemporaryDirectory(prefix="edgestill-") as folder:
        inputs, answers = Path(folder) / "inputs.npz", Path(folder) / "answers.npz"
        np.savez(inputs, allow_pickle=False, **{INPUT: x})
        feed = Feed(str(inputs), batch=batch)
        job = AnswersJob(str(path), str(answers), feed, session, every=True)
        place.run(job, timeout_s=_LEAST_S + _A_SAMPLE_S * len(x))
        with np.load(answers, allow_pickle=False) as stored:
            return np.asarray(stored["output_0"])


def steadiness(path: Path, x: NDArray[Any], *, batch: int) -> Steadiness:
    """Whether a file answers samples in one way: twice in a process, and in another process."""
    x = x[: len(x) // batch * batch] if len(x) >= batch else x
    twice = outputs(path, np.concatenate([x, x]), batch=batch)
    other = outputs(path, x, batch=batch)
    first, repeated = twice[: len(x)], twice[len(x) :]
    return Steadiness(
        samples=len(x),
        again=relative(first, repeated),
        session=relative(first, other),
        alone=None,
    )
