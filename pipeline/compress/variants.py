"""The variants stage: the best student exported once, compressed each way, and packaged."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from onnx import load as load_file
from torch import nn

from ...devices.bench.arena import arena_of
from ...devices.onboard.model import training_operators
from ...devices.onboard.runtimes.contract import Tensor
from ...exporters import EXPORTERS, TOOLCHAINS, activation, interface, metadata, onnx
from ...exporters.learned_ranges import LearnedRanges
from ...exporters.microcontroller import Needs
from ...exporters.package import Finished, Package
from ...exporters.package import Job as ExportJob
from ...exporters.package import NotCarried as Missing
from ...exporters.program import load_program
from ...exporters.scaled import Scaled
from .. import tasks
from ..data.arrays import Arrays, draw, open_split
from ..distill.teacher_answers import ensemble, exportable
from ..engine.stage import Made
from ..models import example
from ..models.activated import activated
from ..models.text_length import takes_any_length
from ..progress import Progress, Steps
from ..records import (
    AT,
    TEACHER,
    Bytes,
    DataRecord,
    ModelRecord,
    NotCarried,
    TunedRecord,
    Variant,
    VariantsRecord,
)
from .byte_breakdown import where_bytes_go
from .inputs import VariantsInputs
from .int8.saturation import saturable
from .method import Effect, Job, Outputs
from .methods import METHODS
from .normalize.normal_form import COMPARED, normalize
from .train.contract import FILE, PROGRAM, RANGES, best_of

FP32 = "fp32"


@dataclass(frozen=True, slots=True)
class Sources:
    """The models that variants are made of.

    Attributes:
        best: the best student.
        teachers: the teachers.
        shares: the weight of each of them.
        tuned: the students that methods trained on, by method.
        data: the data stage's output.
    """

    best: Made[ModelRecord]
    teachers: tuple[Made[ModelRecord], ...]
    shares: tuple[float, ...]
    tuned: Mapping[str, Made[TunedRecord]]
    data: Made[DataRecord]

    @classmethod
    def of(cls, inputs: VariantsInputs) -> Self:
        """Those of the stage's inputs."""
        models = inputs.models
        return cls(
            best_of(models.students, tasks.of(inputs.data.record.task)),
            models.teachers.models,
            models.teachers.shares,
            {made.record.method: made for made in models.tuned},
            inputs.data,
        )

    def modules(self) -> dict[str, nn.Module]:
        """The torch modules to export, by the file's name: the teacher first, where it is one."""
        models: dict[str, nn.Module] = {}
        if self.teachers and exportable(self.teachers):
            models[TEACHER] = ensemble(self.teachers, self.shares, self.data.record)
        return models | {FP32: ensemble((self.best,), (1.0,), self.data.record)}

    def records(self, name: str) -> list[ModelRecord]:
        """Of the models in a file."""
        return [made.record for made in (self.teachers if name == TEACHER else (self.best,))]

    def described(self, name: str) -> str:
        """A file's model for a message: ``the student nets:make``."""
        models = " + ".join(record.model for record in self.records(name))
        return f"the {'teacher' if name == TEACHER else 'student'} {models}"


def compress(out: Path, progress: Progress, inputs: VariantsInputs) -> VariantsRecord:
    """Export the best student and the teacher, make every variant, and package each.

    The best student is the one with the highest score on validation; the first of equals.

    Args:
        out: the files of all packages go here, such as ``<variant>.onnx`` and ``<variant>.ort``.
        progress: gets each file.
        inputs: of the variants stage.

    Raises:
        ModelError: a model cannot be exported or converted.
        NoEffectError: a method changed nothing.
    """
    data, export = inputs.data, inputs.export
    models = Sources.of(inputs)
    compress = inputs.compress
    wanted = (FP32, *(variant for variant in compress.variants if variant != FP32))
    modules = models.modules()
    number = len(modules) + len(wanted) - 1 + len(export.formats)
    with progress.steps("variants", number) as steps:
        for name, module in modules.items():
            onnx.export(
                module,
                example(data.record),
                out / f"{name}.onnx",
                opset=export.opset,
                texts=takes_any_length(module, data.record),
            )
            training_operators.check(out / f"{name}.onnx", models.described(name))
            steps.advance(name)
        effects = {name: Effect(0, ()) for name in modules}
        effects |= _compressed(out, inputs, wanted[1:], models, steps)
        for name in effects:
            file = out / f"{name}.onnx"
            if export.activation is not None:
                activation.append(file, export.activation)
            facts = _facts(name, models.records(name), data.record)
            facts["output"] = {
                "name": interface.output_of(export.activation),
                "activation": export.activation,
            }
            facts["input"]["shape"] = _input_shape(file, data.record)
            metadata.stamp(file, facts)
        packages, absent = _packaged(out, inputs, list(effects), modules, steps)
    exported = {*modules, *models.tuned}
    variants = {
        name: _variant(
            out / f"{name}.onnx",
            name,
            effect,
            tuple(package for package in packages[name] if not package.apart),
            None if name in exported else FP32,
        )
        for name, effect in effects.items()
    }
    apart = [
        _in_other_runtime(variants[name], package, out, exported=name in exported)
        for format_ in export.formats
        for name in wanted
        for package in packages[name]
        if package.format == format_ and package.apart
    ]
    return VariantsRecord(
        student=models.best.record,
        plan=inputs.plan,
        variants=(*(variants[name] for name in wanted), *apart),
        teacher=variants.get(TEACHER),
        tuned=tuple(made.record for made in inputs.models.tuned),
        not_carried=absent,
        activation=export.activation,
    )


