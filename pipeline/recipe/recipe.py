"""The recipe: everything a build is told, as frozen models; ``recipefile`` reads and writes it.

>>> Distill(temperature=2.0).alpha
0.9

Nothing unknown gets in, and every value has its range.
"""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Variant = Literal[
    "fp32",
    "int8-dynamic",
    "int8-static",
    "int8-mixed",
    "int8-qat",
    "int8-weights",
    "int4-weights",
    "fp16",
    "fused",
    "pruned",
]
DEFAULT_VARIANTS: tuple[Variant, ...] = ("fp32", "int8-dynamic", "int8-static")
Fusing = Literal["onnxruntime", "onnxruntime-tools", "both"]
Calibrating = Literal["minmax", "average", "percentile", "entropy", "mse"]
SoftLoss = Literal["kd", "mse", "dkd", "dist", "cosine"]
LayerLoss = Literal["hint", "attention", "similarity", "rkd", "cosine"]
Task = Literal["classification", "multi-label", "regression", "embedding"]
Preference = Literal["latency", "size", "energy", "accuracy"]


SOURCE_KINDS = ("npz", "images", "audio", "text", "table")
"""Sources that name a file or a folder: ``KIND:PATH``."""

FAMILIES = {
    "mlp": (1, 1),
    "resnet": (8, 6),
    "mobilenet": (3, 1),
    "dscnn": (1, 1),
    "conv1d": (1, 1),
    "transformer": (1, 1),
}
"""Model families: the least depth and the step to the next; ``models/`` has their builders.

They stand here so that a name is refused before any work, and without torch.
"""
IMAGE_FAMILIES = frozenset({"resnet", "mobilenet", "dscnn"})
"""Families that take images only."""
SUITED = {"table": "mlp2", "tc": "conv1d3", "tokens": "transformer4"}
"""A model to offer for samples of each layout that are no images."""


def family_and_depth(model: str) -> tuple[str, int]:
    """The two parts of a model's name: ``("resnet", 20)`` of ``resnet20``.

    Raises:
        ValueError: no such family or depth; says what was expected.
    """
    match = re.fullmatch(r"([a-z_]+|conv1d)([1-9][0-9]{0,5})", model)
    if match is None:
        raise ValueError("a family and a depth in one name, such as 'resnet20' or 'mlp2'")
    family, depth = match[1], int(match[2])
    if family not in FAMILIES:
        near = difflib.get_close_matches(family, FAMILIES, n=1)
        hint = f"; did you mean '{near[0]}{depth}'?" if near else ""
        raise ValueError(f"one of the families {', '.join(FAMILIES)} and a depth{hint}")
    least, step = FAMILIES[family]
    if depth < least or (depth - least) % step:
        below = max(least, depth - (depth - least) % step)
        raise ValueError(
            f"a depth of {least}, {least + step}, {least + 2 * step}, …, "
            f"such as '{family}{below}' or '{family}{below + step}'"
        )
    return family, depth


def is_factory(model: str) -> bool:
    """Whether a model's name is a function of the user's: ``module:function``."""
    module, mark, name = model.partition(":")
    dotted = all(part.isidentifier() for part in module.split("."))
    return bool(mark) and name.isidentifier() and dotted


TEACHER_KINDS = ("onnx", "logits", "hf", "timm")
"""What a teacher may be besides a family or a function of the user's: a kind and a name."""
PATH_KINDS = ("onnx", "logits", "hf")
"""Those of them that name a file or a folder."""

P = TypeVar("P", bound="Part")


class Part(BaseModel):
    """A part of a recipe: frozen, and nothing unknown gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    addresses: ClassVar[frozenset[str]] = frozenset()
    """Keys that say where something lies, not what it is; its content is hashed instead."""

    def ingredients(self) -> dict[str, Any]:
        """What of this part decides a stage's result, as JSON."""
        told = self.model_dump(mode="json", exclude=set(self.addresses))
        return {key: _inner(getattr(self, key), plain) for key, plain in told.items()}

    def only(self, kind: type[P]) -> P:
        """Just the keys of a base part, so that the others do not enter a stage's key."""
        return kind.model_validate({key: getattr(self, key) for key in kind.model_fields})


Pixels = Annotated[int, Field(ge=1, le=4096)]


def _inner(value: Any, plain: Any) -> Any:
    """A part inside a part, or several, by what decides results; anything else as it is."""
    if isinstance(value, Part):
        return value.ingredients()
    if isinstance(value, tuple):
        return [_inner(*pair) for pair in zip(value, plain, strict=True)]
    return plain


