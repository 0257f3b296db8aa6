"""``edgestill verify``: is a run still what it was when it was written?

Every file is hashed again, and every model answers a few recorded samples again.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import EdgestillError, MaterialError
from .answers import GOLDEN, logits
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
        expected = golden[f"logits_{variant.name}"]
        try:
            found = logits(run / "variants" / variant.file, golden["input"], batch=batch)
        except EdgestillError as error:
            faults.append(f"{variant.file}: {error}")
            continue
        if variant.changed_nodes:
            # Integer kernels differ between CPUs; the answer may not.
            different = int((found.argmax(1) != expected.argmax(1)).sum())
            if different:
                faults.append(f"{variant.file}: {different} of {len(found)} answers changed")
            continue
        distance = float(np.abs(found - expected).max())
        if distance > TOLERANCE * max(1.0, float(np.abs(expected).max())):
            faults.append(f"{variant.file}: logits differ by {distance:.3g} from those recorded")
    return Checked(files, len(variants), tuple(faults))
