"""The recipe: all settings of a build, as frozen models. ``files`` reads and writes it as TOML.

>>> load(bundled("digits")).student.model
'resnet8'

Every section has a module of its own beside this one. Unknown keys are errors, and every value has
a range.
"""

from typing import Annotated

from pydantic import Field

from ...exporters import LITERT
from .architecture import Student, Teacher
from .augment import Augment
from .benchmark import Benchmark
from .compress import Compress
from .data import Data
from .distill import Distill
from .export import Export
from .gate import Gate
from .part import Part, across
from .search import AUTO, Search
from .train import Train


class Recipe(Part):
    """All settings of one build."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Name of the run's folder and files.",
    )
    license: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Licence of the model by its SPDX name, such as Apache-2.0, for `edgestill "
        "bundle`; none: the bundle says that it is not stated.",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        0, description="Seed of every random choice."
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None,
        description="Threads for training; none: all cores this process may use. Other numbers of "
        "threads give other weights.",
    )
    train: Train = Field(default_factory=lambda: Train())
    data: Data
    augment: Augment = Field(default_factory=lambda: Augment())
    teacher: Teacher
    student: Student
    distill: Distill = Field(default_factory=lambda: Distill())
    compress: Compress = Field(default_factory=lambda: Compress())
    export: Export = Field(default_factory=lambda: Export())
    benchmark: Benchmark = Field(default_factory=lambda: Benchmark())
    search: Search | None = Field(
        None,
        description="How a student that fits is chosen, and what is tried where a budget is "
        "missed; none, and a student that is named: the recipe is built as it is.",
    )
    gate: Gate

    @across
    def _runtimes_are_exported(self) -> None:
        wanted = self.gate.runtimes or ()
        missing = [name for name in wanted if name not in self.export.formats]
        if missing:
            raise ValueError(
                f"formats of export.formats ({', '.join(self.export.formats)}) in gate.runtimes, "
                f"which names {', '.join(missing)}"
            )

    @across
    def _some_file_takes_int8(self) -> None:
        static = set(self.compress.variants) & {"int8-static", "int8-qat"}
        if self.export.litert_io == "int8" and not (static and "litert" in self.export.formats):
            raise ValueError(
                "'litert' in export.formats and int8-static or int8-qat in compress.variants, for "
                'export.litert_io = "int8" is about no other files'
            )

    @across
    def _some_file_has_the_layout(self) -> None:
        if self.export.litert_layout == "nhwc" and not set(LITERT) & set(self.export.formats):
            raise ValueError(
                f"{' or '.join(map(repr, LITERT))} in export.formats, for "
                'export.litert_layout = "nhwc" is about no other files'
            )

    @property
    def searches(self) -> bool:
        """Whether a build first looks for a student, or for settings, that meet the budgets."""
        return self.search is not None or self.student.model == AUTO

    @property
    def target(self) -> str:
        """The device to ship to, by name or path; without one, the device that is measured."""
        return self.compress.target or self.benchmark.device

    @property
    def effective_benchmark(self) -> Benchmark:
        """``benchmark``, with instructions counted if a budget needs them."""
        needs_count = self.benchmark.instructions or self.gate.max_instructions is not None
        return self.benchmark.model_copy(update={"instructions": needs_count})