class ImageForm(Part):
    """How image files become arrays."""

    size: tuple[Pixels, Pixels] | None = Field(
        None, description="Height and width to resize to; none: all have one size."
    )
    channels: Literal[1, 3] = Field(3, description="3 for RGB, 1 for grey.")


class AudioForm(Part):
    """How sound becomes features: the front end, whose parameters travel with the model."""

    front_end: Literal["log-mel", "mfcc", "wave"] = Field(
        "log-mel", description="Features: log-mel energies, MFCC, or the samples as they are."
    )
    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] | None = Field(
        None, description="Hz; none: what the data set says, and all files agree on."
    )
    seconds: Positive = Field(1.0, description="Length of a clip: cut or padded with silence.")
    window_ms: Positive = Field(30.0, description="Length of a frame's window.")
    hop_ms: Positive = Field(20.0, description="From one frame to the next.")
    mels: Annotated[int, Field(ge=4, le=256)] = Field(40, description="Mel bands.")
    coefficients: Annotated[int, Field(ge=2, le=128)] = Field(
        10, description="MFCC kept, from the first."
    )
    low_hz: Annotated[float, Field(ge=0.0)] = Field(20.0, description="Lower edge of the bands.")
    high_hz: Positive | None = Field(
        None, description="Upper edge of the bands; none: half the sample rate."
    )

    @model_validator(mode="after")
    def _bands_and_coefficients_fit(self) -> Self:
        if self.front_end == "mfcc" and self.coefficients > self.mels:
            raise ValueError(f"coefficients at most mels ({self.mels}), not {self.coefficients}")
        if self.high_hz is not None and self.high_hz <= self.low_hz:
            raise ValueError(f"high_hz above low_hz ({self.low_hz:g}), not {self.high_hz:g}")
        return self


class TextForm(Part):
    """How text becomes token ids."""

    addresses = frozenset({"tokenizer"})

    tokenizer: Path | None = Field(
        None, description="A tokenizer.json to use; none: one is trained on train.", strict=False
    )
    vocabulary: Annotated[int, Field(ge=16, le=1_000_000)] = Field(
        8000, description="Tokens at the most, where the tokenizer is trained."
    )
    max_length: Annotated[int, Field(ge=2, le=8192)] = Field(
        64, description="Tokens a sample: longer ones are cut, shorter ones padded."
    )
    lowercase: bool = Field(True, description="Whether the trained tokenizer ignores case.")


class TableForm(Part):
    """How rows become samples."""

    columns: tuple[str, ...] = Field(
        (), description="Input columns; none: every column that has no other role."
    )
    window: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="Consecutive rows (of one group) a sample; 0: each row is a sample."
    )
    stride: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="Rows from one window to the next; 0: the window's length."
    )


class Data(Part):
    """Where the samples come from and how they are split."""

    addresses = frozenset({"source"})

    source: str = Field(
        description="'digits', a kind and a path ('npz:FILE', 'images:FOLDER', 'audio:FOLDER', "
        "'text:FILE', 'table:FILE') or 'module:function' (a function returning arrays).",
    )
    task: Task = Field(
        "classification", description="What is learnt; embedding: the teacher's vectors."
    )
    layout: Literal["auto", "table", "hw", "hwc", "chw", "tc"] = Field(
        "auto",
        description="What the axes of one sample mean; 'auto' goes by rank and channel count.",
    )
    labels: tuple[str, ...] = Field((), description="Class names, in the order of the labels.")
    target: tuple[str, ...] = Field(
        (), description="Columns of the answer in a table or text file; none: 'label' or 'y'."
    )
    group: str = Field(
        "group", description="Column whose rows must not be torn apart: speaker, subject, site."
    )
    id: str = Field("id", description="Column that identifies a sample, for recorded logits.")
    column: str = Field("text", description="Column that holds the text.")
    mean: tuple[float, ...] = Field(
        (), description="Mean per channel (or one), in the data's own units; empty: from train."
    )
    std: tuple[Positive, ...] = Field(
        (), description="Standard deviation per channel (or one); empty: from train."
    )
    test: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.2, description="Fraction kept for test, where the source has no test split."
    )
    validation: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.1, description="Fraction kept for validation, where the source has no such split."
    )
    calibration: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.1, description="Fraction kept for calibration, where the source has no such split."
    )
    duplicates: Literal["refuse", "drop", "allow"] = Field(
        "refuse",
        description="What to do where the same sample stands in two splits; 'drop' keeps it in "
        "test (then validation, then calibration) only.",
    )
    image: ImageForm = Field(default_factory=lambda: ImageForm())
    audio: AudioForm = Field(default_factory=lambda: AudioForm())
    text: TextForm = Field(default_factory=lambda: TextForm())
    table: TableForm = Field(default_factory=lambda: TableForm())

    @model_validator(mode="after")
    def _splits_leave_a_train_set(self) -> Self:
        kept = self.test + self.validation + self.calibration
        if kept >= 1.0:
            raise ValueError(f"test + validation + calibration below 1, not {kept:g}")
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise ValueError(
                f"as many values of std as of mean ({len(self.mean)}), not {len(self.std)}"
            )
        if bool(self.mean) != bool(self.std):
            raise ValueError("mean and std together, or neither")
        return self


