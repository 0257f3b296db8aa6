"""``edgestill verify``: whether a run is still what it was when it was written.

Every file is hashed, and every package that a runtime here can load answers a few recorded samples.
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
    """What was checked, and what was wrong.

    Attributes:
        files: how many files of the run were hashed.
        models: how many model files were run on the golden samples.
        faults: what differs from the time of writing, a sentence each.
    """

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
    batch, ran = report.measured.benchmark.settings.feed.batch, 0
    for variant in report.variants.files:
        task = tasks.of(report.data.task) if variant.changed_nodes else None
        for package in variant.packages:
            if package.runtime is None:
                continue
            ran += 1
            name = package.model.name
            try:
                outputs = logits(run / "variants" / name, golden["input"], batch=batch)
            except EdgestillError as error:
                faults.append(f"{name}: {error}")
                continue
            faults += _differences(name, outputs, golden[name], task)
    return Checked(files, ran, tuple(faults))


def _differences(
    file: str, outputs: Logits, expected: Logits, quantized: tasks.Task | None
) -> list[str]:
    """What is no longer as recorded; of a quantized classifier only the class is compared.

    Args:
        file: its name.
        outputs: of today, float32 [n, k].
        expected: the recorded ones, of the same shape.
        quantized: the task of a quantized file; None for any other file.
    """
    if quantized is not None and quantized.exclusive:
        different = int((outputs.argmax(1) != expected.argmax(1)).sum())
        return [f"{file}: {different} of {len(outputs)} answers changed"] if different else []
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if quantized is not None:
        tolerance = max(tolerance, QUANTIZED_TOLERANCE * float(np.ptp(expected)))
    distance = float(np.abs(outputs - expected).max())
    if distance <= tolerance:
        return []
    return [f"{file}: outputs differ by {distance:.3g} from those recorded"]
