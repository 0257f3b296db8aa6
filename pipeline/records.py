"""The frozen records that pass between stages, and the report they add up to.

Every record is JSON on disk (``entry.json`` in the store, ``records/*.json`` in a run) and knows
nothing of how it is drawn. A figure that could not be had is an ``Estimate`` whose ``value`` is
None and whose ``missing`` says why; NaN is refused.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..devices.onboard.stats.estimate import Estimate
from ..devices.scenarios.figures import Benchmark
from ..exporters.package import Package
from .recipe.architecture import Architecture
from .recipe.task_names import TaskName

SCHEMA_VERSION: Literal["3.0"] = "3.0"
TEACHER = "teacher"
"""What the teacher's file is called among the variants."""
Split = Literal["train", "validation", "calibration", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "calibration", "test")
Layout = Literal["table", "hw", "hwc", "chw", "tc", "tokens"]
"""What the axes of one sample mean: t is time, c channels; tokens are ids, padded behind."""
Outcome = Literal["ready", "not ready", "undecided"]


class Record(BaseModel):
    """A frozen stage result."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataRecord(Record):
    """What the data stage laid down: ``x_<split>.npy`` and ``y_<split>.npy``, memory-mappable."""

    source: str
    task: TaskName
    labels: tuple[str, ...]
    """Names of the classes, or of the numbers that a regression gives."""
    sample_shape: tuple[int, ...]
    layout: Layout
    dtype: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rows: dict[str, int]
    """Samples of each split."""
    counts: dict[str, tuple[int, ...]]
    """Samples of each class (multi-label: that have it), by split; empty without classes."""
    answer_mean: tuple[float, ...] = ()
    answer_std: tuple[float, ...] = ()
    """Of each number of a regression, in train."""
    vocabulary: int = 0
    """Token ids in use, of text."""
    pad: int = 0
    """The id behind the end of a text."""
    unknown: int = 0
    """The id of a token that is none, which hides one too."""
    front_end: dict[str, object] | None = None
    """What has to be done to sound or text before the model; travels in its metadata."""
    files: tuple[str, ...] = ()
    """Files that must ship with the model, such as its tokenizer."""
    identified: bool = False
    """Whether ``id_<split>.npy`` names each sample."""
    dropped: int
    """Samples left out because they stood in two splits."""
    notes: tuple[str, ...]
    fingerprint: str

    def samples(self, split: Split) -> int:
        """Samples in a split."""
        return self.rows[split]

    @property
    def classes(self) -> int:
        """Number of classes; of a regression, of numbers."""
        return len(self.labels)


class Epoch(Record):
    """One line of a training curve."""

    epoch: int
    loss: float
    validation_loss: float
    validation_score: float
    seconds: float


class ModelRecord(Record):
    """A model: ``weights.safetensors`` beside it, or what else it answers from.

    A black box lies there as ``model.onnx``, recorded answers as ``logits_<split>.npy``.
    """

    model: str
    width: int
    arguments: dict[str, bool | int | float | str] = {}
    outputs: int
    """Numbers it gives for a sample."""
    parameters: int | None
    """None where it cannot be looked into."""
    seed: int
    distilled: bool
    origin: Literal["trained", "loaded", "black box", "recorded"]
    curve: tuple[Epoch, ...]
    best_epoch: int | None
    validation_score: float
    weights_sha256: str
    notes: tuple[str, ...] = ()

    @property
    def architecture(self) -> Architecture:
        """What it was made from."""
        return Architecture.model_construct(
            model=self.model, width=self.width, arguments=self.arguments
        )


class Cut(Record):
    """Channels cut out between layers, by their names in ``named_modules()``."""

    layer: str
    """It makes the channels."""
    channels: int
    """How many it made."""
    kept: tuple[int, ...]
    """Which of them are left, in order."""
    along: tuple[str, ...]
    """Batch norms and depthwise convolutions between, cut alike."""
    into: tuple[str, ...]
    """They read the channels."""


class Pruned(Record):
    """What structured pruning took out of a model; its architecture and this make it again."""

    cuts: tuple[Cut, ...]
    left: dict[str, str]
    """By layer that keeps all its channels: why."""
    parameters_before: int
    parameters: int
    macs_before: int
    """Multiply-accumulates of one sample."""
    macs: int

    @property
    def kept(self) -> dict[str, tuple[int, ...]]:
        """By layer, which of its channels are left."""
        return {cut.layer: cut.kept for cut in self.cuts}


class TargetsRecord(Record):
    """The teacher's answers on every view of train, and on other splits where they are needed.

    ``logits.npy`` [views, samples, kept], in train order, and with ``kept`` below ``outputs`` also
    ``places.npy`` and ``rest.npy``; ``rows.npy`` tells which sample a row belongs to.
    ``answers_<split>.npy``, float32 [samples, outputs].
    """

    views: int
    rows: int
    outputs: int
    kept: int
    """Outputs stored of each answer; the rest as one mass."""
    bytes: int
    train_score: float | None
    """On the first view; None where the teacher is asked as the student learns."""
    answered: tuple[str, ...]
    """Splits besides train whose answers are here."""


class Saturable(Record):
    """A layer whose int8 weights can saturate 16-bit sums on an x86 CPU without VNNI."""

    layer: str
    pairs: int
    """Neighbouring weights that some activations would saturate."""
    of: int
    """Pairs it has."""


class Plan(Record):
    """How int8 is done for a target, and why."""

    target: str
    """The device's name."""
    device: str
    """The same in words."""
    kernels: str
    """The family of matrix kernels that decides."""
    activations: Literal["u8", "s8"]
    weights: Literal["u8", "s8"]
    weight_bits: Literal[7, 8]
    pairs_fit: bool
    """Whether weights are scaled so that no two neighbours saturate a 16-bit sum."""
    per_channel: bool
    precise: bool
    """Whether this host would saturate where the target does not: it then answers in the runtime's
    saturation-free mode, and what it answers by itself is told apart."""
    why: tuple[str, ...]

    @property
    def types(self) -> str:
        """As the field writes it: ``u8s8``."""
        return self.activations + self.weights

    @property
    def uniform_bits(self) -> Literal[7, 8]:
        """Of a method that gives all weights the same: 7 where pairs have to fit."""
        return 7 if self.pairs_fit else self.weight_bits


