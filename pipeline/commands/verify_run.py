"""``edgestill verify``: is a run still what it was when it was written?

Every file is hashed again, and every model answers a few recorded samples again.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import EdgestillError, MaterialError
from .. import tasks
from ..judge.answers import GOLDEN, Logits, logits
from ..runs.run import differences, open_report

TOLERANCE = 1e-4
"""Of the largest logit: other versions of the runtime and other CPUs sum in another order."""
QUANTIZED_TOLERANCE = 0.05
"""Of the span of the recorded numbers: integer kernels differ between CPUs by a step or two."""


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
    batch = report.measured.benchmark.settings.feed.batch
    variants = report.variants.files
    for variant in variants:
        for file in (variant.file, variant.ort_file):
            try:
                found = logits(run / "variants" / file, golden["input"], batch=batch)
            except EdgestillError as error:
                faults.append(f"{file}: {error}")
                continue
            task = tasks.of(report.data.task) if variant.changed_nodes else None
            faults += _differences(file, found, golden[file], task)
    return Checked(files, 2 * len(variants), tuple(faults))


def _differences(
    file: str, found: Logits, expected: Logits, quantized: tasks.Task | None
) -> list[str]:
    """What is no longer as recorded; of a quantized classifier only the answer is held fast.

    Args:
        file: its name.
        found: outputs [n, k] of today.
        expected: the recorded ones.
        quantized: the task of a quantized file; None for any other file.
    """
    if quantized is not None and quantized.exclusive:
        different = int((found.argmax(1) != expected.argmax(1)).sum())
        return [f"{file}: {different} of {len(found)} answers changed"] if different else []
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if quantized is not None:
        tolerance = max(tolerance, QUANTIZED_TOLERANCE * float(np.ptp(expected)))
    distance = float(np.abs(found - expected).max())
    if distance <= tolerance:
        return []
    return [f"{file}: outputs differ by {distance:.3g} from those recorded"]