class Augment(Part):
    """How a sample is varied in training: view v of a sample is the same each time it is asked for.

    What a kind of data does not have (a flip of a table) is refused, not ignored.
    """

    crop: Annotated[int, Field(ge=0, le=512)] = Field(
        0, description="Images: shift by up to so many pixels each way, zeros behind."
    )
    flip: bool = Field(False, description="Images: mirror left and right, half the time.")
    mixup: Annotated[float, Field(ge=0.0, le=0.5)] = Field(
        0.0,
        description="Images, sound, windows: blend in up to this share of another sample "
        "(Zhang 2018; Beyer 2022).",
    )
    shift: Annotated[int, Field(ge=0, le=100_000)] = Field(
        0, description="Sound, windows: shift in time by up to so many frames each way."
    )
    time_mask: Annotated[int, Field(ge=0, le=100_000)] = Field(
        0, description="Sound, windows: blank up to so many frames in a row (Park 2019)."
    )
    frequency_mask: Annotated[int, Field(ge=0, le=4096)] = Field(
        0, description="Sound: blank up to so many neighbouring bands (Park 2019)."
    )
    noise: Annotated[float, Field(ge=0.0, le=10.0)] = Field(
        0.0, description="Tables, windows: Gaussian noise, in deviations of each column."
    )
    token_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Text: hide each token with this probability."
    )

    @property
    def varies(self) -> bool:
        """Whether anything is set, so that one view differs from the next."""
        return any(self.model_dump().values())


_WIDTH = "Channels of the first stage, units of a hidden layer (mlp) or of a token (transformer)."


class Architecture(Part):
    """A model by family, depth and width, or by a function of the user's that makes it."""

    model: str = Field(
        description="Family and depth in one name ('resnet20', 'mlp2'), or 'module:function'."
    )
    width: Annotated[int, Field(ge=1, le=8192)] = Field(16, description=_WIDTH)
    arguments: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="What the function 'module:function' is called with."
    )

    @field_validator("model")
    @classmethod
    def _is_a_family_and_a_depth(cls, value: str) -> str:
        if value.partition(":")[0] in TEACHER_KINDS or not is_factory(value):
            family_and_depth(value)
        return value


