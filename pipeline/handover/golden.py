"""The golden samples of a bundle: as ``.npz``, and as files of bare numbers for other languages.

golden/input.bin               the samples
golden/fp32.onnx.output.bin    what a package answered
golden/fp32.onnx.npz           both
golden/fp32.tflite.input.bin   the samples of a package that takes another order of axes or type
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MaterialError
from ...exporters.scaled import Scaled
from .. import tasks
from ..judge.answers import GOLDEN
from ..judge.golden import rule_of
from ..records import Report
from .choice import Chosen
from .manifest import Golden, Tensor

FOLDER = "golden"
INPUT = f"{FOLDER}/input.bin"


def read(run: Path) -> dict[str, NDArray[Any]]:
    """The golden samples of a run, and what every file answered, by its name.

    Raises:
        MaterialError: they cannot be read.
    """
    path = run / "records" / GOLDEN
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise MaterialError(f"unreadable ({error})", where=str(path)) from None


def write(
    folder: Path, report: Report, pair: Chosen, golden: Mapping[str, NDArray[Any]]
) -> Golden | None:
    """Write the golden samples of one package; None where it was not run.

    Only whole queries are kept: a file that takes its ranges from the batch answers a sample
    otherwise among fewer.

    Args:
        folder: the bundle.
        report: of the run.
        pair: the package.
        golden: of the run, by file.
    """
    name = pair.package.model.name
    if name not in golden:
        return None
    batch = report.measured.benchmark.settings.feed.batch
    count = len(golden["input"])
    count = count // batch * batch or count
    x, y = golden["input"][:count], golden[name][:count]
    task = tasks.of(report.data.task) if pair.variant.changed_nodes else None
    (folder / FOLDER).mkdir(exist_ok=True)
    file = f"{FOLDER}/{name}.npz"
    arrays = {"input": x, "output": y}
    takes, gives = pair.package.input, pair.package.output
    if takes is not None and gives is not None and takes.scale is not None:
        arrays |= {"input_integers": takes.as_taken(x), "output_integers": gives.as_taken(y)}
    np.savez(folder / file, allow_pickle=False, **arrays)
    return Golden(
        file=file,
        input=_input(folder, name, x, takes),
        output=_bare(folder, f"{FOLDER}/{name}.output.bin", y),
        batch=batch,
        rule=rule_of(y, task),
    )


def _input(folder: Path, name: str, x: NDArray[Any], takes: Scaled | None) -> Tensor:
    """Write the samples for programs without numpy, in the model's own order of axes."""
    arranged = x if takes is None else takes.arranged(x)
    if arranged is x:
        return _bare(folder, INPUT, x)
    return _bare(folder, f"{FOLDER}/{name}.input.bin", arranged)


def _bare(folder: Path, name: str, array: NDArray[Any]) -> Tensor:
    """Write the numbers of an array, little-endian and in C order."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    (folder / name).write_bytes(plain.tobytes())
    dtype: Any = array.dtype.name
    return Tensor(file=name, dtype=dtype, shape=array.shape)
