"""Models and how they were trained, what pruning removed, and the teachers' stored answers."""

from typing import Literal

from pydantic import Field

from ..recipe.architecture import Architecture
from ..recipe.model_names import is_factory
from .record import Record


class Epoch(Record):
    """One line of a training curve."""

    epoch: int
    loss: float
    validation_loss: float
    validation_score: float
    """Of the metric that chose the best epoch."""
    seconds: float


WEIGHTS = "weights.safetensors"
"""Name of the weights in the folder of a stage that trains."""


class StepScore(Record):
    """A score on validation in the course of a training, after a number of steps."""

    step: int
    score: float
    """Of the metric that chose the best epoch."""


class StartRecord(Record):
    """The weights that a training started from, and what of them it trained."""

    weights_sha256: str
    tune: Literal["frozen", "partly", "whole"]
    head: str
    """Name of the last layer, which was made anew."""
    trained_parameters: int
    head_samples: int = 0
    """Labelled samples that the last layer was fitted on before the first step; 0: it was not."""
    head_steps: int = 0
    """What that took, in steps that train all layers: a pass of a batch forward is a third of one;
    the pass over validation is not counted, as no scoring is."""


class ModelRecord(Record):
    """A model, and what it answers from, in the folder of the record.

    A trained model is ``WEIGHTS``, a black box ``model.onnx``, and recorded answers are
    ``logits_<split>.npy``.
    """

    model: str
    width: int
    arguments: dict[str, bool | int | float | str] = Field(default_factory=dict)
    outputs: int
    """Length of its output for one sample."""
    parameters: int | None
    """None for a black box and for recorded answers."""
    seed: int
    distilled: bool
    origin: Literal["trained", "loaded", "black box", "recorded", "untrained"]
    curve: tuple[Epoch, ...]
    best_epoch: int | None
    validation_score: float
    selected_by: str | None = None
    """The metric of ``validation_score``, by which the best epoch was kept; None: the task's score,
    where nothing was chosen."""
    weights_sha256: str
    start: StartRecord | None = None
    """None where its first weights were random, or it was not trained here."""
    steps: tuple[StepScore, ...] = ()
    """Scores at a geometric grid of steps, of a student that is adapted or compared with one."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What a reader of the scores has to know: a teacher that is no better than chance."""
    normalized: bool = True
    """Whether the data set's mean and deviation normalize a sample before the model takes it."""
    standardized: bool = True
    """Whether the numbers of a regression come standardized out of it, as they do out of a model
    that is trained here; else they are in the units of the labels."""

    @property
    def sized(self) -> int | None:
        """Its width; None where it has none that is known, such as a function of the user's."""
        return None if is_factory(self.model) else self.width or None

    @property
    def architecture(self) -> Architecture:
        """The part of a recipe that makes this model."""
        return Architecture.model_construct(
            model=self.model, width=self.width, arguments=self.arguments
        )


class Cut(Record):
    """Channels removed between layers; layers have their names in ``named_modules()``."""

    layer: str
    """The layer whose output channels these are."""
    channels: int
    """How many it had."""
    kept: tuple[int, ...]
    """Indices of those that remain, in order."""
    along: tuple[str, ...]
    """Batch norms and depthwise convolutions behind it, cut in the same way."""
    into: tuple[str, ...]
    """The layers that read the channels."""


class Pruned(Record):
    """What structured pruning removed; the model can be built from its architecture and this."""

    cuts: tuple[Cut, ...]
    left: dict[str, str]
    """Layers that keep all channels, and why."""
    parameters_before: int
    parameters: int
    macs_before: int
    """Multiply-accumulates of one sample."""
    macs: int

    @property
    def kept(self) -> dict[str, tuple[int, ...]]:
        """Indices of the remaining channels, by layer."""
        return {cut.layer: cut.kept for cut in self.cuts}


class ShardRecord(Record):
    """The teacher's answers to some blocks of the views of train.

    Files: those of ``TargetsRecord`` without the first axis, [rows, kept].
    """

    rows: int
    outputs: int


class TargetsRecord(Record):
    """The teacher's answers on every view of train, and on other splits where they are needed.

    Files: ``logits.npy`` [views, samples, kept], in train order; ``rows.npy``, the sample that each
    row belongs to; with ``kept`` below ``outputs`` also ``places.npy`` and ``rest.npy``;
    ``answers_<split>.npy``, float32 [samples, outputs].
    """

    views: int
    rows: int
    outputs: int
    kept: int
    """Outputs stored of each answer; the others are one sum."""
    bytes: int
    train_score: float | None
    """On the first view; None where the teacher answers during training."""
    answered: tuple[str, ...]
    """Splits besides train whose answers are stored."""
