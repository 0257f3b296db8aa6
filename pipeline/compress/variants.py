"""The variants stage: the best student exported once, compressed each way, packaged as ``.ort``."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onnx import load as load_file

from ...exporters import interface, metadata, onnx, ort
from .. import tasks
from ..data.arrays import Arrays, draw, open_split
from ..distill.teacher_answers import ensemble, exportable
from ..engine.stage import Made
from ..engine.store import file_sha256
from ..models import example
from ..progress import Progress
from ..records import TEACHER, DataRecord, ModelRecord, TunedRecord, Variant, VariantsRecord
from .byte_breakdown import where_bytes_go
from .inputs import VariantsInputs
from .int8.saturation import saturable
from .method import Effect, Job, Outputs
from .methods import METHODS
from .train.contract import FILE, best_of


def compress(out: Path, progress: Progress, inputs: VariantsInputs) -> VariantsRecord:
    """Export the best student and the teacher, and make every variant of the recipe.

    The best student is the one with the highest score on validation; the first of equals.

    Args:
        out: ``<variant>.onnx``, ``<variant>.ort`` and the operators file go here.
        progress: gets each file.
        inputs: of the variants stage.

    Raises:
        ModelError: a model cannot be exported or converted.
        NoEffectError: a method changed nothing.
    """
    compress, plan, export, data = inputs.compress, inputs.plan, inputs.export, inputs.data
    teachers, shares = inputs.models.teachers.models, inputs.models.teachers.shares
    best = best_of(inputs.models.students)
    trained = {made.record.method: made for made in inputs.models.tuned}
    wanted = ("fp32", *(v for v in compress.variants if v != "fp32"))
    effects: dict[str, Effect] = {}
    models: dict[str, tuple[tuple[Made[ModelRecord], ...], tuple[float, ...]]]
    models = {"fp32": ((best,), (1.0,))}
    if exportable(teachers):
        models = {TEACHER: (teachers, shares), **models}
    with progress.steps("variants", len(wanted) + len(models)) as steps:
        for name, (made, counts) in models.items():
            model = ensemble(made, counts, data.record)
            onnx.export(model, example(data.record), out / f"{name}.onnx", opset=export.opset)
            effects[name] = Effect(0, ())
            steps.advance(name)
        calibration = draw(open_split(data.path, "calibration"), compress.calibration_samples)
        for name in wanted[1:]:
            if name in trained:
                effects[name] = _taken(trained[name], out / f"{name}.onnx")
            else:
                job = Job(
                    source=out / "fp32.onnx",
                    target=out / f"{name}.onnx",
                    samples={interface.INPUT: calibration.x},
                    plan=plan,
                    calibration=compress.calibration,
                    percentile=compress.percentile,
                    lost=_lost(calibration, data.record),
                    most_lost=compress.mixed_max_loss,
                    fusion=compress.fusion,
                    pad=data.record.pad if data.record.layout == "tokens" else None,
                )
                effects[name] = METHODS[name](job)
            steps.advance(name)
        for name in effects:
            records = [made.record for made in (teachers if name == TEACHER else (best,))]
            metadata.stamp(out / f"{name}.onnx", _facts(name, records, data.record))
        ort.convert(out, target=export.ort_target)
        steps.advance(".ort")
    variants = {name: _variant(out, name, effect) for name, effect in effects.items()}
    return VariantsRecord(
        student=best.record,
        plan=plan,
        variants=tuple(variants[name] for name in wanted),
        teacher=variants.get(TEACHER),
        tuned=tuple(made.record for made in inputs.models.tuned),
        operators_file=ort.OPERATORS,
    )


def _lost(calibration: Arrays, data: DataRecord) -> Callable[[Outputs, Outputs], float]:
    """Score lost to fp32 on the calibration split; of vectors without labels, to fp32's own."""
    task = tasks.of(data.task)

    def lost(fp32: Outputs, found: Outputs) -> float:
        truth = fp32 if task.labels is None else calibration.y
        return task.selection(fp32, truth) - task.selection(found, truth)

    return lost


def _taken(made: Made[TunedRecord], target: Path) -> Effect:
    """Copy the file of a student that was trained on."""
    shutil.copyfile(made.path / FILE, target)
    record = made.record
    return Effect(record.changed_nodes, record.notes, saturable(load_file(target)))


def _facts(name: str, models: Sequence[ModelRecord], data: DataRecord) -> dict[str, Any]:
    return {
        "task": data.task,
        "labels": data.labels,
        "variant": name,
        "model": {
            "name": " + ".join(model.model for model in models),
            "width": models[0].width,
            "parameters": sum(model.parameters or 0 for model in models),
        },
        "input": {
            "name": interface.INPUT,
            "dtype": data.dtype,
            "shape": [interface.BATCH, *data.sample_shape],
            "layout": data.layout,
        },
        "normalization": {"inside": True, "mean": data.mean, "std": data.std},
        "front_end": data.front_end,
        "hashes": {
            "weights_sha256": "+".join(model.weights_sha256 for model in models),
            "data": data.fingerprint,
        },
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
        parts=where_bytes_go(file),
        saturable=effect.saturable,
        curve=effect.curve,
    )
