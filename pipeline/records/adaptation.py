"""A student that started from weights of other data, beside the same one from random weights."""

from ...devices.onboard.stats.estimate import Estimate
from .models import ModelRecord, StartRecord
from .record import Record


class Reached(Record):
    """The steps to the score of the student from random weights, of one seed."""

    seed: int
    target: float
    """Score on validation of the student from random weights, at its best epoch."""
    steps: int | None
    """First step of the grid, or end of an epoch, with that score; None where none has it. The fit
    of the last layer counts (``StartRecord.head_steps``), and may be enough by itself."""


class Compared(Record):
    """A start with a share of the training, beside random weights with all of it."""

    share: float
    """As it was asked for."""
    validation_scores: tuple[float, ...]
    """At the best epoch, one a seed."""
    test_scores: tuple[float, ...]
    reaches: int
    """Seeds in which it has the score on validation of the student from random weights."""
    difference: Estimate = Estimate.unknown("it was not compared")
    """On test, minus the student from random weights on all samples for all steps."""


class FewerSamples(Compared):
    """The same start trained on a share of the labelled samples, in as many steps."""

    samples: int


class ShorterTraining(Compared):
    """The same start trained for a share of the epochs, by a complete schedule."""

    steps: int
    """With those of the fit of the last layer."""


class AdaptationRecord(Record):
    """What the start gave: steps and samples to the same score, and the score after all steps."""

    start: StartRecord
    metric: str
    """That chose epochs, and by which scores on validation are compared."""
    total_steps: int
    """Of either training, without the fit of the last layer."""
    batch_size: int
    samples: int
    """Labelled samples in train."""
    scratch: tuple[ModelRecord, ...]
    """The students from random weights, one a seed."""
    reached: tuple[Reached, ...]
    steps_share: Estimate
    """Steps to the score over all steps, geometric mean over seeds; unknown where a seed never
    reaches it."""
    adapted_score: tuple[float, ...]
    """On test, in PyTorch, one a seed; of the task's score."""
    scratch_score: tuple[float, ...]
    difference: Estimate
    """Adapted minus scratch on test. One seed: paired over test samples; more: over seeds."""
    fewer: tuple[FewerSamples, ...] = ()
    """By share of the samples, in the recipe's order; empty where it asks for none."""
    shorter: tuple[ShorterTraining, ...] = ()
    """By share of the epochs, in the recipe's order; empty where it asks for none."""