class Bytes(Record):
    """Where the bytes of a file go."""

    weights: dict[str, int]
    """Stored numbers of a layer, by type."""
    scales: int
    """Scales and zero points."""
    constants: int
    """Other stored numbers: shapes, axes, the normalization."""
    graph: int
    """Nodes, names and metadata."""


class Left(Record):
    """One step of mixed precision: a layer more is left in float."""

    layer: str | None
    """None: all are quantized."""
    damage: float | None
    """Of this layer alone in int8, on the calibration split: mean squared difference of the outputs
    from fp32's, over the mean square of those."""
    lost: float
    """Score lost to fp32 on the calibration split; without labels the share of answers changed."""
    bytes: int


class TunedRecord(Record):
    """A student that was trained further: ``model.onnx``, and its answers in ``reference.npz``."""

    method: str
    seed: int
    """Of the student it started from."""
    curve: tuple[Epoch, ...]
    best_epoch: int
    validation_score: float
    """Of the torch model that the file was made of."""
    score_before: float
    """The student's, on validation too."""
    changed_nodes: int
    notes: tuple[str, ...]
    rounds: bool
    """Whether it computes in int8."""
    moves: float = 0.0
    """Of one that does and has a softmax or a layer norm: the largest change of an output of its
    torch model when arithmetic changes in the last digits (``compress.shaken``)."""
    sha256: str


class Variant(Record):
    """One model made of the student (or the teacher in fp32), in every format of the recipe."""

    name: str
    packages: tuple[Package, ...]
    """One a format. The first is the ``.onnx`` file, which is measured and judged."""
    changed_nodes: int
    """Nodes that differ in kind from fp32: quantized operators and Q/DQ pairs."""
    notes: tuple[str, ...]
    parts: Bytes
    saturable: tuple[Saturable, ...] = ()
    """Layers that saturate on an x86 CPU without VNNI; empty where none can."""
    curve: tuple[Left, ...] = ()
    """Of mixed precision: what was tried, from all in int8 on."""

    @property
    def file(self) -> str:
        """The name of the ``.onnx`` file."""
        return self.packages[0].model.name

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.packages[0].model.bytes or 0

    @property
    def sha256(self) -> str:
        """Of its content."""
        return self.packages[0].model.sha256 or ""


class VariantsRecord(Record):
    """The variants of the best student, and the teacher's file to measure beside them."""

    student: ModelRecord
    plan: Plan
    variants: tuple[Variant, ...]
    teacher: Variant | None
    """None where the teacher is a black box, or only its answers are known."""
    tuned: tuple[TunedRecord, ...] = ()
    """How the variants came about that were trained on."""

    @property
    def files(self) -> tuple[Variant, ...]:
        """Everything that has a file: the teacher first, where it has one."""
        return (*([self.teacher] if self.teacher else []), *self.variants)


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


class Calibration(Record):
    """How far a classifier's confidence, its largest probability, is from how often it is right."""

    error: float
    """Expected calibration error (Guo et al. 2017, eq. 3), in bins of equal count.

    Biased both ways: bins of few samples differ from their confidence by chance (upwards, see
    ``by_chance``), and what is too sure and too unsure within one bin cancels (downwards, Kumar et
    al. 2019).
    """
    by_chance: float
    """The error that these confidences would show on as many samples if they were right."""
    overconfidence: float
    """Mean confidence minus accuracy: above 0 is too sure."""
    bins: int
    """Fewer than asked for where confidences are equal, for equals stay in one bin."""


