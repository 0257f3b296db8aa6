"""The stages of a build: the function of each, its input and output, and what its key needs."""

from dataclasses import replace

from .compress.inputs import Int8PlainInputs, TrialInputs, TunedInputs, VariantsInputs
from .data.inputs import DataInputs
from .distill.inputs import StudentInputs, TargetsInputs, TeacherInputs
from .distill.shards import ShardInputs
from .engine.stage import Shards, Stage
from .judge.inputs import AdaptationInputs, BenchmarkInputs, VerifyInputs
from .recipe.compress import Prune, Qat
from .recipe.part import Part
from .records import (
    AdaptationRecord,
    BenchmarkRecord,
    DataRecord,
    Int8PlainRecord,
    ModelRecord,
    ShardRecord,
    TargetsRecord,
    TrialRecord,
    TunedRecord,
    VariantsRecord,
    VerifyRecord,
)

DATA = Stage(
    "data",
    "pipeline.data.prepare:prepare",
    DataInputs,
    DataRecord,
    libraries=("numpy", "scikit-learn"),
    reads_files=True,
)
TRIAL = Stage(
    "trial",
    "pipeline.compress.trial:try_out",
    TrialInputs,
    TrialRecord,
    libraries=("torch", "numpy", "safetensors", "onnx", "onnxscript", "onnxruntime"),
    threads=True,
)
TEACHER = Stage(
    "teacher",
    "pipeline.distill.teacher:make_teacher",
    TeacherInputs,
    ModelRecord,
    libraries=("torch", "numpy", "safetensors"),
    threads=True,
    device=True,
    processes=True,
    resumes=True,
)
SHARD = Stage(
    "shard",
    "pipeline.distill.targets:make_shard",
    ShardInputs,
    ShardRecord,
    libraries=("torch", "numpy", "onnxruntime"),
    threads=True,
    device=True,
)
TARGETS = Stage(
    "targets",
    "pipeline.distill.targets:make_targets",
    TargetsInputs,
    TargetsRecord,
    libraries=("torch", "numpy", "onnxruntime"),
    threads=True,
    device=True,
    resumes=True,
    shards=Shards(
        SHARD, "pipeline.distill.shards:shards", "pipeline.distill.targets:merge_targets"
    ),
)
STUDENT = Stage(
    "student",
    "pipeline.distill.student:train_student",
    StudentInputs,
    ModelRecord,
    libraries=("torch", "numpy", "safetensors"),
    threads=True,
    device=True,
    processes=True,
    resumes=True,
)
TUNED = Stage(
    "tuned",
    "pipeline.compress.train.stage:tune",
    TunedInputs,
    TunedRecord,
    libraries=("torch", "numpy", "safetensors", "onnx", "onnxscript", "onnxruntime"),
    threads=True,
    device=True,
    processes=True,
    resumes=True,
)
TUNED_VARIANTS: dict[str, tuple[Stage[TunedInputs, TunedRecord], type[Part]]] = {
    "pruned": (TUNED, Prune),
    "int8-qat": (replace(TUNED, libraries=(*TUNED.libraries, "torchao")), Qat),
}
"""Variants for which the student is trained further: the stage and its part of the recipe."""
VARIANTS = Stage(
    "variants",
    "pipeline.compress.variants:compress",
    VariantsInputs,
    VariantsRecord,
    libraries=("torch", "numpy", "onnx", "onnxscript", "onnxruntime"),
    threads=True,
)
INT8_PLAIN = Stage(
    "int8-plain",
    "pipeline.compress.int8_plain:quantize_students",
    Int8PlainInputs,
    Int8PlainRecord,
    libraries=("torch", "numpy", "onnx", "onnxscript", "onnxruntime"),
    threads=True,
)
ADAPTATION = Stage(
    "adaptation",
    "pipeline.judge.adaptation:compare_with_scratch",
    AdaptationInputs,
    AdaptationRecord,
    libraries=("torch", "numpy", "safetensors"),
    threads=True,
)
VERIFY = Stage(
    "verify",
    "pipeline.judge.verify:verify",
    VerifyInputs,
    VerifyRecord,
    libraries=("torch", "numpy", "onnx", "onnxruntime"),
    threads=True,
)
BENCHMARK = Stage(
    "benchmark",
    "pipeline.judge.benchmark:benchmark",
    BenchmarkInputs,
    BenchmarkRecord,
    libraries=("numpy", "onnx", "onnxruntime"),
    machine=True,
)
STAGES = tuple(
    stage.name
    for stage in (
        DATA,
        TRIAL,
        TEACHER,
        TARGETS,
        STUDENT,
        TUNED,
        VARIANTS,
        INT8_PLAIN,
        ADAPTATION,
        VERIFY,
        BENCHMARK,
    )
)
"""Names of the stages, in the order of the flow."""
