"""``edgestill quantize``: smaller files of any ONNX model, made in a child process.

The calibration data are one ``.npz``: an array for each input, samples along the first axis, and
``y``, the classes, where they are known.
"""

import tempfile
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...errors import DataError, ModelError, UsageError
from ..compress.plan import plan
from ..engine.store import disk_errors
from ..isolation.child import PYTHON, Child
from ..progress import Progress
from ..recipe.compress import Compress
from ..records import Left, Plan, Record, Saturable
from ..report import numbers

WORKER = (*PYTHON, "edgestill.pipeline.compress.worker")
TIMEOUT_S = 3600.0
_FIX = "try another method, fewer calibration samples, or another machine"


class File(Record):
    """One file that was made."""

    method: str
    path: str
    bytes: int
    changed_nodes: int
    notes: tuple[str, ...]
    saturable: tuple[Saturable, ...]
    curve: tuple[Left, ...]
    answers_changed: int | None
    """Of the calibration samples, against the model given; None where it gives no classes."""
    lost: float
    """Accuracy with labels, else the share of answers changed; of other outputs the root mean
    square difference over the model's own."""
    max_abs_difference: float


class Quantized(Record):
    """What was made of a model."""

    model: str
    bytes: int
    samples: int
    labels: bool
    plan: Plan
    files: tuple[File, ...]


def quantize(
    model: Path, calibration: Path, out: Path, asked: Compress, progress: Progress
) -> Quantized:
    """Make a file of each method the recipe part names, checked on the calibration data.

    Args:
        model: an ``.onnx`` file, opset 11 to 23.
        calibration: an ``.npz`` file.
        out: the folder to write to.
        asked: which methods, for which target, and how.
        progress: told of each.

    Raises:
        UsageError: no such target, or a file that would be overwritten.
        ModelError: the model is missing, broken or cannot be compressed so.
        DataError: the calibration data are not the model's inputs.
        MeasureError: the child could not be started.
    """
    for path, kind in ((model, ModelError), (calibration, DataError)):
        if not path.is_file():
            raise kind("no such file", where=str(path))
    methods = [name for name in asked.variants if name != "fp32"]
    targets = {name: out / f"{model.stem}.{name}.onnx" for name in methods}
    there = [str(path) for path in targets.values() if path.exists()]
    if there:
        raise UsageError(
            "it is there already", where=there[0], fix="move it, or give another --out"
        )
    how = plan(asked)
    with disk_errors(out, opening=True):
        out.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=out, prefix=".quantize-")
    child = Child(model, timeout_s=TIMEOUT_S, command=WORKER, fix=_FIX)
    with scratch as folder, child, progress.steps("quantize", len(methods)) as steps:
        request = {
            "model": str(model.resolve()),
            "calibration": str(calibration.resolve()),
            "folder": folder,
            "asked": asked.model_dump_json(),
            "plan": how.model_dump_json(),
        }
        opened = child.ask(request)
        files = []
        for name, target in targets.items():
            draft = Path(folder).resolve() / target.name
            told = child.ask({"method": name, "target": str(draft)})
            files.append(_file(name, draft, target, told))
            steps.advance(name)
        for file in files:
            (Path(folder) / Path(file.path).name).replace(file.path)
    return Quantized(
        model=str(model),
        bytes=model.stat().st_size,
        samples=opened["samples"],
        labels=opened["labels"],
        plan=how,
        files=tuple(files),
    )


def summary(made: Quantized) -> RenderableType:
    """What was made, as a table and sentences."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("file", overflow="fold")
    for title in ("size", "of the original", "nodes", "answers changed", "differs by"):
        table.add_column(title, justify="right")
    for file in made.files:
        answers = "no classes" if file.answers_changed is None else str(file.answers_changed)
        cells = (
            numbers.printable(file.path),
            numbers.amount(file.bytes, numbers.BYTES),
            f"{file.bytes / made.bytes:.2f}",
            str(file.changed_nodes),
            answers if file.answers_changed is None else f"{answers} of {made.samples}",
            f"{file.max_abs_difference:.3g}",
        )
        table.add_row(*map(Text, cells))
    lines = [f"for {made.plan.device}: {'; '.join(made.plan.why)}"]
    for file in made.files:
        lines += [f"{file.method}: {note}" for note in file.notes if note not in made.plan.why]
        if file.saturable:
            layers = numbers.how_many(len(file.saturable), "layer")
            lines.append(
                f"{file.method}: {layers} can saturate on an x86 CPU without VNNI, first "
                f"{numbers.printable(file.saturable[0].layer)}"
            )
        if file.bytes >= made.bytes:
            lines.append(f"warning: {file.method} is no smaller than the original")
    names = " ".join([made.model, *(file.path for file in made.files)])
    lines.append(f"for their latency: edgestill bench {numbers.printable(names)}")
    return Group(table, *map(Text, lines))


def _file(name: str, draft: Path, target: Path, told: dict[str, Any]) -> File:
    facts = {key: told[key] for key in File.model_fields if key in told}
    return File.model_validate(
        {"method": name, "path": str(target), "bytes": draft.stat().st_size, **facts}
    )