class ClassDrop(Record):
    """What one class, or label, lost of its recall."""

    name: str
    samples: int
    """Of it in test; of a label, those that have it."""
    teacher_recall: float | None
    student_recall: float | None
    drop: Estimate
    """Teacher minus student, paired; the intervals of all classes hold together (Bonferroni)."""


class Example(Record):
    """One sample that is answered otherwise: class numbers, or those of all labels that hold."""

    sample: int
    """Row of test."""
    truth: tuple[int, ...]
    reference: tuple[int, ...]
    answer: tuple[int, ...]
    margin: float
    """How surely both disagree, in probability; see ``changes``."""


class Changed(Record):
    """Samples that are answered otherwise than the reference answers them."""

    lost: int
    """The reference was right and this model is wrong."""
    won: int
    """The reference was wrong and this model is right."""
    both_wrong: int
    examples: tuple[Example, ...]
    """The few with the largest margins, from the largest down."""


class Fidelity(Record):
    """A student, or a variant of it, held against its teacher on test."""

    task: TaskName
    samples: int
    agreement: Estimate
    """Share of the teacher's answers that are kept: of classes; of labels, every one by itself; of
    numbers, all within a tenth of a deviation; of vectors, recall@1."""
    figures: dict[str, Estimate]
    """What else there is for the task, over samples: ``KL(teacher‖student)`` in nats at temperature
    1, of labels their mean; ``correlation`` and ``mean |difference|`` in deviations of the truth;
    ``cosine`` and ``recall@1``."""
    teacher_calibration: Calibration | None
    student_calibration: Calibration | None
    """Of classification only."""
    classes: tuple[ClassDrop, ...]
    """Empty where the task has none."""
    worst_class: str | None
    """The class with the largest drop observed."""
    worst_drop: Estimate
    changed: Changed | None
    """Of classification and multi-label."""


class Here(Record):
    """What an int8 file answers by this host's own kernels, which, unlike the target's, saturate.

    Every other figure of the file is then of the runtime's saturation-free mode.
    """

    score: Estimate
    answers_changed: int
    """Of test, against the saturation-free mode."""


class PackageQuality(Record):
    """One model in another format than ``.onnx``, against its ``.onnx`` file on all of test."""

    format: str
    max_abs_difference: float | None
    """Largest difference in logits; None where nothing here can run the file."""
    agreement: float | None
    """Share of samples with the same answer; None where nothing here can run the file."""
    least_agreement: float
    """Below it, the file is not the same model."""
    answers_hold: bool
    """Whether the answers found here are those of the target."""
    missing: str | None = None
    """Why the file was not run; None where it was."""


class VariantQuality(Record):
    """What one variant answers, measured in the runtime that ships, on the whole test split."""

    name: str
    checker: str | None
    """None where onnx's checker is content, else its words."""
    parity: tuple[Parity, ...]
    """Against PyTorch, where a torch model gives what the file must give; a file that was quantized
    afterwards is judged by its accuracy."""
    packages: tuple[PackageQuality, ...]
    """The formats beside ``.onnx``."""
    score: Estimate
    """The task's own: accuracy, mAP, R² or cosine."""
    metrics: dict[str, float]
    """Every other number of the task, by name."""
    agreement_with_teacher: Estimate
    drop_vs_teacher: Estimate
    drop_vs_fp32: Estimate
    answers_changed_vs_fp32: int
    fidelity: Fidelity | None = None
    """What it lost of the teacher; None for the teacher itself, or where nobody knows."""
    here: Here | None = None
    """By this host's own kernels, where those are not the target's."""


class Gain(Record):
    """What distillation gave: the same student, seed and steps, with and without the teacher."""

    seeds: tuple[int, ...]
    distilled_score: tuple[float, ...]
    plain_score: tuple[float, ...]
    difference: Estimate
    """Distilled minus plain. One seed: paired over test samples; more: over seeds."""


class VerifyRecord(Record):
    """Quality of the teacher and every variant."""

    test_samples: int
    metric: str
    """What a score is: accuracy, mAP, R² or cosine."""
    teacher: VariantQuality | None
    """Of the teacher's file, where there is one."""
    teacher_score: Estimate
    """Of its answers, file or not."""
    variants: tuple[VariantQuality, ...]
    gain: Gain | None
    """None where there are no labels to learn from without the teacher."""

    @property
    def files(self) -> tuple[VariantQuality, ...]:
        """Everything that has a file: the teacher first, where it has one."""
        return (*([self.teacher] if self.teacher else []), *self.variants)


