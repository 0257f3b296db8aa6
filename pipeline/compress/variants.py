"""The variants stage: the best student exported once, compressed each way, packaged as ``.ort``."""

from pathlib import Path
from typing import Any

from ...devices import host
from ...exporters import interface, metadata, onnx, ort
from ..data.arrays import draw, open_split
from ..flow import Made
from ..models import deployed, example
from ..models.weights import WEIGHTS, restore
from ..progress import Progress
from ..recipe import Compress, Export
from ..records import TEACHER, DataRecord, ModelRecord, Variant, VariantsRecord
from ..store import file_sha256
from . import METHODS
from .method import Effect, Job


def compress(
    out: Path,
    progress: Progress,
    *,
    compress: Compress,
    export: Export,
    students: tuple[Made[ModelRecord], ...],
    teacher: Made[ModelRecord],
    data: Made[DataRecord],
) -> VariantsRecord:
    """Export the best student and the teacher, and make every variant asked for.

    The best student is the one with the highest accuracy on validation; the first of equals.

    Args:
        out: ``<variant>.onnx``, ``<variant>.ort`` and the operators file go here.
        progress: told of each file.
        compress: the recipe's part.
        export: the recipe's part.
        students: the distilled students, one a seed.
        teacher: the teacher.
        data: the data stage's output.

    Raises:
        ModelError: a model cannot be exported or converted.
        NoEffectError: a method changed nothing.
    """
    best = max(students, key=lambda made: made.record.validation_accuracy)
    wanted = ("fp32", *(v for v in compress.variants if v != "fp32"))
    effects: dict[str, Effect] = {}
    reduce_range = _reduce_range(compress)
    with progress.steps("variants", len(wanted) + 2) as steps:
        for name, made in ((TEACHER, teacher), ("fp32", best)):
            _export(out / f"{name}.onnx", made, data.record, export)
            effects[name] = Effect(0, ())
            steps.advance(name)
        calibration = draw(open_split(data.path, "calibration"), compress.calibration_samples)
        for name in wanted[1:]:
            job = Job(out / "fp32.onnx", out / f"{name}.onnx", calibration, reduce_range)
            effects[name] = METHODS[name](job)
            steps.advance(name)
        for name in effects:
            made = teacher if name == TEACHER else best
            metadata.stamp(out / f"{name}.onnx", _facts(name, made.record, data.record))
        ort.convert(out, target=export.ort_target)
        steps.advance(".ort")
    variants = {name: _variant(out, name, effect) for name, effect in effects.items()}
    return VariantsRecord(
        student=best.record,
        variants=tuple(variants[name] for name in wanted),
        teacher=variants[TEACHER],
        operators_file=ort.OPERATORS,
    )


def _reduce_range(compress: Compress) -> bool:
    if compress.reduce_range == "auto":
        return host.saturates(host.describe())
    return compress.reduce_range == "always"


def _export(path: Path, made: Made[ModelRecord], data: DataRecord, export: Export) -> None:
    model = deployed(made.record.model, made.record.width, data)
    restore(model, made.path / WEIGHTS)
    onnx.export(model, example(data), path, opset=export.opset)


def _facts(name: str, model: ModelRecord, data: DataRecord) -> dict[str, Any]:
    return {
        "task": data.task,
        "labels": data.labels,
        "variant": name,
        "model": {"name": model.model, "width": model.width, "parameters": model.parameters},
        "input": {
            "name": interface.INPUT,
            "dtype": data.dtype,
            "shape": [interface.BATCH, *data.sample_shape],
            "layout": data.layout,
        },
        "normalization": {"inside": True, "mean": data.mean, "std": data.std},
        "hashes": {"weights_sha256": model.weights_sha256, "data": data.fingerprint},
    }


def _variant(out: Path, name: str, effect: Effect) -> Variant:
    file, ort_file = out / f"{name}.onnx", out / f"{name}.ort"
    return Variant(
        name=name,
        file=file.name,
        bytes=file.stat().st_size,
        sha256=file_sha256(file),
        ort_file=ort_file.name,
        ort_bytes=ort_file.stat().st_size,
        ort_sha256=file_sha256(ort_file),
        changed_nodes=effect.changed_nodes,
        notes=effect.notes,
    )
