"""Whether a bundle is what it was, and whether its models still answer as recorded.

>>> check(Path("digits-bundle.zip")).faults                            # doctest: +SKIP
()
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.measure.job import AnswersJob
from ...devices.onboard.settings import Feed, Session
from ...devices.place.place import Local, Place
from ...errors import EdgestillError, HostError, MaterialError, MeasureError, ReachError
from ...exporters.interface import INPUT
from ..judge.golden import fault
from .manifest import BundledPackage, Golden, Tensor
from .opened import differences, opened

_LEAST_S, _A_SAMPLE_S = 300.0, 1.0
"""Seconds that a process may take at least, and more for each sample."""


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
                outputs = _answered(bundle.folder, package, package.golden, place or Local())
                recorded = _read(bundle.folder, package.golden.output)
                found = _fault(outputs, recorded, package.golden)
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


def _answered(folder: Path, package: BundledPackage, golden: Golden, place: Place) -> NDArray[Any]:
    """What a model answers to its golden samples, in a process of its own."""
    samples = _read(folder, golden.input)
    with TemporaryDirectory(prefix="edgestill-") as work:
        inputs, outputs = Path(work) / "inputs.npz", Path(work) / "outputs.npz"
        np.savez(inputs, allow_pickle=False, **{INPUT: samples})
        job = AnswersJob(
            str(folder / package.model),
            str(outputs),
            Feed(str(inputs), batch=golden.batch),
            Session(runtime=package.runtime),
            every=True,
        )
        place.run(job, timeout_s=_LEAST_S + _A_SAMPLE_S * len(samples))
        with np.load(outputs, allow_pickle=False) as stored:
            return np.asarray(stored["output_0"])


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


def _fault(outputs: NDArray[Any], recorded: NDArray[Any], golden: Golden) -> str | None:
    if outputs.shape != recorded.shape or outputs.ndim < 2:
        return f"outputs {list(outputs.shape)}, and {list(recorded.shape)} were recorded"
    return fault(outputs, recorded, golden.rule)
