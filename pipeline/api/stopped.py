"""A build that stopped after a stage, as ``until=`` asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ..engine.stage import Made
from ..finished.result import Result, plain
from ..finished.screen import Screen
from ..judge.faults import by_variant
from ..judge.gate import EXIT_CODES
from ..records import VerifyRecord
from ..report import numbers


@dataclass(frozen=True, slots=True, repr=False)
class Stopped(Result):
    """A build that stopped after a stage.

    Attributes:
        stage: its name.
        key: of its output in the store.
        path: the folder of its output.
        record: what it found.
        wrong: after ``verify``: what is wrong with each variant, whatever the budgets.
        ran: the stages that this call ran.
        exit_code: 1 where every variant has a fault, else 0.
    """

    stage: str
    key: str
    path: Path
    record: Any
    wrong: Mapping[str, tuple[str, ...]]
    ran: tuple[str, ...]
    exit_code: int = 0

    @classmethod
    def after(cls, made: Made[Any], ran: tuple[str, ...]) -> Self:
        """What a stage made; a variant that ``verify`` finds a fault in, no budget makes ready."""
        record, wrong, code = made.record, {}, 0
        if isinstance(record, VerifyRecord):
            wrong = by_variant(record)
            code = EXIT_CODES["not ready"] if len(wrong) == len(record.variants) else 0
        return cls(made.stage.name, made.key, made.path, record, wrong, ran, code)

    def screen(self) -> Screen:
        """Where the output lies, and what is wrong with it."""
        faults = [(name, fault) for name, all_ in self.wrong.items() for fault in all_]
        return Screen(
            title=f"stopped after {self.stage}; {numbers.how_many(len(self.ran), 'stage')} ran",
            head=("variant", "fault") if faults else (),
            rows=tuple(faults),
            paths=((self.stage, str(self.path)),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping: the record's plain values."""
        return [self.record.model_dump(mode="json")]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill build --until --json``."""
        document: dict[str, Any] = plain(
            {
                "stage": self.stage,
                "key": self.key,
                "path": str(self.path),
                "record": self.record.model_dump(mode="json"),
                "wrong": self.wrong,
                "exit_code": self.exit_code,
            }
        )
        return document
