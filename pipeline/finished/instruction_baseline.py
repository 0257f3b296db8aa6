"""A baseline of counts: a small JSON file beside the user's code.

    kept = read(Path("instructions.json"))
    judge(counted, kept.entry(counted.name, counted.core)).outcome

A model that takes more than ``MARGIN`` above its count there is a regression. A count of another
runtime, other kernels or other shapes cannot be compared, and the answer is undecided.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import UsageError, no_file, no_read
from ..engine.store import disk_errors, write_atomic
from ..records import Outcome
from ..report.numbers import printable

MARGIN = 0.01
"""A count above its baseline by more than this share is a regression."""
_UPDATE = "write it with --update-baseline"


class Entry(BaseModel):
    """One model's count on one core, as a baseline keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    sha256: str
    """Of the model's file when it was counted; another file may be compared with the count."""
    core: str
    kernels: str
    runtime: str
    batch: int
    shapes: dict[str, list[int]]
    instructions: int = Field(gt=0)


class Baseline(BaseModel):
    """A baseline file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    edgestill_instructions: Literal[1] = 1
    counts: tuple[Entry, ...] = Field(strict=False)

    def entry(self, name: str, core: str) -> Entry | None:
        """The count of a model on a core, None where there is none."""
        return next(
            (entry for entry in self.counts if (entry.name, entry.core) == (name, core)), None
        )

    def updated(self, counted: Sequence[Entry]) -> "Baseline":
        """The same with these counts in the place of, or beside, those it had."""
        kept = {(entry.name, entry.core): entry for entry in self.counts}
        kept |= {(entry.name, entry.core): entry for entry in counted}
        return Baseline(counts=tuple(kept[key] for key in sorted(kept)))


@dataclass(frozen=True, slots=True)
class Judged:
    """One count against its baseline.

    Attributes:
        outcome: ready: no more than ``MARGIN`` above; not ready: more; undecided: not comparable.
        ratio: the count over the baseline's, None where undecided.
        why: in a plain sentence.
    """

    outcome: Outcome
    ratio: float | None
    why: str


def judge(entry: Entry, kept: Entry | None) -> Judged:
    """One count against the baseline's."""
    name = printable(entry.name)
    if kept is None:
        return Judged(
            "undecided", None, f"{name} on {entry.core} is not in the baseline; {_UPDATE}"
        )
    for what in ("runtime", "kernels", "batch", "shapes"):
        now, then = getattr(entry, what), getattr(kept, what)
        if now != then:
            why = (
                f"{name} was counted with {what} {now}, its baseline with {then}: that is no "
                f"regression of the model's; {_UPDATE} if the change is meant"
            )
            return Judged("undecided", None, why)
    ratio = entry.instructions / kept.instructions
    text = (
        f"{name} takes {entry.instructions:,} instructions, "
        f"{abs(ratio - 1):.2%} {'more' if ratio > 1 else 'less'} than its baseline of "
        f"{kept.instructions:,}"
    )
    # In whole numbers: exactly one per cent is inside, whatever a division rounds to.
    if entry.instructions * 100 > kept.instructions * round(100 * (1 + MARGIN)):
        return Judged("not ready", ratio, f"{text}; at most {MARGIN:.0%} more is allowed")
    if ratio < 1 - MARGIN:
        text += "; --update-baseline makes that the baseline of later builds"
    return Judged("ready", ratio, text)


def read(path: Path, *, may_be_new: bool = False) -> Baseline:
    """A baseline out of its file.

    Args:
        path: the file.
        may_be_new: whether a file that is not there is an empty baseline.

    Raises:
        UsageError: it is missing, cannot be read, or is no baseline.
    """
    try:
        return Baseline.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        if may_be_new:
            return Baseline(counts=())
        raise no_file(path, UsageError, _UPDATE) from None
    except OSError as error:
        raise no_read(path, error, UsageError, _UPDATE) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"no baseline ({place}: {first['msg']})" if place else f"no baseline ({first['msg']})",
            expected="a file that --update-baseline wrote",
            where=str(path),
        ) from None


def write(path: Path, baseline: Baseline) -> None:
    """Write a baseline, one key a line, so that a difference of versions reads well.

    Raises:
        StorageError: it cannot be written.
    """
    text = json.dumps(baseline.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"
    with disk_errors(path.parent, opening=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())