class Schedule(Part):
    """How a model is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(20, description="Passes over train.")
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = Field(64, description="Samples a step.")
    optimizer: Literal["adamw", "sgd"] = Field(
        "adamw", description="AdamW (Loshchilov 2019), or SGD with Nesterov momentum 0.9."
    )
    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] = Field(
        0.003, description="Peak learning rate."
    )
    schedule: Literal["one-cycle", "cosine"] = Field(
        "one-cycle",
        description="Learning rate over the steps: one-cycle (Smith 2018), or down a half cosine "
        "from the peak, behind a warm-up.",
    )
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="cosine: share of all steps in which the rate rises to its peak."
    )
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.01, description="Weight decay; decoupled for adamw."
    )
    clip: Annotated[float, Field(ge=0.0, le=1e6)] = Field(
        0.0, description="Largest norm of a step's gradient; 0: not clipped."
    )
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Decay of an average over the steps' weights, which then ships; 0: none."
    )
    precision: Literal["fp32", "bf16", "auto"] = Field(
        "fp32",
        description="Arithmetic in training; auto: bf16 where this CPU has instructions for it.",
    )
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Share of a hard label spread over all classes (Szegedy 2016)."
    )
    class_weights: bool = Field(
        False, description="Weigh rare classes up, each by the inverse of its share of train."
    )


class Member(Architecture):
    """One more teacher of an ensemble."""

    addresses = frozenset({"weights"})

    weights: Path | None = Field(None, description="As teacher.weights.", strict=False)
    weight: Positive = Field(1.0, description="How much this teacher's answers count.")

    @field_validator("model")
    @classmethod
    def _is_a_family_and_a_depth(cls, value: str) -> str:
        """A teacher may also be a file or a folder."""
        kind, mark, rest = value.partition(":")
        if not (mark and rest and kind in TEACHER_KINDS) and not is_factory(value):
            family_and_depth(value)
        return value

    def ingredients(self) -> dict[str, Any]:
        """Without the path of a file, whose content is hashed instead."""
        parts = super().ingredients()
        if (kind := self.model.partition(":")[0]) in PATH_KINDS:
            parts["model"] = kind
        return parts


class Teacher(Member, Schedule):
    """The model that is taught from: trained here, loaded, asked as a black box, or recorded."""

    model: str = Field(
        description="Family and depth in one name ('resnet20', 'mlp2'), 'module:function', "
        "'onnx:FILE', 'logits:FILE', 'hf:FOLDER' or 'timm:NAME'."
    )
    weights: Path | None = Field(
        None,
        description="A .safetensors (or weights-only .pt) file to load instead of training.",
        strict=False,
    )
    members: tuple[Member, ...] = Field((), description="More teachers: an ensemble answers.")

    def each(self) -> tuple["Teacher", ...]:
        """Every teacher by itself, the first one first; all train by one schedule."""
        told = {key: getattr(self, key) for key in Schedule.model_fields}
        others = ({key: getattr(m, key) for key in Member.model_fields} for m in self.members)
        return (
            self.model_copy(update={"members": (), "weight": 1.0}),
            *(Teacher.model_construct(**{**told, **o, "weight": 1.0}, members=()) for o in others),
        )

    @property
    def shares(self) -> tuple[float, ...]:
        """What each teacher's answer counts, in the order of ``each``; they add up to 1."""
        weights = (self.weight, *(member.weight for member in self.members))
        return tuple(weight / sum(weights) for weight in weights)


class Student(Architecture):
    """The model that ships."""

    width: Annotated[int, Field(ge=1, le=8192)] = Field(8, description=_WIDTH)


def _hinton() -> dict[SoftLoss, float]:
    return {"kd": 1.0}


class Soft(Part):
    """How soft targets weigh in: (1 - alpha) · hard + alpha · the weighted sum of soft losses."""

    temperature: Annotated[float, Field(gt=0.0, le=100.0)] = Field(
        4.0, description="Softens teacher and student alike; kd, dkd and dist are scaled by T²."
    )
    alpha: Fraction = Field(0.9, description="Weight of the soft losses; 0 is plain training.")
    losses: dict[SoftLoss, Positive] = Field(
        default_factory=_hinton,
        min_length=1,
        description="Weight of each soft loss: kd (Hinton 2015), mse (Ba & Caruana 2014), dkd "
        "(Zhao 2022), dist (Huang 2022); cosine for embeddings.",
    )
    standardize: bool = Field(
        False, description="Soft losses see logits with mean 0 and deviation 1 (Sun 2024)."
    )
    dkd_alpha: Annotated[float, Field(ge=0.0, le=1000.0)] = Field(
        1.0, description="dkd's weight of the target class against all others."
    )
    dkd_beta: Annotated[float, Field(ge=0.0, le=1000.0)] = Field(
        8.0, description="dkd's weight of the other classes among themselves."
    )


class Layer(Part):
    """A loss between a layer of the teacher and one of the student."""

    loss: LayerLoss = Field(
        description="hint (Romero 2015), attention (Zagoruyko 2017), similarity (Tung 2019), "
        "rkd (Park 2019) or cosine."
    )
    teacher: str = Field(description="Name of the teacher's layer, as named_modules() gives it.")
    student: str = Field(description="Name of the student's layer.")
    weight: Positive = Field(1.0, description="Weight beside the other losses.")


class Asking(Part):
    """What the teacher is asked, and what is kept of its answers."""

    views: Annotated[int, Field(ge=0, le=100_000)] = Field(
        1,
        description="Augmented views of each sample that the teacher is asked about, once; epoch e "
        "shows view e modulo views (Beyer 2022). 0: the teacher is asked anew at every step.",
    )
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0,
        description="Classes kept of each soft target, the rest as one mass; 0: all up to 256 "
        "classes, 64 beyond.",
    )


