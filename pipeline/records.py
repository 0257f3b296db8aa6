"""The frozen records that pass between stages, and the report they add up to.

Every record is JSON on disk (``entry.json`` in the store, ``records/*.json`` in a run) and knows
nothing of how it is drawn. A figure that could not be had is an ``Estimate`` whose ``value`` is
None and whose ``missing`` says why; NaN is refused.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..devices.bench import Benchmark
from ..devices.stats import Estimate

SCHEMA_VERSION: Literal["1.0"] = "1.0"
TEACHER = "teacher"
"""What the teacher's file is called among the variants."""
Split = Literal["train", "validation", "calibration", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "calibration", "test")
Outcome = Literal["ready", "not ready", "undecided"]


class Record(BaseModel):
    """A frozen stage result."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataRecord(Record):
    """What the data stage laid down: ``x_<split>.npy`` and ``y_<split>.npy``, memory-mappable."""

    source: str
    task: Literal["classification"] = "classification"
    labels: tuple[str, ...]
    sample_shape: tuple[int, ...]
    layout: Literal["table", "hw", "hwc", "chw"]
    dtype: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    counts: dict[str, tuple[int, ...]]
    """Samples of each class, by split."""
    dropped: int
    """Samples left out because they stood in two splits."""
    notes: tuple[str, ...]
    fingerprint: str

    def samples(self, split: Split) -> int:
        """Samples in a split."""
        return sum(self.counts[split])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.labels)


class Epoch(Record):
    """One line of a training curve."""

    epoch: int
    loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


class ModelRecord(Record):
    """A trained or loaded model: ``weights.safetensors`` beside it."""

    model: str
    width: int
    parameters: int
    seed: int
    distilled: bool
    origin: Literal["trained", "loaded"]
    curve: tuple[Epoch, ...]
    best_epoch: int | None
    validation_accuracy: float
    weights_sha256: str


class TargetsRecord(Record):
    """The teacher's logits on train: ``logits.npy``, float32 [samples, classes], in train order."""

    rows: int
    classes: int
    train_accuracy: float


class Variant(Record):
    """One file made of the student (or the teacher's fp32 file)."""

    name: str
    file: str
    bytes: int
    sha256: str
    ort_file: str
    ort_bytes: int
    ort_sha256: str
    changed_nodes: int
    """Nodes that differ in kind from fp32: quantized operators and Q/DQ pairs."""
    notes: tuple[str, ...]


class VariantsRecord(Record):
    """The variants of the best student, and the teacher's file to measure beside them."""

    student: ModelRecord
    variants: tuple[Variant, ...]
    teacher: Variant
    operators_file: str
    """What a reduced ONNX Runtime Mobile build needs to contain."""


class Parity(Record):
    """How far a file is from PyTorch on real samples, at one batch and optimization level."""

    batch: int
    optimization: str
    samples: int
    max_abs_difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the largest difference stays within the tolerance."""
        return self.max_abs_difference <= self.tolerance


class VariantQuality(Record):
    """What one variant answers, measured in the runtime that ships, on the whole test split."""

    name: str
    checker: str | None
    """None where onnx's checker is content, else its words."""
    parity: tuple[Parity, ...]
    """Against PyTorch; fp32 and teacher only: a quantized file is judged by its accuracy."""
    ort_max_abs_difference: float
    """Largest difference in logits between the .ort file and the .onnx file."""
    ort_agreement: float
    accuracy: Estimate
    agreement_with_teacher: Estimate
    drop_vs_teacher: Estimate
    drop_vs_fp32: Estimate
    answers_changed_vs_fp32: int


class Gain(Record):
    """What distillation gave: the same student, seed and steps, with and without the teacher."""

    seeds: tuple[int, ...]
    distilled_accuracy: tuple[float, ...]
    plain_accuracy: tuple[float, ...]
    difference: Estimate
    """Distilled minus plain. One seed: paired over test samples; more: over seeds."""


class VerifyRecord(Record):
    """Quality of the teacher and every variant."""

    test_samples: int
    teacher: VariantQuality
    variants: tuple[VariantQuality, ...]
    gain: Gain


class BenchmarkRecord(Record):
    """Latency, memory, energy and size of the teacher and every variant."""

    benchmark: Benchmark


class Check(Record):
    """One budget against one figure."""

    key: str
    budget: float
    figure: Estimate
    """In the budget's own unit."""
    outcome: Outcome
    why: str


class VariantVerdict(Record):
    """One variant against all budgets."""

    name: str
    outcome: Outcome
    checks: tuple[Check, ...]
    faults: tuple[str, ...]
    """What is wrong whatever the budgets: parity lost, checker's complaint, broken .ort."""


class Verdict(Record):
    """READY, NOT READY or UNDECIDED, and the variant to ship."""

    outcome: Outcome
    ship: str | None
    nearest: str
    """The variant that ships, or else the one that misses the fewest budgets."""
    why: str
    prefer: str
    variants: tuple[VariantVerdict, ...]


class Report(Record):
    """All of a run, as ``report.json``; the pages are drawn from this and nothing else."""

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    name: str
    created: str
    """UTC, ISO 8601."""
    edgestill: str
    """Version that built it."""
    libraries: dict[str, str]
    recipe: dict[str, object]
    data: DataRecord
    teacher: ModelRecord
    targets: TargetsRecord
    students: tuple[ModelRecord, ...]
    plain_students: tuple[ModelRecord, ...]
    variants: VariantsRecord
    quality: VerifyRecord
    benchmark: Benchmark
    verdict: Verdict
