"""A metric: its name, unit and direction, and what a model must show by it.

>>> Metric("macro-F1", "share").key
'min_macro_f1'
>>> Metric("RMSE", "label unit", higher_is_better=False).key
'max_rmse'

Every metric that a task reports can be a budget and can choose checkpoints; nothing else has to
name it.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Outputs = NDArray[Any]
Truth = NDArray[Any]
MetricUnit = Literal["share", "label unit", "label deviations", "nats", "none"]
"""``label unit``: that of the labels; ``label deviations``: standard deviations of the labels."""


def slug(name: str) -> str:
    """A name as a part of a key: ``R²`` is r2, ``recall@1`` is recall_at_1."""
    plain = unicodedata.normalize("NFKC", name).lower().replace("@", " at ")
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure by which outputs are judged.

    Attributes:
        name: in records and reports.
        unit: of its value.
        higher_is_better: its direction.
        of_all: whether there is one figure for all samples, ``metrics[name]``.
        of_each: whether there is one of each class, label or number, ``metrics["name[index]"]``.
        value: ``(outputs, truth)``: the figure alone, cheap, a number wherever the outputs are
            numbers, so that epochs can be compared. None where it cannot choose epochs.
        constant: ``(truth)``: the outputs [n, k] of the answer that is best by this metric among
            those that do not depend on the input. A model that is not shown to be better is not
            READY. None where that is not asked of it.
        mean_of: the metric of each class that this one is the mean of; None where it is no such
            mean. Held against a constant answer, its interval is made of those of the classes.
        nothing: the value of one class, label or number at which nothing of it was learned, and
            what it then is, in words; None where there is no such value.
    """

    name: str
    unit: MetricUnit
    higher_is_better: bool = True
    of_all: bool = True
    of_each: bool = False
    value: Callable[[Outputs, Truth], float] | None = None
    constant: Callable[[Truth], Outputs] | None = None
    mean_of: str | None = None
    nothing: tuple[float, str] | None = None

    @property
    def key(self) -> str:
        """Its budget's key in a recipe's ``[gate]``."""
        return f"{'min' if self.higher_is_better else 'max'}_{slug(self.name)}"

    def measure(self, outputs: Outputs, truth: Truth) -> float:
        """The figure alone.

        Raises:
            ValueError: it has no ``value``.
        """
        if self.value is None:
            raise ValueError(f"{self.name} is no figure of epochs")
        return self.value(outputs, truth)

    def merit(self, value: float) -> float:
        """A value so that more is better."""
        return value if self.higher_is_better else -value
