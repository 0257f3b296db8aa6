"""A bundle written: a folder, or a zip with the same files; whole or not at all.

>>> write(Path("artifacts/runs/digits/…"), Path("digits-bundle.zip"), zipped=True)  # doctest: +SKIP

Two bundles of one run are the same bytes: nothing in them is of the time or the place of writing.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from ...errors import MaterialError, UsageError
from ...exporters.interface import output_of
from ..engine.store import disk_errors, folder_digests, move_whole
from ..printable import printable
from ..records import Report
from ..report import rows
from ..runs.run import differences, open_report
from . import card, golden, preprocessing, provenance, snippets
from .choice import Chosen, chosen
from .manifest import MANIFEST, NOT_STATED, BundledPackage, File, Manifest, is_inside

_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every file in a zip: the earliest that the format knows."""
_MODE = 0o100644 << 16
_BYTES: Literal["w"] = "w"  # a member of a zip is bytes whatever the mode


def write(
    run: Path,
    out: Path,
    *,
    formats: Sequence[str] = (),
    zipped: bool = False,
    inspection: bool = False,
) -> Manifest:
    """Write a run's bundle.

    Args:
        run: a run's folder, unchanged since it was written.
        out: the folder or file to make; it must not exist.
        formats: of the packages; empty: those of what ships.
        zipped: whether to write a zip.
        inspection: whether packages that are not READY may be bundled, marked as such.

    Raises:
        UsageError: ``out`` exists.
        NothingReadyError: there is nothing to hand over.
        MaterialError: this is no run, or it changed.
        StorageError: ``out`` cannot be written.
    """
    report = open_report(run)
    if faults := differences(run):
        raise MaterialError(
            f"not as it was written: {faults[0]}", where=str(run), fix="build it again"
        )
    pairs = chosen(report, formats, inspection=inspection, where=str(run))
    with disk_errors(out.parent, opening=True), _draft(out) as draft:
        content = draft / "content"
        content.mkdir()
        manifest = _fill(content, run, report, pairs)
        if zipped:
            _zip(content, draft / "whole.zip")
            _place(draft / "whole.zip", out)
        else:
            move_whole(content, out)
    return manifest


def default_name(report: Report, *, zipped: bool) -> str:
    """The name of a run's bundle, where none is given.

    Raises:
        MaterialError: the run's name is none that a file can have.
    """
    if not _is_file_name(report.name) or report.name.startswith("-"):
        raise MaterialError(f"the name {report.name!r}", where="report.json", fix="give --out")
    return f"{report.name}-bundle{'.zip' * zipped}"


def _is_file_name(name: str) -> bool:
    return is_inside(name) and "/" not in name


@contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A folder beside the place of the bundle, removed in the end.

    Raises:
        UsageError: there is something at that place.
    """
    if os.path.lexists(out):
        raise UsageError(
            "something there already", where=str(out), fix="remove it or choose another --out"
        )
    draft = out.parent / f".{out.name}.{os.getpid()}.draft"
    try:
        draft.mkdir()
    except OSError as error:  # said of the folder that the user named, not of a draft in it
        raise type(error)(error.errno, error.strerror, str(out.parent)) from error
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fill(folder: Path, run: Path, report: Report, pairs: Sequence[Chosen]) -> Manifest:
    """Write all files of a bundle."""
    models = folder / "models"
    models.mkdir()
    data = report.data
    packaged = (file.name for pair in pairs for file in pair.package.files)
    for name in dict.fromkeys((*packaged, *data.files)):
        if not _is_file_name(name):
            raise MaterialError(f"a file named {name!r}", where=str(run), fix="build it again")
        shutil.copyfile(run / "variants" / name, models / name)
    if data.labels:
        lines = "".join(f"{printable(label)}\n" for label in data.labels)
        (folder / "labels.txt").write_text(lines, encoding="utf-8", newline="\n")
    _json(folder / "preprocessing.json", preprocessing.document(data, report.variants))
    recorded = golden.read(run)
    figures = {row.name: row for row in rows.models(report)}
    packages = tuple(
        BundledPackage(
            variant=pair.variant.name,
            format=pair.package.format,
            title=pair.package.title,
            runtime=pair.package.runtime,
            model=f"models/{pair.package.model.name}",
            beside=tuple(f"models/{file.name}" for file in pair.package.beside),
            changed_nodes=pair.variant.changed_nodes,
            outcome=pair.outcome,
            why=pair.why,
            arena_bytes=pair.package.arena_bytes,
            figures=figures[pair.variant.name].estimates if pair.measured else {},
            golden=golden.write(folder, report, pair, recorded),
            input=pair.package.input,
            output=pair.package.output,
        )
        for pair in pairs
    )
    verdicts = report.verdict.variants
    fit = {one.name for one in verdicts if one.outcome == "ready" and one.cannot_ship is None}
    manifest = Manifest(
        name=report.name,
        task=data.task,
        created=report.created,
        edgestill=report.edgestill,
        license=str(report.recipe.get("license") or NOT_STATED),
        outcome=report.verdict.outcome,
        why=report.verdict.why,
        inspection=any(pair.variant.name not in fit for pair in pairs),
        packages=packages,
        files={},
    )
    written = snippets.write(folder, manifest, output_of(report.variants.activation))
    _json(folder / provenance.FILE, provenance.document(report, manifest, folder))
    text = card.page(report, manifest, written)
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")
    files = {
        name: File(bytes=(folder / name).stat().st_size, sha256=digest)
        for name, digest in folder_digests(folder).items()
    }
    manifest = manifest.model_copy(update={"files": files})
    _json(folder / MANIFEST, manifest.model_dump(mode="json"))
    return manifest


def _json(path: Path, document: Any) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _zip(folder: Path, target: Path) -> None:
    """Every file of a folder in a zip, without compression.

    zlib's output differs between its versions, and weights hardly shrink.
    """
    with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED) as archive:
        for name in folder_digests(folder):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = _MODE
            entry.create_system = 3  # Unix, on every system
            with (folder / name).open("rb") as source, archive.open(entry, _BYTES) as stored:
                shutil.copyfileobj(source, stored)


def _place(draft: Path, out: Path) -> None:
    """Give a finished file its name, once it is on the disk."""
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.rename(out)
