"""``bundle.json``: what a bundle holds, which other tools may read.

bundle.json          this
README.md            the model card
preprocessing.json   how raw input becomes the model's input, and what its outputs mean
labels.txt           a line a label, where there are labels
models/              the packages' files
golden/              a few samples and what each package answered to them
snippets/            programs that run the models on these samples, and a page for browsers
ml-bom.cdx.json      provenance, CycloneDX 1.6
"""

import re
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from ...devices.onboard.stats.estimate import Estimate
from ...errors import MaterialError
from ...exporters.scaled import Scaled
from ..judge.golden import Rule
from ..recipe.task_names import TaskName
from ..records import Outcome
from ..records.record import Record

MANIFEST = "bundle.json"
SCHEMA_VERSION: Literal["1.0"] = "1.0"
NOT_STATED = "not stated"
"""The licence of a recipe that names none."""
_PART = re.compile(r"(?!\.{1,2}$)[^\x00-\x1f\x7f/\\:]+")


def is_inside(name: str) -> bool:
    """Whether a file's name leads to a place below the folder that it is relative to.

    It has ``/`` between its parts and none of them is ``..``, a drive or a control character.
    """
    return all(_PART.fullmatch(part) for part in name.split("/"))


class File(Record):
    """One file of a bundle.

    Attributes:
        bytes: its size.
        sha256: of its content.
    """

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Tensor(Record):
    """An array as a file of its numbers alone: little-endian, in C order.

    Attributes:
        file: its name in the bundle.
        dtype: numpy's name, such as ``float32``.
        shape: samples first.
    """

    file: str
    dtype: Literal["float32", "uint8", "int8", "int16", "int32", "int64"]
    shape: tuple[int, ...] = Field(min_length=1)


class Golden(Record):
    """A few samples, and what a package answered to them when it was built.

    Attributes:
        file: an ``.npz`` of ``input`` and ``output``; of a package that takes and gives integers
            also of ``input_integers`` and ``output_integers``.
        input: the same input, for programs without numpy; in the order of axes that the package
            takes, and of its type where no scale makes it.
        output: the same output.
        batch: samples a query, which some formats fix. The last query is filled up from the first
            samples.
        rule: how outputs are compared.
    """

    file: str
    input: Tensor
    output: Tensor
    batch: int = Field(ge=1)
    rule: Rule


class BundledPackage(Record):
    """One model in one format.

    Attributes:
        variant: how the student was compressed, such as ``int8-static``.
        format: of its files, such as ``onnx``.
        title: the runtime that it is for.
        runtime: the runtime that loads it here; None where there is none.
        model: the model's file in the bundle.
        beside: files that it needs under their names.
        changed_nodes: nodes that differ in kind from fp32; 0 for a float file.
        outcome: the verdict on it.
        why: the reason, in a sentence.
        arena_bytes: memory that it needs on a microcontroller; None where it is not for one.
        figures: of this very file, by name; empty where it was compared with another format by its
            answers only.
        golden: None where nothing here could run it.
        input: what it takes, where that is not the samples of ``preprocessing.json`` as they
            are. With a scale it takes integers: a number is ``scale * (integer - zero_point)``.
            With ``axes`` it takes a query's axes in another order: ``[0, 2, 3, 1]`` is channels
            last.
        output: the same of what it gives.
    """

    variant: str
    format: str
    title: str
    runtime: str | None
    model: str
    beside: tuple[str, ...]
    changed_nodes: int
    outcome: Outcome
    why: str
    arena_bytes: int | None
    figures: dict[str, Estimate]
    golden: Golden | None
    input: Scaled | None = None
    output: Scaled | None = None


class Manifest(Record):
    """All of ``bundle.json``.

    Attributes:
        schema_version: of this form.
        name: the run's.
        task: what the model predicts.
        created: when the run was written; UTC, ISO 8601.
        edgestill: the version that built it.
        license: an SPDX name, or ``not stated``.
        outcome: the verdict of the run.
        why: the reason, in a sentence.
        inspection: whether the bundle is for inspection only, because its packages are not READY.
        packages: the one that was measured and judged first.
        files: every file but this one, by its name.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    name: str
    task: TaskName
    created: str
    edgestill: str
    license: str
    outcome: Outcome
    why: str
    inspection: bool
    packages: tuple[BundledPackage, ...] = Field(min_length=1)
    files: dict[str, File]

    @field_validator("files")
    @classmethod
    def _names_stay_inside(cls, files: dict[str, File]) -> dict[str, File]:
        outside = [name for name in files if not is_inside(name) or name == MANIFEST]
        if outside:
            raise ValueError(f"names inside the bundle, not {outside[0]!r}")
        return files


def parse(text: str | bytes, where: str) -> Manifest:
    """The manifest of a bundle.

    Raises:
        MaterialError: it is none, or of another version, or names a file that is not in its list.
    """
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(step) for step in problem["loc"])
        raise MaterialError(
            f"no manifest of schema {SCHEMA_VERSION} ({key}: {problem['msg']})",
            where=f"{where}/{MANIFEST}",
            fix="write the bundle again: edgestill bundle RUN",
        ) from None
    for package in manifest.packages:
        golden = package.golden
        named = [package.model, *package.beside]
        named += [golden.file, golden.input.file, golden.output.file] if golden else []
        unlisted = [name for name in named if name not in manifest.files]
        if unlisted:
            raise MaterialError(
                f"a package of {unlisted[0]!r}, which is not in the list of files",
                where=f"{where}/{MANIFEST}",
            )
    return manifest