def _compressed(
    out: Path, inputs: VariantsInputs, names: Sequence[str], models: Sources, steps: Steps
) -> dict[str, Effect]:
    """Write the file of each variant but fp32."""
    compress, data = inputs.compress, models.data
    calibration = draw(open_split(data.path, "calibration"), compress.calibration_samples)
    effects: dict[str, Effect] = {}
    with TemporaryDirectory(dir=out) as folder:
        normal = Path(folder) / f"{FP32}.onnx"
        some = {interface.INPUT: calibration.x[:COMPARED]}
        changes = normalize(out / f"{FP32}.onnx", normal, [some])
        for name in names:
            if name in models.tuned:
                effects[name] = _copied(models.tuned[name], out / f"{name}.onnx")
                steps.advance(name)
                continue
            job = _job(normal, out / f"{name}.onnx", inputs, calibration)
            effect = METHODS[name](job)
            effects[name] = replace(effect, notes=(*changes, *effect.notes))
            steps.advance(name)
    return effects


def _job(source: Path, target: Path, inputs: VariantsInputs, calibration: Arrays) -> Job:
    """The job of one method."""
    compress, data = inputs.compress, inputs.data.record
    return Job(
        source=source,
        target=target,
        samples={interface.INPUT: calibration.x},
        plan=inputs.plan,
        calibration=compress.calibration,
        percentile=compress.percentile,
        lost=_lost(calibration, data),
        most_lost=compress.mixed_max_loss,
        fusion=compress.fusion,
        pad=data.pad if data.layout == "tokens" else None,
    )


def _packaged(
    out: Path,
    inputs: VariantsInputs,
    names: Sequence[str],
    modules: Mapping[str, nn.Module],
    steps: Steps,
) -> tuple[dict[str, list[Package]], tuple[NotCarried, ...]]:
    """Write every model in each format; the packages by the model's name, and what has none.

    The teacher is measured in ONNX Runtime only: it is what others are compared with.
    """
    export = inputs.export
    ends = {name: activated(module, export.activation) for name, module in modules.items()}
    finished = tuple(Finished(name, out / f"{name}.onnx", ends.get(name)) for name in names)
    job = ExportJob(out, finished, export.ort_target)
    tuned = inputs.models.tuned if set(export.formats) & TOOLCHAINS.keys() else ()
    programs = {made.record.method: made for made in tuned}
    students = tuple(
        _with_program(model, programs[model.name], export.activation)
        if model.name in programs
        else model
        for model in finished
        if model.name != TEACHER
    )
    apart = ExportJob(
        out,
        students,
        export.ort_target,
        calibration=draw(
            open_split(inputs.data.path, "calibration"), inputs.compress.calibration_samples
        ).x,
        batch=inputs.batch or 1,
        log=out,
        needs_of=needs_of,
        output=interface.output_of(export.activation),
        int8_io=export.litert_io == "int8",
        axes=export.axes_of(inputs.data.record.layout),
    )
    packages: dict[str, list[Package]] = {name: [] for name in names}
    absent = []
    for format_ in export.formats:
        for name, made in EXPORTERS[format_](apart if format_ in TOOLCHAINS else job).items():
            if isinstance(made, Missing):
                absent.append(NotCarried(variant=name, format=format_, reason=made.reason))
            else:
                packages[name].append(made)
        steps.advance(f".{format_}")
    return packages, tuple(absent)