class Inside(Part):
    """What the student takes from inside the teacher."""

    layers: tuple[Layer, ...] = Field((), description="Losses between layers; they need views = 0.")
    initialize: bool = Field(
        False, description="Start a transformer student from layers of its transformer teacher."
    )

    @property
    def needed(self) -> bool:
        """Whether anything is taken from inside the teacher."""
        return self.initialize or bool(self.layers)


class Distill(Schedule, Soft, Asking, Inside):
    """How the student learns."""

    control_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Label smoothing of the student trained without the teacher."
    )
    seeds: Annotated[int, Field(ge=1, le=100)] = Field(
        1,
        description="How many students to train, at seed, seed+1, …; the best on validation ships.",
    )

    def control(self) -> Schedule:
        """How the same student is trained without the teacher."""
        schedule = self.only(Schedule)
        if not self.control_smoothing:
            return schedule
        return schedule.model_copy(update={"label_smoothing": self.control_smoothing})


class Shown(Part):
    """What a compressed student is shown."""

    calibration_samples: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        256, description="Samples of the calibration split shown to a method that needs any."
    )


class Qat(Shown):
    """How a student is trained on with int8 in the loop: by distill's schedule, but for these."""

    qat_epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        5, description="int8-qat: passes over train, from the trained student on."
    )
    qat_learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] | None = Field(
        None, description="int8-qat: peak learning rate; none: a fiftieth of distill's."
    )


class Prune(Shown):
    """How channels are cut out, and the student distilled again: distill's schedule, but these."""

    prune_share: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.25, description="pruned: share of the multiply-accumulates to cut out."
    )
    prune_epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        5, description="pruned: passes over train behind the cut."
    )
    prune_learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] | None = Field(
        None, description="pruned: peak learning rate; none: distill's."
    )


class Compress(Qat, Prune):
    """Which variants are made of the student, and for which device."""

    variants: tuple[Variant, ...] = Field(
        DEFAULT_VARIANTS,
        description=f"Variants to make, of {', '.join(get_args(Variant))}; fp32 is always made. "
        "int8-qat (needs torchao) and pruned train the student on.",
        min_length=1,
    )
    target: str | None = Field(
        None,
        description="Device to ship to, whose instruction set decides about int8: 'host', a "
        "bundled profile ('raspberry-pi-5', 'x86-vnni', …) or the path of a .toml file; none: "
        "benchmark.device. Measured on another device, its latency, memory and energy budgets are "
        "UNDECIDED.",
    )
    types: Literal["auto", "u8s8", "s8s8", "u8u8"] = Field(
        "auto",
        description="Activations and weights of static int8; 'auto': what the target's CPU takes.",
    )
    reduce_range: Literal["auto", "always", "never"] = Field(
        "auto",
        description="7-bit weights; 'auto': without VNNI 8-bit ones, scaled so that no two "
        "neighbours saturate, and 7 bits where a method gives all weights the same "
        "(int8-dynamic).",
    )
    calibration: Calibrating = Field(
        "minmax",
        description="How ranges of activations are found: their extremes, a moving average of "
        "them, a percentile, least KL divergence (entropy) or least squared error (mse).",
    )
    percentile: Annotated[float, Field(gt=50.0, le=100.0)] = Field(
        99.99, description="percentile: how much of the activations a range holds, in percent."
    )
    fusion: Fusing = Field(
        "onnxruntime",
        description="fused: whose ways are tried beside none; the old onnxruntime-tools is an "
        "extra of its own.",
    )
    mixed_max_loss: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.002,
        description="int8-mixed: score that may be lost to fp32 on the calibration split; the "
        "fewest layers that keep to it stay in float.",
    )

    @field_validator("variants")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each variant once")
        return value


class Export(Part):
    """How models leave the house."""

    opset: Annotated[int, Field(ge=18, le=23)] = Field(20, description="ONNX operator set.")
    ort_target: Literal["arm", "amd64"] = Field(
        "arm", description="What the .ort file is optimized for ('amd64' bakes in host layouts)."
    )


