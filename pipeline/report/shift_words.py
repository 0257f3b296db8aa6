"""How far answers are from a reference's, in the task's own terms.

    sentence(shift, report.data)
    # 'price moves by 310 in the median and 9,042 at most; 0 of 1,200 answers by more than 1,150 …'

A count of changed answers says how far they moved only where an answer is a class: numbers may all
move and stay within a tolerance. So the tolerance stands beside the count, and the movement too.
"""

import math
from collections.abc import Mapping

from .. import tasks
from ..records import DataRecord, OutputShift, Report, Shift, VariantQuality
from . import numbers

_MOST_NAMED = 3


def against_fp32(report: Report, quality: VariantQuality) -> str:
    """How far a variant's answers are from those of fp32, as a part of a sentence."""
    if quality.shift_vs_fp32 is not None:
        return sentence(quality.shift_vs_fp32, report.data)
    of = numbers.how_many(report.quality.test_samples, "answer")
    return f"{quality.answers_changed_vs_fp32:,} of {of} changed"


def sentence(shift: Shift, data: DataRecord) -> str:
    """How far all answers are from the reference's, without a full stop.

    Args:
        shift: of all outputs.
        data: what they mean, with the units of numbers.
    """
    task, units = tasks.of(data.task), _units(data)
    count = f"{shift.changed:,} of {numbers.how_many(shift.samples, 'answer')}"
    moved, cosine, labels = _by_measure(shift)
    if moved:
        most = f"{task.tolerance} in some number"
        if len(moved) == 1:
            most = f"{_number(moved[0].tolerance, units, moved[0].name)} ({task.tolerance})"
        return f"{_moved(moved, units)}; {count} by more than {most}"
    if cosine:
        return f"{_turned(cosine[0])}; {count} now nearest to another vector of the teacher"
    if labels:
        named = _named(labels)
        return f"{count} changed in some label{f' ({named})' if named else ''}"
    return f"{count} changed"


def cell(shift: Shift | None, changed: int, report: Report) -> tuple[str, str | None]:
    """The count for a table, and how far the answers moved below it.

    Args:
        shift: None in runs of schema 2.
        changed: samples with another answer.
        report: of the run.
    """
    count = f"{changed:,} of {report.quality.test_samples:,}"
    if shift is None:
        return count, None
    moved, cosine, labels = _by_measure(shift)
    if moved:
        return count, _moved(moved, _units(report.data))
    return count, _turned(cosine[0]) if cosine else _named(labels) or None


def _by_measure(shift: Shift) -> tuple[list[OutputShift], list[OutputShift], list[OutputShift]]:
    """The outputs that are numbers, vectors and labels."""
    of = {measure: [o for o in shift.outputs if o.measure == measure] for measure in MEASURES}
    return of["difference"], of["cosine"], of["count"]


MEASURES = ("difference", "cosine", "count")


def _moved(outputs: list[OutputShift], units: Mapping[str, str]) -> str:
    """Of several numbers the one that moved farthest in its tolerances."""
    farthest = max(outputs, key=_in_tolerances)
    of = f"of {len(outputs):,} numbers {farthest.name} moves farthest:" if len(outputs) > 1 else ""
    return (
        f"{of or f'{farthest.name} moves'} by "
        f"{_number(farthest.typical, units, farthest.name)} in the median and "
        f"{_number(farthest.farthest, units, farthest.name)} at most"
    )


def _turned(vector: OutputShift) -> str:
    typical, least = _cosine(vector.typical), _cosine(vector.farthest)
    return f"cosine {typical} in the median and {least} at least"


def _named(labels: list[OutputShift]) -> str:
    """The labels that changed most often; empty where none did."""
    changed = sorted((o for o in labels if o.changed), key=lambda o: -o.changed)
    named = [f"{label.name} in {label.changed:,}" for label in changed[:_MOST_NAMED]]
    if len(changed) > _MOST_NAMED:
        named.append(f"{numbers.how_many(len(changed) - _MOST_NAMED, 'more label')} in fewer")
    return ", ".join(named)


def _in_tolerances(output: OutputShift) -> float:
    return (output.farthest or 0.0) / (output.tolerance or 1.0)


def _cosine(value: float | None) -> str:
    """Rounded down, so that 1.0000 says that the directions are the same."""
    return "unknown" if value is None else f"{math.floor(value * 1e4 + 1e-6) / 1e4:.4f}"


def _units(data: DataRecord) -> Mapping[str, str]:
    """The unit of each number that has one, by its name."""
    return dict(zip(data.labels, data.units, strict=True)) if data.units else {}


def _number(value: float | None, units: Mapping[str, str], name: str) -> str:
    unit = numbers.Unit(((1.0, units.get(name, "")),))
    return "unknown" if value is None else numbers.amount(value, unit)
