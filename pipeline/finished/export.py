"""A finished model in other formats, each compared in its own runtime.

    exported = export(source, ("ort", "openvino"), Path("."), progress)
    exported.exit_code          # 0, or 1 where a file answers otherwise than the .onnx file

Nothing is trained or measured. All files are made and compared in a folder of their own and then
renamed, so that no half-written file is ever in the user's folder.
"""

import filecmp
import itertools
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import toolchains
from ...devices.bench.inspection import inspect
from ...devices.onboard.machine.child import PYTHON
from ...devices.onboard.model.modelfile import check_external_data
from ...devices.onboard.settings import Feed
from ...errors import HostError, UsageError
from ...exporters import (
    EXPORTERS,
    FROM_ONNX,
    ONNX,
    TOOLCHAINS,
    c_array,
    format_meant,
    toolchains_of,
)
from ...exporters.interface import INPUT, output_of
from ...exporters.microcontroller import SUFFIX, Needs
from ...exporters.package import File, Finished, Job, NotCarried, Package
from ..engine.store import disk_errors
from ..isolation.child import Child
from ..judge import other_runtimes
from ..judge.across_runtimes import Answered, answers_of
from ..progress import Progress
from .export_check import check
from .export_source import FP32, QUERIES, Source
from .exported import Exported, Made

WORKER = (*PYTHON, "edgestill.pipeline.compress.export_worker")
TIMEOUT_S = 3600.0
_FIX = "try another format, or another machine"


def formats_of(text: str) -> tuple[str, ...]:
    """The formats of ``--to``.

    Raises:
        UsageError: one that there is not.
        HostError: one whose toolchain is not set up.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in EXPORTERS:
            raise UsageError(
                f"'{name}'",
                expected=f"one of {', '.join(EXPORTERS)}",
                where="--to",
                fix=format_meant(name),
            )
        for needed in toolchains_of(name):
            if toolchains.python_of(needed) is None:
                raise toolchains.missing(f"--to {name}", toolchains.TOOLCHAINS[needed].modules[0])
    return names


def export(source: Source, formats: Sequence[str], out: Path, progress: Progress) -> Exported:
    """Write the model in each format, and compare each with its ``.onnx`` file.

    Args:
        source: the model.
        formats: keys of ``EXPORTERS``.
        out: the folder to write to; made where it is missing.
        progress: is advanced with each format.

    Raises:
        UsageError: a file is there already, and is another.
        StorageError: the folder cannot be written.
        ModelError, DataError: the model does not run on its inputs.
        HostError: a converter was killed or ran out of time.
    """
    with disk_errors(out, opening=True):
        out.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=out, prefix=".export-")
    child = Child(source.onnx, timeout_s=TIMEOUT_S, command=WORKER, fix=_FIX)
    with disk_errors(out), scratch as folder, child:
        original = None
        if source.reduced is None:
            answer = child.ask({"do": "precision", "model": str(source.onnx.resolve())})
            source = replace(source, reduced=bool(answer["reduced"]))
        made = []
        with progress.steps("export", len(formats)) as steps:
            for format_ in formats:
                work = Path(folder).resolve() / format_
                work.mkdir()
                package = _package(source, format_, work, child)
                if isinstance(package, NotCarried):
                    made.append(Made(format_, reason=package.reason))
                else:
                    files = _named(source, package, work)
                    if original is None:
                        original = _original(source)
                    made.append(_compared(source, package, files, original))
                steps.advance(format_)
        _refuse_others(made, out)
        placed = [_place(one, out) for one in made]
    return Exported(source, tuple(placed))


def _package(source: Source, format_: str, work: Path, child: Child) -> Package | NotCarried:
    """Make one format in a folder."""
    if format_ == ONNX and source.inspection is not None:
        return NotCarried("it is an .onnx file already")
    if format_ not in FROM_ONNX:
        return _from_torch(source, format_, work)
    model = work / f"{source.stem}.onnx"
    for file in (source.onnx, *check_external_data(source.onnx)):
        _link(file, work / file.relative_to(source.onnx.parent))
    (work / source.onnx.name).rename(model)
    if format_ in TOOLCHAINS:
        job = Job(work, (Finished(source.stem, model),), source.cpu)
        return EXPORTERS[format_](job)[source.stem]
    request = {"do": "package", "model": str(model), "format": format_, "cpu": source.cpu}
    answer = child.ask(request)
    if "reason" in answer:
        return NotCarried(answer["reason"])
    return _from_json(answer["package"])


def _from_torch(source: Source, format_: str, work: Path) -> Package | NotCarried:
    """Make a format of the torch module, and of its method's name what is quantized."""
    torch = source.torch()
    if isinstance(torch, NotCarried):
        return torch
    from ..compress.variants import needs_of

    models = [Finished(FP32, torch.onnx, torch.module)]
    if source.method != FP32:
        models.append(Finished(source.method, source.onnx))
    job = Job(
        work,
        tuple(models),
        source.cpu,
        torch.calibration,
        source.batch,
        needs_of=needs_of,
        output=output_of(torch.activation),
        int8_io=torch.int8_io,
        axes=torch.axes,
    )
    return EXPORTERS[format_](job)[source.method]


