"""``[compress]``: which variants are made of the student, and for which device.

>>> Compress().variants
('fp32', 'int8-dynamic', 'int8-static')
"""

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from .part import Part

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
FusionTool = Literal["onnxruntime", "onnxruntime-tools", "both"]
CalibrationMethod = Literal["minmax", "average", "percentile", "entropy", "mse"]


class CalibrationSamples(Part):
    """The calibration samples of a compression method."""

    calibration_samples: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        256, description="Samples of the calibration split that a method uses, if it needs any."
    )


class Qat(CalibrationSamples):
    """How a student is trained with simulated int8: distill's schedule, except for these keys."""

    qat_epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        5, description="int8-qat: passes over train, starting from the trained student."
    )
    qat_learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] | None = Field(
        None, description="int8-qat: peak learning rate; none: 1/50 of distill's."
    )


class Prune(CalibrationSamples):
    """How channels are pruned and the student distilled again.

    The schedule is distill's, except for these keys.
    """

    prune_share: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.25, description="pruned: share of the multiply-accumulates to remove."
    )
    prune_epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        5, description="pruned: passes over train after pruning."
    )
    prune_learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] | None = Field(
        None, description="pruned: peak learning rate; none: distill's."
    )


class StaticRanges(CalibrationSamples):
    """How static int8 finds the ranges of activations."""

    calibration: CalibrationMethod = Field(
        "minmax",
        description="How the range of an activation is estimated: its extremes, a moving average "
        "of them, a percentile, least KL divergence (entropy) or least squared error (mse).",
    )
    percentile: Annotated[float, Field(gt=50.0, le=100.0)] = Field(
        99.99, description="percentile: share of the activations inside the range, in percent."
    )


class Compress(Qat, Prune, StaticRanges):
    """The variants of the student and the device they are made for."""

    variants: tuple[Variant, ...] = Field(
        DEFAULT_VARIANTS,
        description=f"Variants to make, of {', '.join(get_args(Variant))}; fp32 is always made. "
        "int8-qat (needs torchao) and pruned train the student further.",
        min_length=1,
    )
    target: str | None = Field(
        None,
        description="Device to ship to, whose instruction set decides the int8 types: 'host', a "
        "bundled profile ('raspberry-pi-5', 'x86-vnni', …) or the path of a .toml file; none: "
        "benchmark.device. If another device is measured, the budgets of latency, memory and "
        "energy are UNDECIDED.",
    )
    types: Literal["auto", "u8s8", "s8s8", "u8u8"] = Field(
        "auto",
        description="Types of activations and weights in static int8; 'auto': those the target's "
        "CPU has instructions for.",
    )
    reduce_range: Literal["auto", "always", "never"] = Field(
        "auto",
        description="7-bit weights; 'auto', on a CPU without VNNI: 8-bit weights, scaled so that "
        "no pair of neighbours saturates, and 7 bits where a method has one setting for all "
        "weights (int8-dynamic).",
    )
    fusion: FusionTool = Field(
        "onnxruntime",
        description="fused: which fusions are compared with no fusion; onnxruntime-tools needs an "
        "extra of that name.",
    )
    mixed_max_loss: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.002,
        description="int8-mixed: largest loss against fp32 on the calibration split, of the task's "
        "own score: accuracy, R², cosine; of other outputs that are numbers the power of the noise "
        "over that of the output (0.002 is an error of 4.5 % root mean square). As few layers as "
        "possible stay in float.",
    )

    @field_validator("variants")
    @classmethod
    def _has_no_duplicates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if value.count(name) > 1:
                raise ValueError(f"each variant once, and {name!r} is there twice")
        return value
