"""``edgestill verify``: whether a run is still what it was when it was written.

Every file is hashed, and every package that a runtime here can load answers a few recorded samples,
twice and in two sessions: a file that answers one input in several ways is not ready.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.settings import Session
from ...errors import EdgestillError, MaterialError
from ...exporters.interface import INPUT
from .. import tasks
from ..judge.answers import GOLDEN, logits
from ..judge.faults import by_variant
from ..judge.golden import fault, rule_of
from ..judge.steadiness import steadiness
from ..records import Report, VariantQuality, VerifyRecord
from ..runs.run import differences, open_report


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, and what was wrong.

    Attributes:
        name: of the run.
        files: how many files of the run were hashed.
        models: how many model files were run on the golden samples.
        faults: what differs from the time of writing, a sentence each.
        wrong: what is wrong with variants whatever the budgets, by their names: what the build
            recorded, and what their files show now.
        ready: whether the variant that ships has nothing wrong, or where none ships any variant.
    """

    name: str
    files: int
    models: int
    faults: tuple[str, ...]
    wrong: Mapping[str, tuple[str, ...]]
    ready: bool


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
        return _checked(report, files, 0, faults, report.quality)
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
            rule = rule_of(golden[name], task)
            if (found := fault(outputs, golden[name], rule)) is not None:
                faults.append(f"{name}: {found}")
    quality = _asked_again(run, report, golden["input"])
    return _checked(report, files, ran, faults, quality)


def _checked(
    report: Report, files: int, models: int, faults: Sequence[str], quality: VerifyRecord
) -> Checked:
    wrong = by_variant(quality)
    names = {variant.name for variant in quality.variants}
    of = {report.verdict.ship} if report.verdict.ship is not None else names
    ready = not of <= wrong.keys()
    return Checked(report.name, files, models, tuple(faults), wrong, ready)


def _asked_again(run: Path, report: Report, samples: NDArray[Any]) -> VerifyRecord:
    """The quality of a run, with what its files answer now to one input asked several times.

    A file that answered in several ways when it was built keeps that fault.
    """
    files = {variant.name: variant for variant in report.variants.files}

    def again(quality: VariantQuality) -> VariantQuality:
        variant = files[quality.name]
        try:
            found = steadiness(
                run / "variants" / variant.file,
                {INPUT: samples},
                Session(),
                alone=quality.made_from is None and not variant.changed_nodes,
            )
        except EdgestillError:  # It was said above that it does not run.
            return quality
        if quality.steadiness is not None and quality.steadiness.faults:
            return quality
        return quality.model_copy(update={"steadiness": found})

    variants = tuple(again(quality) for quality in report.quality.variants)
    return report.quality.model_copy(update={"variants": variants})
