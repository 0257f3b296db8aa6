"""What recorded answers may be: logits, probabilities, or a class with the confidence in it.

>>> spread(np.array(["no"]), np.array([0.9]), ("yes", "no"), np.array(["7"]), "a.csv").answers
array([[0.1, 0.9]], dtype=float32)
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, did_you_mean
from .. import tasks

Form = Literal["logits", "numbers", "probabilities"]
"""What a file says its numbers are; ``numbers`` where it says nothing."""
SUM_TOLERANCE = 0.05
"""Probabilities that are said to be some add up to 1 this nearly: ten of two decimals do."""


class Read(NamedTuple):
    """A file of recorded answers.

    Attributes:
        ids: of the samples, [n].
        answers: numbers [n, k], or [n] where each sample has one.
        columns: the names of the columns they come from, where they have names.
        form: what the numbers are.
    """

    ids: NDArray[Any]
    answers: NDArray[Any]
    columns: tuple[str, ...]
    form: Form


Converter = Callable[[NDArray[np.float32], NDArray[np.str_]], NDArray[np.float32]]
"""``(answers [n, k], ids)``: logits [n, k]."""


def converter(form: Form, task: str, where: str) -> Converter | None:
    """What makes logits of recorded answers; None where they are logits.

    Args:
        form: what they are.
        task: its name, which decides what a probability is.
        where: the file, for a message.

    Raises:
        DataError: probabilities for a task that has none.
    """
    if form != "probabilities":
        return None
    of, exclusive = tasks.of(task).probabilities, tasks.of(task).exclusive
    if of is None:
        raise DataError(
            found=f"probabilities for the task {task!r}, whose outputs are numbers of their own",
            expected="the numbers, as 'logits'",
            where=where,
        )

    def logits(answers: NDArray[np.float32], ids: NDArray[np.str_]) -> NDArray[np.float32]:
        wrong = (answers < 0.0).any(1) | (answers > 1.0).any(1)
        sums = answers.sum(1, dtype=np.float64)
        if exclusive:
            wrong |= np.abs(sums - 1.0) > SUM_TOLERANCE
        if wrong.any():
            row = int(np.argmax(wrong))
            shown = ", ".join(f"{p:.3g}" for p in answers[row][:5])
            raise DataError(
                found=f"{shown}{', …' if answers.shape[1] > 5 else ''} for {str(ids[row])!r}",
                expected="probabilities from 0 to 1" + (" that add up to 1" if exclusive else ""),
                where=where,
                fix="name them 'logits' if they are logits",
            )
        if exclusive:
            answers = (answers / sums[:, None]).astype(np.float32)
        return of.logits(answers)

    return logits


def are_probabilities(answers: NDArray[np.float32], form: Form, task: str) -> bool:
    """Whether numbers that are not said to be probabilities are some.

    Of classes every row adds up to 1, which no logits do by chance. Numbers of several labels that
    lie between 0 and 1 may be logits, if a file says so.
    """
    of = tasks.of(task).probabilities
    if of is None or form == "probabilities" or (form == "logits" and not tasks.of(task).exclusive):
        return False
    return of.recognized(answers)


def spread(
    classes: NDArray[Any],
    confidence: NDArray[Any],
    labels: Sequence[str],
    ids: NDArray[Any],
    where: str,
) -> Read:
    """A class and the confidence in it as a distribution: the rest is spread over the others.

    A row without a class, or without a confidence, is no answer and left out.

    Args:
        classes: names, or numbers of the classes from 0, [n].
        confidence: in each class, [n].
        labels: names of the classes of the data set.
        ids: of the samples, [n].
        where: the file, for a message.

    Raises:
        DataError: no such class; a confidence below chance, which is one in another class.
    """
    if len(labels) < 2:
        raise DataError(
            "a class with its confidence, for data without classes",
            where=where,
            fix='give "logits", or the names of the classes as data.labels',
        )
    if not (
        classes.ndim == confidence.ndim == ids.ndim == 1 and _as_long(classes, confidence, ids)
    ):
        raise DataError(
            found=f"{len(ids)} ids, labels of shape {list(classes.shape)} and confidences of shape "
            f"{list(confidence.shape)}",
            expected="one of each for every row",
            where=where,
        )
    if confidence.dtype.kind not in "fiu":
        raise DataError(
            found=f"confidences of type {confidence.dtype}", expected="numbers", where=where
        )
    names = [_name(one) for one in classes.tolist()]
    sure = np.asarray(confidence, np.float64)
    kept = np.flatnonzero((np.array(names, np.str_) != "") & ~np.isnan(sure))
    places = {name: place for place, name in enumerate(labels)}
    by_number = {str(place): place for place in range(len(labels))}
    answers = np.empty((len(kept), len(labels)), np.float32)
    for row, at in enumerate(kept):
        place = places.get(names[at], by_number.get(names[at]))
        if place is None:
            raise _no_class(names[at], str(ids[at]), labels, where)
        if not 1.0 / len(labels) <= sure[at] <= 1.0:
            raise DataError(
                found=f"a confidence of {sure[at]:g} in {names[at]!r} for {str(ids[at])!r}",
                expected=f"from {1.0 / len(labels):.3g}, which is chance, to 1",
                where=where,
            )
        answers[row] = (1.0 - sure[at]) / (len(labels) - 1)
        answers[row, place] = sure[at]
    return Read(ids[kept], answers, (), "probabilities")


def _as_long(*arrays: NDArray[Any]) -> bool:
    return len({len(array) for array in arrays}) == 1


def _name(value: object) -> str:
    """The name of a class as the data set has it: 1.0, as columns with gaps hold it, is '1'."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:g}"
    return str(value).strip()


def _no_class(name: str, sample: str, labels: Sequence[str], where: str) -> DataError:
    first = ", ".join(map(repr, labels[:8])) + (", …" if len(labels) > 8 else "")
    return DataError(
        found=f"the class {name!r} for {sample!r}",
        expected=f"one of {first}",
        where=where,
        fix=did_you_mean(name, labels) or "leave the label of this row empty",
    )
