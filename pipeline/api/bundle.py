"""``edgestill.bundle``: what is handed over of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..finished.result import Result
from ..finished.screen import Screen
from ..handover.manifest import Manifest
from ..handover.write import default_name, write
from ..report import numbers, words
from ..runs.locate import run_folder
from ..runs.run import open_report
from .paths import OnDisk, path_of


@dataclass(frozen=True, slots=True, repr=False)
class Bundled(Result):
    """A bundle that was written.

    Attributes:
        path: the folder or zip.
        manifest: what is in it.
    """

    path: Path
    manifest: Manifest

    def screen(self) -> Screen:
        """A row a package."""
        manifest = self.manifest
        files = numbers.how_many(len(manifest.files) + 1, "file")
        inspection = ("for inspection only: not all of it is READY",)
        return Screen(
            title=f"{words.WORDS[manifest.outcome]}: a bundle of {files}",
            head=("model", "format", "verdict", "why"),
            rows=tuple(
                (one.model, one.format, words.WORDS[one.outcome], one.why)
                for one in manifest.packages
            ),
            above=inspection if manifest.inspection else (),
            paths=(("bundle", str(self.path)),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a package."""
        return [
            {"model": one.model, "variant": one.variant, "format": one.format}
            | {"outcome": one.outcome, "why": one.why}
            for one in self.manifest.packages
        ]

    def to_dict(self) -> dict[str, Any]:
        """The document of ``edgestill bundle --json``."""
        return {
            "bundle": str(self.path),
            "outcome": self.manifest.outcome,
            "inspection": self.manifest.inspection,
            "packages": self.records(),
            "files": len(self.manifest.files) + 1,
        }


def bundle(
    run: OnDisk | Path | str,
    out: Path | str | None = None,
    *,
    formats: Sequence[str] = (),
    zipped: bool = False,
    inspection: bool = False,
) -> Bundled:
    """Write what is handed over of a run: models, golden answers, a model card, programs.

    Args:
        run: a run, its folder, or a name, whose last build is meant.
        out: the folder or zip to write, which must not exist; None: ``NAME-bundle`` here.
        formats: bundle every READY package in these formats; none: the packages of what ships.
        zipped: write a zip; implied by a name that ends in ``.zip``.
        inspection: bundle what is not READY as well, marked as for inspection only.

    Raises:
        UsageError: ``out`` exists.
        MaterialError: this is no run, it changed, or nothing of it is READY.
        StorageError: ``out`` cannot be written.

    Example:
        >>> import edgestill
        >>> bundle = edgestill.bundle(run, "handover.zip")
        >>> bundle.path.name, bundle.manifest.outcome
        ('handover.zip', 'ready')
    """
    folder = run_folder(path_of(run, "run"))
    zipped = zipped or (out is not None and Path(out).suffix == ".zip")
    target = Path(out) if out is not None else None
    target = target or Path(default_name(open_report(folder), zipped=zipped))
    manifest = write(folder, target, formats=formats, zipped=zipped, inspection=inspection)
    return Bundled(target, manifest)
