"""What ``edgestill search`` found: every point, those that no other beats, and what mattered."""

from typing import Literal

from pydantic import Field

from ...devices.onboard.stats.estimate import Estimate
from .record import Record
from .search import Cost, Shortfall

Value = str | float


class ExploredRecord(Record):
    """One choice of a student and its training."""

    number: int
    """From 1, in the order in which they were tried."""
    settings: dict[str, Value]
    """What was chosen, by the key of the recipe."""
    changes: tuple[str, ...]
    """What it changes of the recipe, as ``--set`` takes it."""
    cost: Cost | None = None
    """Of the student; None where it is a function of the user's."""
    pruned: str | None = None
    """Why it was not trained; None where it was."""
    failed: str | None = None
    """The error that ended it."""
    epochs: int | None = None
    """Of the short training."""
    score: float | None = None
    """On validation after that, in float, of the torch model."""
    whole: bool = False
    """Whether it was trained for all of its epochs afterwards."""
    seconds: float
    """Of wall time; what was in the store already took next to none."""
    hypervolume: float | None = None
    """Of all short trainings until then; see ``FrontierRecord.reference``."""


class PointRecord(Record):
    """One file of one choice."""

    explored: int
    """The number of the choice."""
    file: str
    """Its name among the files of a build: ``int8-static``, ``int8-static@litert``."""
    whole: bool
    """Whether the score is of the file itself, of a student that was trained for all of its epochs;
    else of the student in float after a short training."""
    epochs: int
    score: Estimate
    """On validation."""
    figures: dict[str, Estimate]
    """What the file takes, by objective; of an untrained student with the same graph."""
    misses: tuple[Shortfall, ...] = ()
    """Budgets that it is expected to miss; of a point that is not whole, those of resources."""
    on_frontier: int | None = None
    """Its place on the frontier, from 1; None where another point is as good in all and better in
    one."""
    recipe: str | None = None
    """The recipe that makes it again, below the folder of the search."""
    prefers: Literal["latency", "size", "energy", "accuracy"] | None = None
    """What ``gate.prefer`` of that recipe is, so that this file ships and not its fp32."""


class FrontierRecord(Record):
    """A search and what it found. Test took no part in it."""

    version: int = 1
    name: str
    created: str
    edgestill: str
    optuna: str
    task: str
    metric: str
    samples: int
    """Of validation, on which every score is."""
    objectives: tuple[str, ...]
    """The score is judged against these."""
    measured_on: str
    target: str
    on_target: bool
    """Whether these two are one device; else latency is predicted."""
    share: float
    """Of a choice's epochs that it was explored with."""
    seed: int
    explored: tuple[ExploredRecord, ...]
    points: tuple[PointRecord, ...]
    """Of whole trainings where a choice had one, else of the short one. The frontier is that of
    whole trainings, where there is one."""
    reference: dict[str, float] = Field(default_factory=dict)
    """The worst of each figure, and of the score, over all points: the corner from which the
    hypervolume is measured, resources by their logarithms."""
    ideal: dict[str, float] = Field(default_factory=dict)
    """The best of each. The hypervolume of a point that had all of them would be 1."""
    hypervolume: float | None = None
    """Of the frontier: the share of the box between both corners that it dominates."""
    importance: dict[str, dict[str, float]] = Field(default_factory=dict)
    """By objective and ``score``: the share of the variance that each choice explains (fANOVA,
    Hutter 2014), among the explored."""
    importance_missing: str | None = None
    """Why there is none."""
    interrupted: bool = False
    ended: str
    """Why it ended, as a sentence."""
    seconds: float
    """Of wall time."""

    @property
    def frontier(self) -> tuple[PointRecord, ...]:
        """The points that no other beats, in their order."""
        found = [one for one in self.points if one.on_frontier is not None]
        return tuple(sorted(found, key=lambda one: one.on_frontier or 0))

    def explored_of(self, point: PointRecord) -> ExploredRecord:
        """The choice that a point is of."""
        return self.explored[point.explored - 1]
