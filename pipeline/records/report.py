"""All records of a run, as ``report.json``."""

from typing import Literal

from .adaptation import AdaptationRecord
from .benchmark import BenchmarkRecord
from .data import DataRecord
from .models import ModelRecord, TargetsRecord
from .quality import VerifyRecord
from .record import Record
from .search import SearchRecord
from .variants import VariantsRecord
from .verdict import NextStep, Verdict

SCHEMA_VERSION: Literal["3.0"] = "3.0"


class Commit(Record):
    """What git has checked out in the folder of a recipe."""

    sha: str
    changed: bool
    """Whether tracked files of that folder differ from it."""


class Report(Record):
    """All of a run, as ``report.json``; the pages are drawn from this and nothing else."""

    schema_version: Literal["3.0"] = SCHEMA_VERSION
    name: str
    created: str
    """UTC, ISO 8601."""
    edgestill: str
    """Version that built it."""
    libraries: dict[str, str]
    commit: Commit | None = None
    """Of the folder that the recipe lies in; None outside of a repository, of a recipe that ships
    with edgestill or was no file, and in runs of older versions."""
    recipe: dict[str, object]
    data: DataRecord
    teachers: tuple[ModelRecord, ...]
    targets: TargetsRecord | None
    """None without a teacher."""
    students: tuple[ModelRecord, ...]
    plain_students: tuple[ModelRecord, ...]
    labelled_students: tuple[ModelRecord, ...] = ()
    """Taught by the teacher's answers to the labelled samples alone; empty where every sample has a
    label, and in runs of older versions."""
    adaptation: AdaptationRecord | None = None
    """None of a student that started from random weights."""
    variants: VariantsRecord
    quality: VerifyRecord
    measured: BenchmarkRecord
    verdict: Verdict
    search: SearchRecord | None = None
    """How the recipe was found; None where it was built as it is."""
    runtimes: dict[str, object] | None = None
    """The variants in every runtime side by side, made of the fields above when the report is
    written and left out when it is read; None where there is one runtime only."""
    next_step: NextStep | None = None
    """What to try first where nothing ships; made of the fields above when the report is written
    and left out when it is read."""
