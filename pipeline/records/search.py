"""What was looked at before a verdict: candidates for the student, and the rungs of the ladder."""

from pydantic import Field

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.architecture import Architecture
from .record import Record


class Cost(Record):
    """An architecture with random weights, and what it takes whatever its weights are."""

    model: str
    width: int
    parameters: int
    macs: int
    """Multiply-accumulates of one sample."""

    @property
    def architecture(self) -> Architecture:
        """The part of a recipe that makes this model."""
        return Architecture(model=self.model, width=self.width)

    @property
    def name(self) -> str:
        """For a reader: ``resnet8 of width 16``."""
        return f"{self.model} of width {self.width}"


class CostsRecord(Record):
    """The costs of all candidates, in the order of their multiply-accumulates."""

    costs: tuple[Cost, ...]


class Shortfall(Record):
    """A budget that a file misses, as far as is known without test."""

    key: str
    budget: float
    value: float
    """In the budget's unit."""
    needed: float
    """The value from which on a verdict is expected to see the whole interval inside the budget."""
    excess: float
    """How far from that, as a share of the budget; of scores and differences in their own unit."""


class CandidateRecord(Record):
    """One candidate for the student."""

    cost: Cost
    variant: str | None = None
    """The file that meets the budgets of resources, or else misses them by least; None where
    nothing was measured and no other candidate tells."""
    figures: dict[str, Estimate] = Field(default_factory=dict)
    """Of that file, by the key of the budget."""
    measured: bool = False
    """Whether the figures are of files of its own; else they follow from those of others."""
    misses: tuple[Shortfall, ...] = ()
    fits: bool | None = None
    """None: not known."""
    short_score: float | None = None
    """On validation after the short training; None where it had none."""
    chosen: bool = False


class RungRecord(Record):
    """One thing that was tried."""

    name: str
    """Of ``recipe.search.LADDER``; ``as it is`` for the recipe itself."""
    changes: tuple[str, ...] = ()
    """What it changes of the recipe, as ``--set`` takes it."""
    skipped: str | None = None
    """Why it was not tried."""
    fits: bool = False
    """Whether a file is expected to be READY, by validation and a short measurement."""
    kept: bool = False
    """Whether later rungs go on from it."""
    nearest: str | None = None
    """The file that misses least."""
    score: Estimate | None = None
    """Of that file on validation."""
    misses: tuple[Shortfall, ...] = ()
    """Of that file."""
    seconds: float = 0.0
    """Of wall time; what was in the store already took none."""


class SearchRecord(Record):
    """How the recipe of a run was found. Test took no part in it."""

    candidates: tuple[CandidateRecord, ...] = ()
    """Empty where the recipe names its student."""
    rungs: tuple[RungRecord, ...] = ()
    changes: tuple[str, ...] = ()
    """What the run's recipe has that the given one has not, as ``--set`` takes it."""
    ended: str
    """Why it ended, as a sentence."""
    trade: str | None = None
    """Where no file is expected to fit: the budget that binds, and the nearest trade."""
    seconds: float
    """Of wall time."""
