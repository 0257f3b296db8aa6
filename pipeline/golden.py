"""``edgestill verify``: is a run still what it was when it was written?

Every file is hashed again, and every model answers a few recorded samples again.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import EdgestillError, MaterialError
from .answers import GOLDEN, Logits, logits
from .run import differences, open_report

TOLERANCE = 1e-4
"""Of the largest logit: other versions of the runtime and other CPUs sum in another order."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at and what was wrong."""

    files: int
    models: int
    faults: tuple[str, ...]


def check(run: Path) -> Checked:
    """Hash a run's files and run its models on its golden samples.

    Models are run only where every hash holds: a changed file is not to be trusted.

    Raises:
        MaterialError: this is no run.
    """
    report = open_report(run)
    faults = differences(run)
    files = sum(path.is_file() for path in run.rglob("*"))
    if faults:
        return Checked(files, 0, tuple(faults))
    try:
        golden = dict(np.load(run / "records" / GOLDEN, allow_pickle=False))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise MaterialError(f"unreadable ({error})", where=f"{run}/records/{GOLDEN}") from None
    batch = report.benchmark.settings.batch
    variants = (report.variants.teacher, *report.variants.variants)
    for variant in variants:
        for file in (variant.file, variant.ort_file):
            try:
                found = logits(run / "variants" / file, golden["input"], batch=batch)
            except EdgestillError as error:
                faults.append(f"{file}: {error}")
                continue
            faults += _differences(file, found, golden[file], quantized=variant.changed_nodes > 0)
    return Checked(files, 2 * len(variants), tuple(faults))


def _differences(file: str, found: Logits, expected: Logits, *, quantized: bool) -> list[str]:
    """Integer kernels differ between CPUs, so of a quantized file only the answer is held fast."""
    if quantized:
        different = int((found.argmax(1) != expected.argmax(1)).sum())
        return [f"{file}: {different} of {len(found)} answers changed"] if different else []
    distance = float(np.abs(found - expected).max())
    if distance <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        return []
    return [f"{file}: logits differ by {distance:.3g} from those recorded"]