class OperatorTime(Record):
    """One operator of the graph that runs, and what was fused into it."""

    name: str
    """The module it was exported from where that is known, else the node's name; data."""
    op: str
    """As the runtime calls it."""
    family: str
    """What it computes, whatever it is called: ``Conv`` of a ``QLinearConv``."""
    fused: tuple[str, ...]
    """Types of the file's operators that it computes, in their order; empty where the runtime put
    it in."""
    calls: float
    """A query."""
    us: float
    """Microseconds a query, less what profiling costs."""
    share: float
    type: str
    """Numeric type it computes in."""
    macs: int | None
    """None where some could not be counted."""
    operations: int | None
    """Arithmetic, a multiply-accumulate two."""
    parameters: int
    bytes: int | None
    """Read and written, weights among them."""
    roof_us: float | None
    """At the roof of the machine it ran on; None where either is not known."""

    @property
    def intensity(self) -> float | None:
        """Operations a byte."""
        return self.operations / self.bytes if self.operations and self.bytes else None

    @property
    def gop_s(self) -> float | None:
        """Attained, 10^9 operations a second."""
        return self.operations / self.us / 1e3 if self.operations and self.us else None

    @property
    def attained(self) -> float | None:
        """Fraction of the roof: above 1 where its data came out of a cache."""
        return self.roof_us / self.us if self.roof_us is not None and self.us else None


class Roof(Record):
    """The roof of the machine that operators ran on, of the cores that were used."""

    device: str
    gflop_s: float
    """Peak in fp32."""
    gop_s: float | None
    """Peak in int8; None where it is not known."""
    gb_s: float
    """Bandwidth of main memory."""
    cores: int
    """That were used."""


class OperatorsRecord(Record):
    """Where one file's time goes, operator by operator."""

    name: str
    runtime: str
    threads: int
    runs: int
    """Profiled queries."""
    query_us: float
    """A query without profiling, the 10th percentile; the operators add up to it."""
    p50_us: float
    """The median query without profiling."""
    profiled_us: float
    """The median query with it."""
    operators: tuple[OperatorTime, ...]
    """In the order they ran."""
    unplaced_macs: int
    """Counted in the file, of operators that were not found again in the graph that runs."""
    roof: Roof | None
    roof_missing: str | None
    """Why there is none."""


class Predicted(Record):
    """What one file would take on a device that is only a profile: never measured."""

    name: str
    target: str
    """The device's name."""
    device: str
    """The same in words."""
    threads: int
    p50_ms: Estimate
    call_us: float
    """Of it what calling each operator costs, microseconds."""
    spread: float
    """Standard deviation of log efficiencies that the band is from."""
    unroofed: int
    """Operators that could not be held against a roof."""


class BenchmarkRecord(Record):
    """Latency, memory, energy and size of the teacher and every variant."""

    benchmark: Benchmark
    measured_on: str
    """The name of the device that everything here was measured on."""
    target: str
    """The name of the device to ship to."""
    on_target: bool | None
    """Whether these two are one device. None where the record does not say (schema 2.0). Unless
    True, no latency, memory or energy of this record decides a budget."""
    operators: tuple[OperatorsRecord, ...] = ()
    predicted: tuple[Predicted, ...] = ()
    """On the target, where that is not the device measured on."""


class Check(Record):
    """One budget against one figure."""

    key: str
    budget: float
    figure: Estimate
    """In the budget's own unit."""
    outcome: Outcome
    why: str


class PackageVerdict(Record):
    """One format of a variant.

    A format that was not measured is undecided, however good the ``.onnx`` file is: it is delivered
    with the variant, and marked.
    """

    format: str
    outcome: Outcome
    why: str


class VariantVerdict(Record):
    """One variant against all budgets."""

    name: str
    outcome: Outcome
    checks: tuple[Check, ...]
    faults: tuple[str, ...]
    """What is wrong whatever the budgets: lost parity, the checker's complaint, a package that
    answers otherwise than the .onnx file."""
    packages: tuple[PackageVerdict, ...] = ()
    """One a format, in the order of ``Variant.packages``."""


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

    schema_version: Literal["3.0"] = SCHEMA_VERSION
    name: str
    created: str
    """UTC, ISO 8601."""
    edgestill: str
    """Version that built it."""
    libraries: dict[str, str]
    recipe: dict[str, object]
    data: DataRecord
    teachers: tuple[ModelRecord, ...]
    targets: TargetsRecord
    students: tuple[ModelRecord, ...]
    plain_students: tuple[ModelRecord, ...]
    variants: VariantsRecord
    quality: VerifyRecord
    measured: BenchmarkRecord
    verdict: Verdict
