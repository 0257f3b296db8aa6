"""Whether a run or a bundle is still what it was when it was written, as a result.

verified = Verified(path, "run", "digits", 41, 6, (), (), {}, ready=True)
verified.exit_code     # 0
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...errors import HostError, MaterialError
from ..judge.gate import EXIT_CODES
from ..report import numbers
from .result import Result
from .screen import Screen, near

_SHOWN = 12
"""Sentences of one screen."""


@dataclass(frozen=True, slots=True, repr=False)
class Verified(Result):
    """What was checked, and what was wrong.

    Attributes:
        path: of the run or the bundle.
        kind: which of them it is.
        name: of the run, or of the run that a bundle is of.
        files: how many files were hashed.
        models: how many model files answered the recorded samples.
        faults: what differs from the time of writing, a sentence each.
        not_run: models of a bundle that could not be run, each with the reason.
        wrong: of a run what is wrong with its variants whatever the budgets, by their names.
        ready: of a run whether what ships has nothing wrong, of a bundle whether all is READY.
    """

    path: Path
    kind: Literal["run", "bundle"]
    name: str
    files: int
    models: int
    faults: tuple[str, ...]
    not_run: tuple[str, ...]
    wrong: Mapping[str, tuple[str, ...]]
    ready: bool

    @property
    def exit_code(self) -> int:
        """Of ``edgestill verify``: 0, or 3 changed, 4 not run, 1 not ready."""
        if self.faults:
            return MaterialError.exit_code
        if self.not_run:
            return HostError.exit_code
        return 0 if self.ready else EXIT_CODES["not ready"]

    def lines(self) -> Iterator[str]:
        """What was found, in sentences."""
        yield from self.faults
        if not self.faults:
            files = numbers.how_many(self.files, "file matches", "files match")
            models = numbers.how_many(
                self.models,
                "model gives its recorded outputs",
                "models give their recorded outputs",
            )
            yield f"{files} the manifest, {models}"
        yield from (f"not run: {text}" for text in self.not_run)
        yield from (f"fault of {name}: {one}" for name, all_ in self.wrong.items() for one in all_)
        if self.kind == "bundle" and not self.ready:
            yield "for inspection only: not all of it is READY"

    def screen(self) -> Screen:
        """Whether it is what it was, and what is not."""
        said = list(self.lines())
        more = len(said) - _SHOWN
        return Screen(
            title=f"{self.kind} {self.name}: {'changed' if self.faults else 'as it was written'}",
            above=(*said[:_SHOWN], *((f"and {more} more; to_dict() has all",) if more > 0 else ())),
            paths=((self.kind, near(self.path)),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a fault; none where nothing is wrong."""
        return [
            *({"what": "changed", "of": self.name, "text": text} for text in self.faults),
            *({"what": "not run", "of": self.name, "text": text} for text in self.not_run),
            *(
                {"what": "wrong", "of": name, "text": text}
                for name, texts in self.wrong.items()
                for text in texts
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill verify --json``."""
        shared = {"files": self.files, "models": self.models, "faults": list(self.faults)}
        own: dict[str, Any] = (
            {"wrong": {name: list(texts) for name, texts in self.wrong.items()}}
            if self.kind == "run"
            else {"name": self.name, "not_run": list(self.not_run), "ready": self.ready}
        )
        return {self.kind: str(self.path), **shared, **own, "exit_code": self.exit_code}
