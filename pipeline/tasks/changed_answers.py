"""Samples that a model answers otherwise than a reference: how many, which, how surely.

found = changes(student_logits, teacher_logits, labels, classification.DECISION)
found.lost, found.margin[found.lost]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..records import Changed, Example
from .blocks import blocks

EXAMPLES = 12
"""Changed samples that are shown."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How the outputs of a task become an answer.

    Attributes:
        answers: ``(outputs [n, k])``: the answer, [n, m]; a sample is right where all m are.
        truth: ``(labels)``: the labels as such answers, [n, m].
        margin: ``(model outputs, reference outputs)``: of samples whose answers differ, how surely
            both models disagree, in probability, float64 [n].
        numbers: ``(one answer [m])``: the numbers of its classes.
    """

    answers: Callable[[NDArray[Any]], NDArray[Any]]
    truth: Callable[[NDArray[Any]], NDArray[Any]]
    margin: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]
    numbers: Callable[[NDArray[Any]], Sequence[Any]]


class Changes(NamedTuple):
    """Samples answered otherwise than by the reference, as rows in order, and their margins.

    Attributes:
        lost: rows where the reference is right and the model wrong.
        won: rows where the reference is wrong and the model right.
        both_wrong: rows where both are wrong, differently.
        margin: float64 [n] of all samples, 0 where nothing changed.
    """

    lost: NDArray[np.intp]
    won: NDArray[np.intp]
    both_wrong: NDArray[np.intp]
    margin: NDArray[np.float64]


def changes(
    model: NDArray[Any], reference: NDArray[Any], labels: NDArray[Any], decision: Decision
) -> Changes:
    """Which samples a model answers otherwise than a reference (Hooker et al. 2019, §3).

    Args:
        model: outputs, float [n, k].
        reference: outputs of the same samples, float [n, k].
        labels: as the task reads them.
        decision: the task's.
    """
    truth = decision.truth(labels)
    model_answers, reference_answers = decision.answers(model), decision.answers(reference)
    differ = (model_answers != reference_answers).any(1)
    model_right = (model_answers == truth).all(1)
    reference_right = (reference_answers == truth).all(1)
    margin = np.zeros(len(model))
    for rows in blocks(*model.shape):
        # Only where something changed: probabilities of all samples would be for nothing.
        at = np.flatnonzero(differ[rows]) + rows.start
        margin[at] = decision.margin(model[at], reference[at])
    return Changes(
        np.flatnonzero(differ & reference_right),
        np.flatnonzero(differ & model_right),
        np.flatnonzero(differ & ~model_right & ~reference_right),
        margin,
    )


def changed_record(
    model: NDArray[Any], reference: NDArray[Any], labels: NDArray[Any], decision: Decision
) -> Changed:
    """``changes`` as a record, with the samples of the largest margins as examples."""
    changed = changes(model, reference, labels, decision)
    rows = np.sort(np.concatenate(changed[:3]))
    shown = rows[np.argsort(-changed.margin[rows], kind="stable")][:EXAMPLES]
    answers = (
        decision.truth(labels[shown]),
        decision.answers(reference[shown]),
        decision.answers(model[shown]),
    )
    return Changed(
        lost=len(changed.lost),
        won=len(changed.won),
        both_wrong=len(changed.both_wrong),
        examples=tuple(
            Example(
                sample=int(row),
                truth=_numbers(truth, decision),
                reference=_numbers(before, decision),
                answer=_numbers(after, decision),
                margin=float(changed.margin[row]),
            )
            for row, truth, before, after in zip(shown, *answers, strict=True)
        ),
    )


def class_names(numbers: Sequence[int], names: Sequence[str]) -> str:
    """An answer as a reader sees it: the names of its classes, or ``none``."""
    shown = (names[i] if 0 <= i < len(names) else str(i) for i in numbers)
    return ", ".join(shown) or "none"


def _numbers(answer: NDArray[Any], decision: Decision) -> tuple[int, ...]:
    return tuple(int(number) for number in decision.numbers(answer))
