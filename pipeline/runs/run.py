"""A run: one build on disk, whole and immutable, in a folder of its own.

runs/<name>/<time>/manifest.json   keys of every stage, digest of every file
                   recipe.toml     every setting, to build it again
                   models/         the variant to ship and what it needs; empty unless READY
                   variants/       the files of all variants and of the teacher, and the tokenizer
                   records/        all records, raw latencies, answers on test, golden outputs,
                                   the student's weights
                   report.*        drawn from report.json alone
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ...errors import MaterialError
from ...version import __version__
from .. import tasks
from ..data import shown
from ..engine import sources
from ..engine.store import digest_of, file_sha256, folder_digests, move_whole, write_atomic
from ..judge.gate import judge
from ..recipe.files import dump
from ..recipe.recipe import Recipe
from ..records import Commit, Report, SearchRecord, Verdict
from ..records.models import WEIGHTS
from . import kept_labels, older

if TYPE_CHECKING:
    from .flow_result import Flow

FORMAT = 1
MANIFEST = "manifest.json"
RECIPE = "recipe.toml"
STUDENT = "student.safetensors"
"""The weights of the student that the variants were made of, in ``records/``."""
_DRAFT = ".draft-"
LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy", "scikit-learn", "safetensors")


def prepare(artifacts: Path, name: str) -> None:
    """Fail in the first second if the run cannot be written."""
    folder = folder_of(artifacts, name)
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".probe.{os.getpid()}"
    write_atomic(probe, b"")
    probe.unlink()


def folder_of(artifacts: Path, name: str) -> Path:
    """The folder of the runs of a recipe's name."""
    return artifacts / "runs" / name


def find(
    folder: Path, recipe: Recipe, keys: Mapping[str, str], warn: Callable[[str], None]
) -> Path | None:
    """The newest unchanged run of this recipe with these keys, if there is one."""
    wanted = {"recipe": recipe.model_dump(mode="json"), "keys": {**keys, **_drawing()}}
    for manifest in sorted(folder.glob(f"[0-9]*/{MANIFEST}"))[::-1]:
        try:
            content = json.loads(manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if {key: content.get(key) for key in wanted} != wanted:
            continue
        faults = differences(manifest.parent)
        if not faults:
            return manifest.parent
        warn(f"{manifest.parent}: {faults[0]}; building the run again")
    return None


def write(
    artifacts: Path,
    recipe: Recipe,
    outputs: "Flow",
    commit: Commit | None = None,
    search: SearchRecord | None = None,
) -> tuple[Path, Report]:
    """Judge finished stages, and write them as a run with its report.

    Args:
        artifacts: where runs lie.
        recipe: of the build.
        outputs: of its stages.
        commit: of the recipe's folder.
        search: how the recipe was found.
    """
    verdict = judge(recipe.gate, outputs.quality.record, outputs.measured.record)
    report = Report(
        name=recipe.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        edgestill=__version__,
        libraries={name: metadata.version(name) for name in LIBRARIES},
        commit=commit,
        recipe=recipe.model_dump(mode="json", exclude_none=True),
        # The record has the name that the data had when it was stored; the content is the same.
        data=outputs.data.record.model_copy(update={"source": shown(recipe.data.source)}),
        teachers=tuple(model.record for model in outputs.teachers),
        targets=outputs.targets.record if outputs.targets else None,
        students=tuple(model.record for model in outputs.students),
        plain_students=tuple(model.record for model in outputs.plain),
        labelled_students=tuple(model.record for model in outputs.labelled),
        adaptation=outputs.adaptation.record if outputs.adaptation else None,
        variants=outputs.variants.record,
        quality=outputs.quality.record,
        measured=outputs.measured.record,
        verdict=verdict,
        search=search,
    )

    def fill(draft: Path) -> None:
        variants = draft / "variants"
        shutil.copytree(outputs.variants.path, variants, ignore=_entry)
        for file in report.data.files:
            shutil.copyfile(outputs.data.path / file, variants / file)
        records = draft / "records"
        shutil.copytree(outputs.quality.path, records, ignore=_entry)
        shutil.copytree(outputs.measured.path, records, ignore=_entry, dirs_exist_ok=True)
        best = next(made for made in outputs.students if made.record == report.variants.student)
        shutil.copyfile(best.path / WEIGHTS, records / STUDENT)
        for name, record in report.model_dump(mode="json", include=set(_RECORDS)).items():
            text = json.dumps(record, indent=1, allow_nan=False)
            (records / f"{name}.json").write_text(text, encoding="utf-8")
        if tasks.of(report.data.task).labels is not None:
            kept_labels.keep(outputs.data.path, records)

    folder = folder_of(artifacts, recipe.name)
    return publish(folder, report, outputs.keys(), recipe, fill), report


_DECIDING = ("pipeline.judge.gate", "pipeline.judge.rungs", "pipeline.runs.run")
"""Modules that decide what the pages say, besides those that draw them."""
_PAGES = "report"
"""The key of the rules of the verdict and of the layout of the pages."""
_RECORDS = (
    "data",
    "teachers",
    "targets",
    "students",
    "plain_students",
    "labelled_students",
    "adaptation",
    "variants",
    "quality",
    "measured",
)


def open_report(run: Path) -> Report:
    """A run's report.

    Raises:
        MaterialError: this is no run, or one of another version.
    """
    return read_report(run / "report.json")


def read_report(path: Path) -> Report:
    """A report.json, wherever it lies.

    Raises:
        MaterialError: it is none, or one of another version.
    """
    try:
        content = _content(path)
        if older.is_old(content):
            return older.upgraded(content)
        found = Report.model_validate_json(path.read_bytes())
        # Made of the rest, and made again when the report is written.
        return found.model_copy(update={"runtimes": None, "next_step": None})
    except OSError as error:
        raise MaterialError(
            f"no report.json to read there ({os.strerror(error.errno or 0).lower()})",
            where=str(path.parent),
            fix="name a run's folder, such as artifacts/runs/<name>/<time>",
        ) from None
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(step) for step in problem["loc"])
        if problem["type"] == "json_invalid":
            raise MaterialError(
                "a broken file",
                expected="a report.json of edgestill",
                where=str(path),
                fix="build the run again, or get the file again",
            ) from None
        raise MaterialError(
            f"not a report of this version ({key or 'as a whole'}: {problem['msg']})",
            where=str(path),
            fix="build it again with this version of edgestill",
        ) from None


