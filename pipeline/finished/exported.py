"""What was written of one model in other formats, and how its files answer.

exported.files, [one.checked.holds for one in exported.made if one.checked]
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import MaterialError
from ..judge.gate import EXIT_CODES
from ..report import numbers
from .export_check import Checked
from .export_source import Source
from .result import Result, plain
from .screen import Screen


@dataclass(frozen=True, slots=True)
class Made:
    """One format of the model.

    Attributes:
        format: its key in ``EXPORTERS``.
        files: what was written, the model's file first; none where the format has none.
        bytes: of all of them.
        about: a sentence or two on the files.
        checked: how its answers compare; None where it was not run.
        reason: why there is no file, or why it was not run; None where neither is so.
    """

    format: str
    files: tuple[Path, ...] = ()
    bytes: int = 0
    about: str = ""
    checked: Checked | None = None
    reason: str | None = None

    @property
    def told(self) -> str:
        """In a few words how its answers compare, or why they were not compared."""
        if self.checked is None:
            return self.reason or "not run"
        return "the same answers" if self.checked.holds else "OTHER ANSWERS"


@dataclass(frozen=True, slots=True, repr=False)
class Exported(Result):
    """What was made of one model.

    Attributes:
        source: the model.
        made: one a format, with its files and how its answers compare.
    """

    source: Source
    made: tuple[Made, ...]

    @property
    def exit_code(self) -> int:
        """1 where a file answers otherwise, 3 where a format could not be made, else 0."""
        if any(one.checked is not None and not one.checked.holds for one in self.made):
            return EXIT_CODES["not ready"]
        return MaterialError.exit_code if any(not one.files for one in self.made) else 0

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was written."""
        return tuple(file for one in self.made for file in one.files)

    def screen(self) -> Screen:
        """A row a format."""
        rows = tuple(
            (
                one.format,
                one.files[0].name if one.files else "none",
                numbers.amount(one.bytes, numbers.BYTES) if one.files else "",
                one.told,
            )
            for one in self.made
        )
        folders = dict.fromkeys(str(file.parent) for file in self.files)
        return Screen(
            title=f"{numbers.how_many(len(self.files), 'file')} made of {self.source.onnx.name}",
            head=("format", "file", "size", "beside the .onnx file"),
            rows=rows,
            paths=tuple(("folder", folder) for folder in folders),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a format."""
        return [
            {
                "format": one.format,
                "file": str(one.files[0]) if one.files else None,
                "bytes": one.bytes if one.files else None,
                "runtime": one.checked.runtime if one.checked else None,
                "holds": one.checked.holds if one.checked else None,
                "reason": one.reason,
            }
            for one in self.made
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill export --json``."""
        document: dict[str, Any] = plain(
            {
                "source": str(self.source.onnx),
                "method": self.source.method,
                "queries": self.source.queried,
                "formats": [_document(one) for one in self.made],
                "exit_code": self.exit_code,
            }
        )
        return document


def _document(made: Made) -> dict[str, Any]:
    checked = made.checked
    told: dict[str, Any] = {
        "format": made.format,
        "files": [str(file) for file in made.files],
        "bytes": made.bytes,
        "about": made.about,
        "reason": made.reason,
        "checked": None,
    }
    if checked is not None:
        outputs = [
            {**asdict(output), "loss": output.loss.model_dump(mode="json")}
            for output in checked.outputs
        ]
        told["checked"] = {
            "holds": checked.holds,
            "queries": checked.queries,
            "runtime": checked.runtime,
            "reduced": checked.reduced,
            "least_agreement": checked.least,
            "missing": checked.missing,
            "outputs": outputs,
        }
    return told
