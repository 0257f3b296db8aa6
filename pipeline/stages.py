"""The stages of a build: the function that does each, what it gives, and what its key must know."""

from dataclasses import replace

from .engine.flow import Stage
from .recipe.compress import Prune, Qat
from .recipe.part import Part
from .records import (
    BenchmarkRecord,
    DataRecord,
    ModelRecord,
    TargetsRecord,
    TunedRecord,
    VariantsRecord,
    VerifyRecord,
)

DATA = Stage(
    "data",
    "pipeline.data.prepare:prepare",
    DataRecord,
    libraries=("numpy", "scikit-learn"),
)
TEACHER = Stage(
    "teacher",
    "pipeline.distill.teacher:teach",
    ModelRecord,
    libraries=("torch", "numpy", "safetensors"),
    threads=True,
    resumes=True,
)
TARGETS = Stage(
    "targets",
    "pipeline.distill.targets:ask",
    TargetsRecord,
    libraries=("torch", "numpy", "onnxruntime"),
    threads=True,
    resumes=True,
)
STUDENT = Stage(
    "student",
    "pipeline.distill.student:learn",
    ModelRecord,
    libraries=("torch", "numpy", "safetensors"),
    threads=True,
    resumes=True,
)
TUNED = Stage(
    "tuned",
    "pipeline.compress.train.stage:tune",
    TunedRecord,
    libraries=("torch", "numpy", "safetensors", "onnx", "onnxscript", "onnxruntime"),
    threads=True,
    resumes=True,
)
TUNED_VARIANTS: dict[str, tuple[Stage[TunedRecord], type[Part]]] = {
    "pruned": (TUNED, Prune),
    "int8-qat": (replace(TUNED, libraries=(*TUNED.libraries, "torchao")), Qat),
}
"""Variants that the student is trained on for: the stage and its part of the recipe."""
VARIANTS = Stage(
    "variants",
    "pipeline.compress.variants:compress",
    VariantsRecord,
    libraries=("torch", "numpy", "onnx", "onnxscript", "onnxruntime"),
    threads=True,
)
VERIFY = Stage(
    "verify",
    "pipeline.judge.verify:verify",
    VerifyRecord,
    libraries=("torch", "numpy", "onnx", "onnxruntime"),
    threads=True,
)
BENCHMARK = Stage(
    "benchmark",
    "pipeline.judge.benchmark:benchmark",
    BenchmarkRecord,
    libraries=("numpy", "onnx", "onnxruntime"),
    machine=True,
)
STAGES = tuple(
    stage.name for stage in (DATA, TEACHER, TARGETS, STUDENT, TUNED, VARIANTS, VERIFY, BENCHMARK)
)