class Benchmark(Part):
    """How the models are measured."""

    addresses = frozenset({"device"})

    device: str = Field(
        "host",
        description="Device to measure on: 'host', or the path of a .toml profile whose [reach] "
        "table says how to get there.",
    )
    processes: Annotated[int, Field(ge=1, le=200)] = Field(
        9,
        description="Fresh processes per model, at the least; fewer than 8 give no interval at "
        "99 %.",
    )
    max_seconds: Annotated[float, Field(ge=0.0, le=86_400.0)] = Field(
        120.0,
        description="How long to go on, with more processes, until every budget of latency and "
        "memory is decided; 0: the processes above, and no more.",
    )
    seconds: Annotated[float, Field(gt=0.0, le=3600.0)] = Field(
        0.3, description="Timed seconds a process."
    )
    min_queries: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        64, description="Queries a process, at the least."
    )
    max_queries: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        10_000, description="Queries a process, at the most."
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Intra-op threads; none: what the device says, else 1."
    )
    spinning: bool | None = Field(
        None,
        description="Let idle threads spin (onnxruntime's own default); none: what the device "
        "says, else no.",
    )
    batch: Annotated[int, Field(ge=1, le=65_536)] = Field(1, description="Samples a query.")
    operators: bool = Field(
        True,
        description="Time every operator, too; always done where a target that is not this "
        "machine is to be predicted.",
    )
    footprint: bool = Field(
        True,
        description="Look at memory otherwise as well (without the runtime's arena, and by the "
        "graph), in two short processes a model.",
    )
    instructions: bool = Field(
        False,
        description="Count the instructions of a query, too; gate.max_instructions asks for it.",
    )

    @model_validator(mode="after")
    def _least_is_not_above_most(self) -> Self:
        if self.min_queries > self.max_queries:
            raise ValueError(
                f"min_queries ({self.min_queries}) at most max_queries ({self.max_queries})"
            )
        return self


class Gate(Part):
    """The budgets. A variant is READY when every interval lies inside its budget."""

    min_accuracy: Fraction | None = Field(None, description="Accuracy on test, 0 to 1.")
    min_score: float | None = Field(
        None, description="The task's own score on test: mAP, R² or cosine; accuracy of classes."
    )
    max_drop_vs_teacher: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None, description="Score on test lost to the teacher, 0.02 is two points."
    )
    max_drop_vs_fp32: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None, description="Score on test lost to the fp32 student, 0.01 is one point."
    )
    min_agreement: Fraction | None = Field(
        None, description="Share of test answered as the teacher answers it, right or wrong."
    )
    max_worst_class_drop: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None, description="Recall that the worst hit class lost to the teacher, 0.05: 5 points."
    )
    max_p50_ms: Positive | None = Field(None, description="Median latency in milliseconds.")
    max_p90_ms: Positive | None = Field(None, description="90th percentile latency.")
    max_p99_ms: Positive | None = Field(None, description="99th percentile latency.")
    max_peak_memory_mib: Positive | None = Field(
        None, description="Peak memory over the import baseline, MiB."
    )
    max_size_kib: Positive | None = Field(None, description="Size of the model file, KiB.")
    max_energy_uj: Positive | None = Field(
        None,
        description="Energy per inference, microjoules. Only measured energy decides; the declared "
        "model leaves it undecided.",
    )
    max_instructions: Positive | None = Field(
        None,
        description="Instructions of a query, a count and not a time: by callgrind, or for an ARM "
        "target on its emulated core.",
    )
    prefer: Preference = Field(
        "latency", description="Which READY variant ships: the best in this figure."
    )

    @model_validator(mode="after")
    def _judges_something(self) -> Self:
        if not self.budgets():
            raise ValueError(
                "at least one budget, such as min_accuracy = 0.9 or max_size_kib = 100"
            )
        return self

    def budgets(self) -> dict[str, float]:
        """The budgets that are set, by key."""
        return {
            key: value
            for key, value in self.model_dump().items()
            if key.startswith(("min_", "max_")) and value is not None
        }


class Recipe(Part):
    """One build, whole."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Names the run's folder and files.",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(0, description="Seeds everything.")
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Training threads; none: all this process may use. Part of every key."
    )
    data: Data
    augment: Augment = Field(default_factory=lambda: Augment())
    teacher: Teacher
    student: Student
    distill: Distill = Field(default_factory=lambda: Distill())
    compress: Compress = Field(default_factory=lambda: Compress())
    export: Export = Field(default_factory=lambda: Export())
    benchmark: Benchmark = Field(default_factory=lambda: Benchmark())
    gate: Gate

    @property
    def target(self) -> str:
        """The device to ship to, by name or path: the one measured on where none is named."""
        return self.compress.target or self.benchmark.device

    @property
    def measuring(self) -> Benchmark:
        """How the models are measured: instructions are counted where a budget is on them, too."""
        counted = self.benchmark.instructions or self.gate.max_instructions is not None
        return self.benchmark.model_copy(update={"instructions": counted})
