"""READY, NOT READY or UNDECIDED: of every budget, format and variant."""

from ...devices.onboard.stats.estimate import Estimate
from .record import Outcome, Record


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
    """What is wrong whatever the budgets: lost parity, the checker's complaint, one input answered
    in several ways, any of these in the variant it was made from, or a package that answers
    otherwise than the .onnx file."""
    unknown: tuple[str, ...] = ()
    """What must be known whatever the budgets, and is not: the variant is then undecided."""
    packages: tuple[PackageVerdict, ...] = ()
    """One a format, in the order of ``Variant.packages``."""
    cannot_ship: str | None = None
    """Why it does not ship whatever its outcome: the app does not take its format. None: it may."""


class Verdict(Record):
    """READY, NOT READY or UNDECIDED, and the variant to ship."""

    outcome: Outcome
    ship: str | None
    nearest: str
    """The variant that ships, or else the one that misses the fewest budgets."""
    why: str
    prefer: str
    variants: tuple[VariantVerdict, ...]


class NextStep(Record):
    """The cheapest thing to try where a verdict is not READY."""

    text: str
    """A sentence: what, and how it helps."""
    command: str | None = None
    """As typed beside ``recipe.toml`` of the run, or of the user; ``RUN`` is the run's folder. None
    where no command does it."""
    rung: str | None = None
    """The key of ``judge.rungs.RUNGS``; None of a step that changes no student."""
    overrides: tuple[str, ...] = ()
    """What it sets in the recipe, as ``--set`` takes it."""
