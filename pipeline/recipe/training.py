"""How a model is trained: keys that ``[teacher]`` and ``[distill]`` share."""

from typing import Annotated, Literal, Self

from pydantic import Field

from .part import Part


class Schedule(Part):
    """How a model is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        20, description="Passes over the train split."
    )
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = Field(64, description="Samples per step.")
    optimizer: Literal["adamw", "sgd"] = Field(
        "adamw", description="AdamW (Loshchilov 2019), or SGD with Nesterov momentum 0.9."
    )
    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] = Field(
        0.003, description="Peak learning rate."
    )
    schedule: Literal["one-cycle", "cosine", "linear"] = Field(
        "one-cycle",
        description="Learning rate over the steps: one-cycle (Smith 2018), or a half cosine or a "
        "line down from the peak, after a warm-up.",
    )
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0,
        description="cosine and linear: share of the steps in which the learning rate rises to its "
        "peak.",
    )
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.01, description="Weight decay; decoupled for adamw (Loshchilov 2019)."
    )
    clip: Annotated[float, Field(ge=0.0, le=1e6)] = Field(
        0.0, description="Largest norm of a step's gradient; 0: gradients are not clipped."
    )
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0,
        description="Decay of an exponential moving average of the weights, which is then the "
        "result; 0: no average.",
    )
    precision: Literal["fp32", "bf16", "auto"] = Field(
        "fp32",
        description="Arithmetic in training; auto: bf16 if the device of the training has "
        "instructions for it.",
    )
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Share of a hard label that is spread over all classes (Szegedy 2016)."
    )
    class_weights: bool = Field(
        False, description="Weight of a class: the inverse of its share of train."
    )

    def shortened(self, share: float) -> Self:
        """The same over a share of the epochs, one at the least; the rate falls to its end."""
        return self.model_copy(update={"epochs": max(1, round(self.epochs * share))})
