"""How a student was compressed, and the files that were made of it."""

from typing import Literal

from ...exporters import ONNX
from ...exporters.interface import Activation
from ...exporters.package import Package
from .models import Epoch, ModelRecord
from .record import Record


class Saturable(Record):
    """A layer whose int8 weights can saturate 16-bit sums on an x86 CPU without VNNI."""

    layer: str
    pairs: int
    """Neighbouring weights that some activations would saturate."""
    of: int
    """All pairs of the layer."""


class Plan(Record):
    """How int8 is done for a target, and why."""

    target: str
    """The device's name."""
    device: str
    """Its title."""
    kernels: str
    """The family of matrix kernels of the target, which decides about the types."""
    activations: Literal["u8", "s8"]
    weights: Literal["u8", "s8"]
    weight_bits: Literal[7, 8]
    pairs_fit: bool
    """Whether weights are scaled so that no two neighbours saturate a 16-bit sum."""
    per_channel: bool
    precise: bool
    """Whether this host saturates where the target does not. Files then run in the runtime's
    saturation-free mode, and the answers of this host's own kernels are reported apart."""
    why: tuple[str, ...]

    @property
    def types(self) -> str:
        """The usual notation: ``u8s8``."""
        return self.activations + self.weights

    @property
    def uniform_bits(self) -> Literal[7, 8]:
        """Bits of a method with one width for all weights: 7 where pairs have to fit."""
        return 7 if self.pairs_fit else self.weight_bits


class Bytes(Record):
    """What the bytes of a file are."""

    weights: dict[str, int]
    """Of layers, by numeric type."""
    scales: int
    """Scales and zero points."""
    constants: int
    """Other stored numbers: shapes, axes, the normalization."""
    graph: int
    """Nodes, names and metadata."""


class Left(Record):
    """One step of mixed precision: one more layer in float."""

    layer: str | None
    """None: all are quantized."""
    damage: float | None
    """Of this layer alone in int8, on the calibration split: mean squared difference of the outputs
    from fp32's, over the mean square of those."""
    lost: float
    """Score lost to fp32 on the calibration split; of a model of the user what the output that
    loses most loses: accuracy, the share of answers changed, or the relative error of numbers."""
    bytes: int


class TunedRecord(Record):
    """A student that was trained further: ``model.onnx`` and its answers in ``reference.npz``.

    ``program.pt2`` is the same in float, from which other formats are made.
    """

    method: str
    seed: int
    """Of the student it started from."""
    curve: tuple[Epoch, ...]
    best_epoch: int
    validation_score: float
    """Of the torch model that was exported."""
    score_before: float
    """The student's, on validation."""
    selected_by: str | None = None
    """The metric of both, by which the best epoch was kept; None: the task's score."""
    changed_nodes: int
    notes: tuple[str, ...]
    rounds: bool
    """Whether it computes in int8."""
    moves: float = 0.0
    """Of one that does and has a softmax or a layer norm: the largest change of an output of its
    torch model when arithmetic changes in the last digits."""
    sha256: str


_WEIGHTS = ".bin"
"""The end of the name of a file beside a model that holds its weights: OpenVINO's."""
AT = "@"
"""Between a variant's method and its format, where the format is judged by itself."""


class Variant(Record):
    """One model made of the student (or the teacher in fp32), and its files.

    One in ONNX Runtime has the formats that ship the same answers beside its ``.onnx`` file. In
    every other runtime the same method gives other answers in another time, so it is a variant of
    its own: ``int8-static@litert``.
    """

    name: str
    packages: tuple[Package, ...]
    """One a format. The first is measured and judged."""
    changed_nodes: int
    """Nodes that differ in kind from fp32: quantized operators and Q/DQ pairs."""
    notes: tuple[str, ...]
    parts: Bytes
    saturable: tuple[Saturable, ...] = ()
    """Layers that saturate on an x86 CPU without VNNI; empty where none can."""
    curve: tuple[Left, ...] = ()
    """Of mixed precision: what was tried, starting with all layers in int8."""
    made_from: str | None = None
    """The variant whose file a method rewrote; None for a file exported from a torch model."""

    @property
    def method(self) -> str:
        """How it was compressed, whatever its format: ``int8-static``."""
        return self.name.partition(AT)[0]

    @property
    def format(self) -> str:
        """Of the file that is measured."""
        return self.packages[0].format

    @property
    def in_onnx(self) -> bool:
        """Whether that is an ``.onnx`` file, which ONNX Runtime runs and onnx can read."""
        return self.format == ONNX

    @property
    def file(self) -> str:
        """The name of the file that is measured."""
        return self.packages[0].model.name

    @property
    def bytes(self) -> int:
        """Its size, with the weights that lie beside it."""
        model, *beside = self.packages[0].files
        weights = [file for file in beside if file.name.endswith(_WEIGHTS)]
        return sum(file.bytes or 0 for file in (model, *weights))

    @property
    def sha256(self) -> str:
        """Of its content."""
        return self.packages[0].model.sha256 or ""


class NotCarried(Record):
    """A variant that a format of the recipe does not have."""

    variant: str
    format: str
    reason: str


class VariantsRecord(Record):
    """The variants of the best student, and the teacher's file to measure beside them."""

    student: ModelRecord
    plan: Plan
    variants: tuple[Variant, ...]
    teacher: Variant | None
    """None where the teacher is a black box, or only its answers are known."""
    tuned: tuple[TunedRecord, ...] = ()
    """Of the variants that a method trained further."""
    not_carried: tuple[NotCarried, ...] = ()
    activation: Activation | None = None
    """What stands behind the logits in every file, which then gives probabilities."""

    @property
    def files(self) -> tuple[Variant, ...]:
        """Everything that has a file: the teacher first, where it has one."""
        return (*([self.teacher] if self.teacher else []), *self.variants)


class Int8Student(Record):
    """One student in fp32 and in static int8; these files are compared, never shipped."""

    distilled: bool
    seed: int
    fp32: str
    """Name of the file."""
    int8: str


class Int8PlainRecord(Record):
    """Static int8 of the plain students, and of the distilled ones that are not the best."""

    students: tuple[Int8Student, ...]