def before(run: Path) -> Report | None:
    """The report of the newest run of the same name that is older than a run, or than its draft.

    None where there is none that can be read as it is.
    """
    own = run.name.removeprefix(_DRAFT)
    older_ones = [path for path in run.parent.glob("[0-9]*/report.json") if path.parent.name < own]
    for path in sorted(older_ones)[::-1]:
        try:
            if not is_old(path.parent):
                return open_report(path.parent)
        except (MaterialError, OSError):
            continue
    return None


def is_old(run: Path) -> bool:
    """Whether an older version of edgestill wrote a run's report."""
    return older.is_old(_content(run / "report.json"))


def _content(path: Path) -> Any:
    """What a JSON file holds; None where it is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


def keys_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The keys of a run's stages, without that of its pages."""
    return {key: value for key, value in manifest["keys"].items() if key != _PAGES}


def differences(run: Path) -> list[str]:
    """What differs between a run's manifest and its files."""
    expected: dict[str, str] = manifest_of(run)["files"]
    actual = folder_digests(run)
    actual.pop(MANIFEST, None)
    faults = [f"{name} is missing" for name in sorted(expected.keys() - actual.keys())]
    faults += [f"{name} is not in the manifest" for name in sorted(actual.keys() - expected.keys())]
    shared = sorted(expected.keys() & actual.keys())
    return faults + [f"{name} changed" for name in shared if expected[name] != actual[name]]


def publish(
    folder: Path,
    report: Report,
    keys: Mapping[str, str],
    recipe: Recipe,
    fill: Callable[[Path], None],
) -> Path:
    """Fill a draft in the folder of runs and rename it, so that a run is never incomplete.

    Args:
        folder: of this name's runs.
        report: of the run.
        keys: of its stages.
        recipe: of the build.
        fill: writes ``variants/`` and ``records/`` to the draft.
    """
    from ..report import write as draw

    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%fZ")
    draft = folder / f"{_DRAFT}{stamp}"
    draft.mkdir()
    try:
        fill(draft)
        (draft / RECIPE).write_text(dump(recipe), encoding="utf-8")
        _ship(draft, report)
        draw(report, draft, before(draft), place=folder / stamp)
        content = {
            "format": FORMAT,
            "edgestill": __version__,
            "created": report.created,
            "recipe": recipe.model_dump(mode="json"),
            "keys": {**keys, **_drawing()},
            "files": folder_digests(draft),
        }
        write_atomic(draft / MANIFEST, json.dumps(content, indent=1).encode())
        move_whole(draft, folder / stamp)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder / stamp


def _ship(draft: Path, report: Report) -> None:
    """Copy the variant to ship, with the files that are needed to use it, under the run's name."""
    models = draft / "models"
    models.mkdir()
    verdict: Verdict = report.verdict
    if verdict.ship is None:
        return
    variant = next(v for v in report.variants.variants if v.name == verdict.ship)
    stem = f"{report.name}-{variant.method}"
    names = {name: name for name in report.data.files}
    for package in variant.packages:
        names |= package.renamed(stem)
    for name, shipped in names.items():
        shutil.copyfile(draft / "variants" / name, models / shipped)
    data = report.data
    if data.labels:
        lines = "".join(f"{label}\n" for label in data.labels)
        (models / "labels.txt").write_text(lines, encoding="utf-8")
    if data.front_end is not None:
        text = json.dumps(data.front_end, indent=1, ensure_ascii=False, allow_nan=False)
        (models / "front_end.json").write_text(text, encoding="utf-8")


def _drawing() -> dict[str, str]:
    """The key of what a run adds to its stages: rules of the verdict, layout of the pages."""
    drawn = sorted((Path(__file__).parents[1] / "report").iterdir())
    return {
        _PAGES: digest_of(
            [
                *(sources.digest(name) for name in _DECIDING),
                *(file_sha256(file) for file in drawn if file.is_file()),
            ]
        )
    }


def manifest_of(run: Path) -> dict[str, Any]:
    """A run's manifest.

    Raises:
        MaterialError: this is no run, or one of another version.
    """
    try:
        content: dict[str, Any] = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise MaterialError(
                found=f"format {content['format']}", expected=str(FORMAT), where=str(run / MANIFEST)
            )
        return {**content, "files": dict(content["files"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MaterialError(
            f"no readable {MANIFEST} there ({type(error).__name__})",
            where=str(run),
            fix="name a run's folder, such as artifacts/runs/<name>/<time>",
        ) from None


def _entry(folder: str, names: list[str]) -> list[str]:
    """Leave out the store's own file."""
    del folder
    return [name for name in names if name == "entry.json"]
