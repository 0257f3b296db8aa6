"""Which stages of a build are in the store and which would run, as a result.

planned = Planned((Step("data", "9f…", cached=True), Step("teacher", "4a…", cached=False)))
planned.would_run      # ('teacher',)
"""

from dataclasses import asdict, dataclass
from typing import Any

from ..engine.flow import Step
from ..report import numbers
from .result import Result
from .screen import Screen

_KEY = 16
"""Characters of a key that are shown."""


@dataclass(frozen=True, slots=True, repr=False)
class Planned(Result):
    """The stages of a build.

    Attributes:
        steps: in their order, each with its key and whether the store has it.
    """

    steps: tuple[Step, ...]

    @property
    def would_run(self) -> tuple[str, ...]:
        """The stages that the store lacks."""
        return tuple(step.stage for step in self.steps if not step.cached)

    def rows(self) -> list[tuple[str, str, str]]:
        """Of each stage its name, whether it would run, and the beginning of its key."""
        return [
            (step.stage, "in the store" if step.cached else "would run", step.key[:_KEY])
            for step in self.steps
        ]

    def screen(self) -> Screen:
        """A row a stage."""
        count = len(self.would_run)
        of = f"{count} of {numbers.how_many(len(self.steps), 'stage')} would run"
        title = of if count else "every stage is in the store"
        return Screen(title=title, head=("stage", "", "key"), rows=tuple(self.rows()))

    def records(self) -> list[dict[str, Any]]:
        """One mapping a stage."""
        return [asdict(step) for step in self.steps]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values; ``edgestill plan --json`` prints ``stages``."""
        return {"stages": self.records()}