def _from_json(document: dict[str, Any]) -> Package:
    files = {
        "model": File(**document["model"]),
        "beside": tuple(File(**file) for file in document["beside"]),
    }
    return Package(**{**document, **files})


def _link(file: Path, target: Path) -> None:
    """The same file under another name; a copy where that is on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file.resolve(), target)
    except OSError:
        shutil.copyfile(file, target)


def _named(source: Source, package: Package, work: Path) -> tuple[Path, ...]:
    """The files of a package under the names that they get, in a folder of their own."""
    done = work / "done"
    done.mkdir()
    base = package.model.name.removesuffix(package.suffix)
    files = []
    for file in package.files:
        name = f"{source.stem}{package.suffix}"
        if file is not package.model:
            # Several models in one folder have a list of operators each.
            own = file.name.startswith(f"{base}.")
            name = source.stem + (file.name[len(base) :] if own else f".{file.name}")
        (work / file.name).rename(done / name)
        files.append(done / name)
    if package.suffix == SUFFIX:
        c_array.write(files[0], Needs.read(files[0]))  # It names what it is called.
    return tuple(files)


def _original(source: Source) -> Answered:
    inspection = source.inspection or inspect(source.onnx, feed=source.feed)
    return answers_of(inspection, source.feed, queries=QUERIES)


def _compared(
    source: Source, package: Package, files: tuple[Path, ...], original: Answered
) -> Made:
    made = Made(package.format, files, sum(file.stat().st_size for file in files), package.about)
    if package.runtime is None:
        return replace(made, reason=f"not run here: {package.no_runtime}")
    feed = source.feed
    try:
        if package.input is not None:
            answered = _as_taken(files[0], feed, original, package.runtime)
        else:
            answered = answers_of(inspect(files[0], feed=feed), feed, queries=QUERIES)
    except HostError as error:
        return replace(made, reason=f"not run here: {error}")
    least = package.least_agreement
    return replace(
        made, checked=check(original, answered, reduced=bool(source.reduced), least=least)
    )


def _as_taken(file: Path, feed: Feed, original: Answered, runtime: str) -> Answered:
    """What a file answers that is given samples in the type and order of axes that it takes."""
    with np.load(str(feed.inputs), allow_pickle=False) as stored:
        x = stored[INPUT][: sum(original.samples)]
    outputs = other_runtimes.outputs(file, x, batch=1)
    ends = np.cumsum((0, *original.samples))
    rows = [outputs[start:end] for start, end in itertools.pairwise(ends)]
    (name,) = original.answers
    return Answered(original.inspection, {name: rows}, original.samples, runtime)


def _refuse_others(made: Sequence[Made], out: Path) -> None:
    """Refuse a file that is there already and is another; the same one stays.

    Raises:
        UsageError: there is one.
    """
    for file in (file for one in made for file in one.files):
        target = out / file.name
        if target.exists() and not (target.is_file() and filecmp.cmp(file, target, shallow=False)):
            raise UsageError(
                "a file that exists and is another",
                expected="a new file",
                where=str(target),
                fix="move it, or name another folder with --out",
            )


def _place(made: Made, out: Path) -> Made:
    """Move the files of one format to the user's folder."""
    for file in made.files:
        file.replace(out / file.name)
    return replace(made, files=tuple(out / file.name for file in made.files))
