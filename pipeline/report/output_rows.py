"""The loss of each output of a model, as cells of a table.

>>> output_cells(OutputLoss(name="y", measure="classes", rows=32, changed=2))
("'y'", '2 of 32', '', '')
"""

import math
from collections.abc import Sequence

from ..records import OutputLoss
from . import numbers

MOST_SHOWN = 8
"""Outputs of one file; of more the worst are shown."""


def shown_outputs(outputs: Sequence[OutputLoss]) -> tuple[list[OutputLoss], str]:
    """The outputs to show, in their order, and what there is to say of the others."""
    if len(outputs) <= MOST_SHOWN:
        return list(outputs), ""
    by_loss = sorted(outputs, key=lambda one: (one.destroyed is None, -one.lost))
    worst, others = by_loss[: MOST_SHOWN - 1], by_loss[MOST_SHOWN - 1 :]
    rest = f"{len(others)} more, which lose {others[0].lost:.2g} at most"
    return [output for output in outputs if output in worst], rest


def output_cells(output: OutputLoss) -> tuple[str, str, str, str]:
    """Its name, what changed, its relative error and the largest difference."""
    name = numbers.printable(output.name)
    if output.missing is not None:
        return name, "not compared", "", ""
    changed = "no classes"
    if output.changed is not None:
        changed = f"{output.changed:,} of {output.rows:,}"
    largest = output.max_abs_difference
    return name, changed, error_text(output), "" if largest is None else f"{largest:.3g}"


def error_text(output: OutputLoss) -> str:
    """The relative error, and as a ratio of signal to noise in decibels."""
    error = output.relative_error
    if error is None:
        return ""
    return f"{error:.2g} ({-20 * math.log10(error) + 0.0:.0f} dB)" if error else "0"
