"""Smaller files of an ONNX model, made in a child process.

The calibration data are one ``.npz`` file: one array per input, samples along the first axis, and
optionally ``y``, the classes.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...devices.onboard.machine.child import PYTHON
from ...errors import DataError, ModelError, UsageError, no_file
from ..compress.plan import plan
from ..engine.store import disk_errors
from ..isolation.child import Child
from ..judge.gate import EXIT_CODES
from ..progress import Progress
from ..recipe.compress import Compress
from ..records import Left, OutputLoss, Plan, Record, Saturable
from ..report import numbers
from ..report.output_rows import output_cells
from .result import Result, plain
from .screen import Screen

WORKER = (*PYTHON, "edgestill.pipeline.compress.worker")
TIMEOUT_S = 3600.0
_FIX = "try another method, fewer calibration samples, or another machine"


class File(Record):
    """One file that was written."""

    method: str
    path: str
    bytes: int
    changed_nodes: int
    notes: tuple[str, ...]
    saturable: tuple[Saturable, ...]
    curve: tuple[Left, ...]
    outputs: tuple[OutputLoss, ...]
    """Each output against the source model's, on the calibration samples."""
    lost: float
    """Of the output that loses most: accuracy with labels, else the share of changed answers; of
    numbers the root mean square difference over the source model's root mean square."""

    @property
    def destroyed(self) -> tuple[OutputLoss, ...]:
        """The outputs of which nothing is to be trusted."""
        return tuple(output for output in self.outputs if output.destroyed is not None)


class Quantized(Result, Record):
    """The files that were made of one model.

    Attributes:
        model: the file that they were made of.
        bytes: its size.
        samples: of the calibration data.
        labels: whether these have labels, so that a loss is one of accuracy.
        plan: how int8 is done for the target, and why.
        warnings: what makes the model's answers depend on more than its input.
        files: what was written.
    """

    model: str
    bytes: int
    samples: int
    labels: bool
    plan: Plan
    warnings: tuple[str, ...]
    files: tuple[File, ...]

    @property
    def exit_code(self) -> int:
        """1, not ready, where a file has a destroyed output; else 0."""
        return EXIT_CODES["not ready" if any(file.destroyed for file in self.files) else "ready"]

    def screen(self) -> Screen:
        """A row a file, with the output that loses most."""
        rows = []
        for file in self.files:
            worst = max(file.outputs, key=lambda output: (bool(output.destroyed), output.lost))
            rows.append(
                (
                    Path(file.path).name,
                    numbers.amount(file.bytes, numbers.BYTES),
                    f"{file.bytes / self.bytes:.2f}",
                    *output_cells(worst)[:3],
                )
            )
        told = [
            f"{file.method} destroys the output {output.name}: {output.destroyed}"
            for file in self.files
            for output in file.destroyed
        ]
        told += [f"the model's {warning}" for warning in self.warnings]
        size, made = numbers.amount(self.bytes, numbers.BYTES), len(self.files)
        return Screen(
            title=f"{numbers.how_many(made, 'file')} made of {self.model} ({size})",
            head=("file", "size", "of it", "worst output", "changed", "error"),
            rows=tuple(rows),
            above=tuple(f"warning: {text}" for text in told),
            below=(f"target {self.plan.device}; compared on {self.samples:,} samples",),
            paths=tuple(
                ("folder", folder)
                for folder in dict.fromkeys(str(Path(file.path).parent) for file in self.files)
            ),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a file and output."""
        return [
            {
                "file": file.path,
                "method": file.method,
                "bytes": file.bytes,
                "share_of_original": file.bytes / self.bytes,
                "changed_nodes": file.changed_nodes,
                **{f"output_{k}" if k == "name" else k: v for k, v in output.model_dump().items()},
                "lost": output.lost,
            }
            for file in self.files
            for output in file.outputs
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill quantize --json``."""
        document: dict[str, Any] = plain(self.model_dump(mode="json"))
        return {**document, "exit_code": self.exit_code}


def quantize(
    model: Path,
    calibration: Path,
    out: Path,
    part: Compress,
    progress: Progress,
    batch_axes: Mapping[str, int | None] | None = None,
) -> Quantized:
    """Write one file per method that the recipe part names, compared on the calibration data.

    Args:
        model: an ``.onnx`` file, of any opset that onnx can convert.
        calibration: an ``.npz`` file.
        out: the folder to write to.
        part: which methods, for which target, and how.
        progress: is advanced with each method.
        batch_axes: the axis of samples by input, None for an input that is the same in each query;
            of others the model and the arrays tell.

    Raises:
        UsageError: no such target, or a file that would be overwritten.
        ModelError: the model is missing, broken or cannot be compressed so.
        DataError: the calibration data are not the model's inputs.
        MeasureError: the child could not be started.
    """
    for path, kind in ((model, ModelError), (calibration, DataError)):
        if not path.is_file():
            raise no_file(path, kind)
    methods = [name for name in part.variants if name != "fp32"]
    targets = {name: out / f"{model.stem}.{name}.onnx" for name in methods}
    existing = [str(path) for path in targets.values() if path.exists()]
    if existing:
        raise UsageError(
            "a file that exists",
            expected="a new file",
            where=existing[0],
            fix="move it, or name another folder with --out",
        )
    chosen = plan(part)
    with disk_errors(out, opening=True):
        out.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=out, prefix=".quantize-")
    child = Child(model, timeout_s=TIMEOUT_S, command=WORKER, fix=_FIX)
    with scratch as folder, child, progress.steps("quantize", len(methods)) as steps:
        request = {
            "model": str(model.resolve()),
            "calibration": str(calibration.resolve()),
            "folder": folder,
            "asked": part.model_dump_json(),
            "plan": chosen.model_dump_json(),
            "batch_axes": dict(batch_axes or {}),
        }
        opened = child.ask(request)
        files = []
        for name, target in targets.items():
            draft = Path(folder).resolve() / target.name
            answer = child.ask({"method": name, "target": str(draft)})
            files.append(_file(name, draft, target, answer))
            steps.advance(name)
        for file in files:
            (Path(folder) / Path(file.path).name).replace(file.path)
    return Quantized(
        model=str(model),
        bytes=opened["bytes"],
        samples=opened["samples"],
        labels=opened["labels"],
        plan=chosen,
        warnings=tuple(opened["warnings"]),
        files=tuple(files),
    )


def _file(name: str, draft: Path, target: Path, answer: dict[str, Any]) -> File:
    facts = {key: answer[key] for key in File.model_fields if key in answer}
    return File.model_validate(
        {"method": name, "path": str(target), "bytes": draft.stat().st_size, **facts}
    )