def _with_program(
    model: Finished, made: Made[TunedRecord], behind: interface.Activation | None
) -> Finished:
    """A variant that a method trained, with the torch module that other formats are made of."""
    module = activated(load_program(made.path / PROGRAM), behind)
    if not made.record.rounds:
        return replace(model, module=module)
    return replace(model, floats=module, ranges=LearnedRanges.read(made.path / RANGES))


def needs_of(path: Path) -> Needs:
    """What a file takes of a microcontroller.

    Raises:
        HostError: the toolchain tflite-micro is not set up.
        ModelError: it cannot be run there.
    """
    found = arena_of(path)
    (takes,), (gives,) = found.takes, found.gives
    return Needs(found.arena.total_bytes, found.runtime, _scaled(takes), _scaled(gives))


def _scaled(port: Tensor) -> Scaled:
    kind = port.type.removeprefix("tensor(").removesuffix(")")
    dtype = "float32" if kind == "float" else kind
    return Scaled(dtype, port.shape, port.scale, port.zero_point)


def _in_other_runtime(variant: Variant, package: Package, out: Path, *, exported: bool) -> Variant:
    """A variant in a format that another runtime runs, as one of its own.

    What is wrong with the file that it was made from is wrong with it.
    """
    on_board = package.arena_bytes is not None
    # An array is the model once more, and scales are no part of it.
    files = (package.model,) if package.input is not None else package.files
    size = sum((out / file.name).stat().st_size for file in files)
    source = variant.name if package.format == "openvino" else f"{FP32}{AT}{package.format}"
    source = FP32 if on_board else source
    return Variant(
        name=f"{variant.name}{AT}{package.format}",
        packages=(package,),
        changed_nodes=variant.changed_nodes,
        notes=(package.about,),
        parts=Bytes(weights={}, scales=0, constants=0, graph=size),
        made_from=None if exported and package.format != "openvino" else source,
    )


def _lost(calibration: Arrays, data: DataRecord) -> Callable[[Outputs, Outputs], float]:
    """Score lost to fp32 on the calibration split; of vectors without labels, to fp32's own."""
    task = tasks.of(data.task)

    def lost(fp32: Outputs, found: Outputs) -> float:
        before, after = fp32.whole(interface.OUTPUT), found.whole(interface.OUTPUT)
        truth = before if task.labels is None else calibration.y
        return task.selection(before, truth) - task.selection(after, truth)

    return lost


def _copied(made: Made[TunedRecord], target: Path) -> Effect:
    """Copy the file of a student that a method trained on."""
    shutil.copyfile(made.path / FILE, target)
    record = made.record
    return Effect(record.changed_nodes, record.notes, saturable(load_file(target)))


def _input_shape(path: Path, data: DataRecord) -> list[str | int]:
    """Of a batch; texts may have any length up to ``max_length`` where the axis is open."""
    if data.layout == "tokens":
        shape = load_file(path).graph.input[0].type.tensor_type.shape
        if shape.dim[1].dim_param:
            return [interface.BATCH, interface.LENGTH]
    return [interface.BATCH, *data.sample_shape]


def _facts(name: str, models: Sequence[ModelRecord], data: DataRecord) -> dict[str, Any]:
    return {
        "task": data.task,
        "labels": data.labels,
        **({"units": data.units} if data.units else {}),
        "variant": name,
        "model": {
            "name": " + ".join(model.model for model in models),
            "width": models[0].width,
            "parameters": sum(model.parameters or 0 for model in models),
        },
        "input": {
            "name": interface.INPUT,
            "dtype": data.dtype,
            "layout": data.layout,
        },
        "normalization": _normalization(models, data),
        "front_end": data.front_end,
        "hashes": {
            "weights_sha256": "+".join(model.weights_sha256 for model in models),
            "data": data.fingerprint,
        },
    }


def _normalization(models: Sequence[ModelRecord], data: DataRecord) -> dict[str, Any]:
    """How the graph normalizes; a teacher that does so by itself has no figures here."""
    known = all(model.normalized for model in models)
    return {"inside": True, "mean": data.mean, "std": data.std} if known else {"inside": True}


def _variant(
    file: Path, name: str, effect: Effect, packages: tuple[Package, ...], made_from: str | None
) -> Variant:
    return Variant(
        name=name,
        packages=packages,
        changed_nodes=effect.changed_nodes,
        notes=effect.notes,
        parts=where_bytes_go(file),
        saturable=effect.saturable,
        curve=effect.curve,
        made_from=made_from,
    )
