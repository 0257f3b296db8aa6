"""Which stages of a build are in the store and which would run, as a result.

planned = Planned((Step("data", "9f…", cached=True), Step("teacher", "4a…", cached=False)))
planned.would_run      # ('teacher',)
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..engine.flow import Step
from ..printable import how_many
from ..recipe.architecture import Architecture
from ..report import numbers
from .result import Result
from .screen import Screen

_KEY = 16
"""Characters of a key that are shown."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What a search may do.

    Attributes:
        candidates: for the student; empty where the recipe names it.
        finalists: how many of them are trained for a short time.
        short_epochs: of each.
        epochs: of the student.
        ladder: the rungs that may be tried.
        max_minutes: after which none is begun.
    """

    candidates: tuple[Architecture, ...]
    finalists: int
    short_epochs: int
    epochs: int
    ladder: tuple[str, ...]
    max_minutes: float

    def sentences(self) -> Iterator[str]:
        """For a reader."""
        if self.candidates:
            models = ", ".join(dict.fromkeys(one.model for one in self.candidates))
            widths = [one.width for one in self.candidates]
            yield (
                f"{how_many(len(self.candidates), 'candidate')} ({models}; widths {min(widths)} to "
                f"{max(widths)}), measured with random weights until the largest that fit are known"
            )
            if self.finalists > 1:
                yield (
                    f"the {self.finalists} largest that fit are trained for {self.short_epochs} "
                    f"of {self.epochs} epochs"
                )
        if self.ladder:
            yield (
                f"where a budget is missed, {', '.join(self.ladder)}; none is begun after "
                f"{self.max_minutes:g} {'minute' if self.max_minutes == 1 else 'minutes'}"
            )


@dataclass(frozen=True, slots=True, repr=False)
class Planned(Result):
    """The stages of a build.

    Attributes:
        steps: in their order, each with its key and whether the store has it; before a student is
            chosen, those before its training.
        search: what is looked for first; None where the recipe is built as it is.
    """

    steps: tuple[Step, ...]
    search: SearchPlan | None = None

    @property
    def would_run(self) -> tuple[str, ...]:
        """The stages that the store lacks."""
        return tuple(step.stage for step in self.steps if not step.cached)

    def rows(self) -> list[tuple[str, str, str]]:
        """Of each stage its name, whether it would run, and the beginning of its key."""
        return [
            (step.stage, "in the store" if step.cached else _would_run(step), step.key[:_KEY])
            for step in self.steps
        ]

    def searched(self) -> tuple[str, ...]:
        """What is looked for first, a sentence a step; empty without a search."""
        return tuple(self.search.sentences()) if self.search else ()

    def unchecked(self) -> tuple[str, ...]:
        """What a build checks and this plan did not, a sentence a reason."""
        said = (f"{step.stage}: {step.unchecked}" for step in self.steps if step.unchecked)
        return tuple(dict.fromkeys(said))

    def screen(self) -> Screen:
        """A row a stage."""
        count = len(self.would_run)
        of = f"{count} of {numbers.how_many(len(self.steps), 'stage')} would run"
        title = of if count else "every stage is in the store"
        below = (*self.unchecked(), *(f"search: {sentence}" for sentence in self.searched()))
        return Screen(title=title, head=("stage", "", "key"), rows=tuple(self.rows()), below=below)

    def records(self) -> list[dict[str, Any]]:
        """One mapping a stage, and one of the search."""
        steps = [_known(asdict(step)) for step in self.steps]
        if self.search is None:
            return steps
        found = {field.name: getattr(self.search, field.name) for field in fields(self.search)}
        found["candidates"] = [
            {"model": one.model, "width": one.width} for one in self.search.candidates
        ]
        return [*steps, {"stage": "search", "key": None, "cached": False, **found}]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values; ``edgestill plan --json`` prints ``stages``."""
        return {"stages": self.records()}


def _would_run(step: Step) -> str:
    return "would run" if step.device is None else f"would run on {step.device}"


def _known(step: dict[str, Any]) -> dict[str, Any]:
    """Without the device of a stage that does not train."""
    return {name: value for name, value in step.items() if value is not None}
