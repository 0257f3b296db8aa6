"""Whether a bundle is what it was, and whether its models still answer as recorded.

>>> check(Path("digits-bundle.zip")).faults                            # doctest: +SKIP
()
"""

import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.model.inflation import require_arrays
from ...devices.place.place import Place
from ...errors import EdgestillError, HostError, MaterialError, MeasureError, ReachError
from ..judge.golden import fault
from ..judge.other_runtimes import outputs
from .manifest import BundledPackage, Golden, Tensor
from .opened import differences, opened


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, and what was wrong.

    Attributes:
        name: of the run that the bundle is of.
        files: how many files were hashed.
        models: how many models were run on their golden samples.
        faults: what differs from the time of writing, a sentence each.
        not_run: models that could not be run here, each with the reason.
        ready: whether everything in it is READY.
    """

    name: str
    files: int
    models: int
    faults: tuple[str, ...]
    not_run: tuple[str, ...]
    ready: bool


def check(path: Path, place: Place | None = None) -> Checked:
    """Hash a bundle's files, and run its models on their golden samples.

    Models are run only where every hash holds, each in a process of its own of its runtime.

    Args:
        path: a folder or a zip.
        place: where models run; None: here.

    Raises:
        MaterialError: this is no bundle, or one that should not be opened.
        ReachError: the device is not reached.
    """
    with opened(path) as bundle:
        if place is not None:
            place.describe()  # Said once, not of every model.
        manifest = bundle.manifest
        faults, not_run, ran = differences(bundle), list[str](), 0
        for package in manifest.packages if not faults else ():
            name = package.model
            if package.golden is None or package.runtime is None:
                not_run.append(f"{name}: no golden outputs, for no runtime ran it")
                continue
            try:
                answered = _answered(bundle.folder, package, package.golden, place)
                recorded = _read(bundle.folder, package.golden.output)
                found = _fault(answered, recorded, package.golden)
                found = found or _archive_fault(bundle.folder, package, package.golden)
            except EdgestillError as error:
                # A model whose process dies or does not end is not what it was.
                absent = isinstance(error, HostError) and not isinstance(error, MeasureError)
                told = not_run if absent or isinstance(error, ReachError) else faults
                told.append(f"{name}: {error}")
                continue
            ran += 1
            if found is not None:
                faults.append(f"{name}: {found}")
        return Checked(
            manifest.name,
            len(manifest.files) + 1,
            ran,
            tuple(faults),
            tuple(not_run),
            not manifest.inspection,
        )


def _answered(
    folder: Path, package: BundledPackage, golden: Golden, place: Place | None
) -> NDArray[Any]:
    """What a model answers to its golden samples, in a process of its own.

    Raises:
        MaterialError: the file beside a model for microcontrollers does not say how it is fed.
    """
    samples, model = _read(folder, golden.input), folder / package.model
    if package.input is not None:
        samples = package.input.in_data_order(samples)
    try:
        return outputs(model, samples, batch=golden.batch, place=place, runtime=package.runtime)
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        raise MaterialError(
            f"scales that cannot be read ({type(error).__name__})", where=package.model
        ) from None


def _read(folder: Path, tensor: Tensor) -> NDArray[Any]:
    """The numbers of an array.

    Raises:
        MaterialError: they are not as many as its shape says.
    """
    kind = np.dtype(tensor.dtype).newbyteorder("<")
    content = (folder / tensor.file).read_bytes()
    if min(tensor.shape) < 1 or len(content) != prod(tensor.shape) * kind.itemsize:
        raise MaterialError(
            f"{len(content):,} bytes",
            expected=f"those of {list(tensor.shape)} {tensor.dtype}",
            where=tensor.file,
        )
    return np.frombuffer(content, kind).astype(tensor.dtype).reshape(tensor.shape)


def _archive_fault(folder: Path, package: BundledPackage, golden: Golden) -> str | None:
    """Whether the archive of the golden samples holds what the files of bare numbers do.

    Raises:
        MaterialError, DataError: it cannot be read, or should not be.
    """
    path = folder / golden.file
    try:
        with zipfile.ZipFile(path) as archive:
            require_arrays(archive, archive.namelist(), path)
        with np.load(path, allow_pickle=False) as stored:
            x, y = stored["input"], stored["output"]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise MaterialError(f"cannot be read ({type(error).__name__})", where=golden.file) from None
    given = x if package.input is None else package.input.arranged(x)
    for found, bare in ((given, golden.input), (y, golden.output)):
        if not np.array_equal(found, _read(folder, bare), equal_nan=True):
            return f"{golden.file} holds other numbers than {bare.file}"
    return None


def _fault(answered: NDArray[Any], recorded: NDArray[Any], golden: Golden) -> str | None:
    if answered.shape != recorded.shape or answered.ndim < 2:
        return f"outputs {list(answered.shape)}, and {list(recorded.shape)} were recorded"
    return fault(answered, recorded, golden.rule)
