"""The budgets of a task: every metric that it reports, beside those of ``BUDGETS``.

>>> from edgestill.pipeline import tasks
>>> find("min_macro_f1", tasks.of("classification"), ()).title
'macro-F1 on test'
>>> find("min_recall.cat", tasks.of("classification"), ("cat", "dog")).title
"recall of 'cat' on test"

The key of a metric is made of its name and direction, so a metric of a new task is a budget without
a line here. A metric of each class is set by their names: ``min_recall = { cat = 0.9 }``.
"""

import difflib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ...devices.onboard.stats.estimate import Estimate
from ...errors import RecipeError, check_all
from .. import tasks
from ..recipe.gate import Gate
from ..records import VariantQuality, VerifyRecord
from ..tasks.metric import Metric
from .budgets import BUDGETS, Budget, Direction

ABOVE_CONSTANT = "above_constant"
"""Before the key of a metric: what a model gains over the best answer that ignores its input."""
OF_RECALL = "max_worst_class_drop"
"""The one of ``BUDGETS`` that only tasks with classes or labels have."""
_SHOWN = 30
"""Names in a message."""
_ALIKE = 0.8
"""From which likeness on a name is a misspelt one, whatever it is about."""
_ABOUT = {
    **dict.fromkeys(("latency", "ms", "time"), "max_p50_ms"),
    **dict.fromkeys(("memory", "ram"), "max_peak_memory_mib"),
    **dict.fromkeys(("size", "bytes", "flash"), "max_size_kib"),
    "arena": "max_arena_kib",
    "energy": "max_energy_uj",
}
"""What a name that nobody knows may be about, and the budget of that."""


def of_record(key: str, quality: VerifyRecord) -> Budget:
    """The budget of a key, for a run's record; see ``find``."""
    return find(key, tasks.of(quality.task), quality.labels)


def find(key: str, task: tasks.Task, labels: Sequence[str]) -> Budget:
    """The budget of a key.

    Args:
        key: as ``Gate.budgets`` and ``Check`` have it.
        task: whose metrics may be meant.
        labels: names of the classes, labels or numbers, in their order.

    Returns:
        Where nothing has that name, a budget whose figure is unknown: it decides nothing.
    """
    if key in BUDGETS:
        return BUDGETS[key]
    name, _, part = key.partition(".")
    above = name == ABOVE_CONSTANT
    metric = _by_key(task).get(part if above else name)
    if part and len(labels) == 1 and metric is not None and metric.of_all and part == labels[0]:
        part = ""  # of one number the figure of all is its own
    if metric is None or (part and not above and part not in labels):
        direction = _direction(name.startswith("min"))
        return Budget("none", direction, key, quality=_unknown(f"no figure is called {key}"))
    if above:
        return _above_constant(metric)
    if part:
        number = labels.index(part)
        short, figure = f"{metric.name} of {part!r}", _figure_of(f"{metric.name}[{number}]")
    else:
        short = metric.name
        figure = _score if metric == task.metric else _figure_of(metric.name)
    direction = _direction(metric.higher_is_better)
    return Budget(metric.unit, direction, f"{short} on test", quality=figure, short=short)


def check(gate: Gate, task: tasks.Task, labels: Sequence[str] | None = None) -> None:
    """Refuse a budget that a task does not have.

    Args:
        gate: the budgets.
        task: of the data.
        labels: names of the classes, labels or numbers; None where they are not known yet.

    Raises:
        RecipeError: another task's budget, a value that its metric cannot have, or a class that
            the data lacks; names those there are, and the nearest.
    """
    check_all(*(partial(_check, key, value, task, labels) for key, value in gate.budgets().items()))


def _check(key: str, value: float, task: tasks.Task, labels: Sequence[str] | None) -> None:
    name, known = key.partition(".")[0], keys(task)
    if name not in known:
        _refuse_key(name, task, known)
    if (metric := _by_key(task).get(name)) is not None:
        _check_parts(key, metric, task, labels)
        _check_value(key, value, metric)


def keys(task: tasks.Task) -> list[str]:
    """The keys of every budget of a task, its metrics first."""
    general = [key for key in BUDGETS if key != OF_RECALL or task.recall_noun is not None]
    return [*_by_key(task), *general]


def in_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A recipe's JSON Schema with the metrics of every task as keys of ``[gate]``, and no other."""
    gate = dict(schema["$defs"]["Gate"])
    added = {key: value for key, value in _properties().items() if key not in gate["properties"]}
    gate |= {"properties": {**gate["properties"], **added}, "additionalProperties": False}
    return {**schema, "$defs": {**schema["$defs"], "Gate": gate}}


def _properties() -> dict[str, Any]:
    """Of every metric of every task, as JSON Schema."""
    having: dict[str, list[tuple[str, Metric]]] = {}
    for task in tasks.TASKS.values():
        for key, metric in _by_key(task).items():
            having.setdefault(key, []).append((task.name, metric))
    return {key: _property(of) for key, of in having.items()}


def _property(having: Sequence[tuple[str, Metric]]) -> dict[str, Any]:
    metric = having[0][1]
    names = ", ".join(name for name, _ in having)
    number: dict[str, Any] = {"type": "number"}
    if metric.unit == "share":
        number |= {"minimum": 0.0, "maximum": 1.0}
    forms: list[dict[str, Any]] = []
    if any(one.of_all for _, one in having):
        forms.append(number)
    if any(one.of_each for _, one in having):
        forms.append({"type": "object", "additionalProperties": number, "minProperties": 1})
    of = "" if any(one.of_all for _, one in having) else "of a class or label, by its name, "
    form = forms[0] if len(forms) == 1 else {"anyOf": forms}
    return {**form, "description": f"{metric.name} {of}on test; for {names}."}


def _by_key(task: tasks.Task) -> dict[str, Metric]:
    return {metric.key: metric for metric in task.reported}


def _direction(at_least: bool) -> Direction:
    return "at least" if at_least else "at most"


def _above_constant(metric: Metric) -> Budget:
    unit = "points" if metric.unit == "share" else metric.unit
    title = f"{metric.name} gained over the best constant answer"

    def figure(quality: VariantQuality) -> Estimate:
        gains = {gain.metric: gain.gain for gain in quality.over_constant}
        missing = "this run did not compare it with a constant answer"
        return gains.get(metric.name, Estimate.unknown(missing))

    return Budget(unit, "above", title, quality=figure, short=f"{metric.name} over a constant")


def _score(quality: VariantQuality) -> Estimate:
    return quality.score


def _figure_of(name: str) -> Callable[[VariantQuality], Estimate]:
    missing = Estimate.unknown(f"{name} is not defined on these test samples")
    return lambda quality: quality.metrics.get(name, missing)


def _unknown(reason: str) -> Callable[[VariantQuality], Estimate]:
    return lambda _: Estimate.unknown(reason)


def _refuse_key(name: str, task: tasks.Task, known: Sequence[str]) -> None:
    meant = _meant(name, known)
    near = meant or difflib.get_close_matches(name, known)
    raise RecipeError(
        found=f"a budget that {task.name} does not have",
        expected=None if meant else f"one of {', '.join(known)}",
        where=f"gate.{name}",
        fix=f"did you mean {near[0]!r}?" if near else f"leave gate.{name} out",
    )


def _meant(name: str, known: Sequence[str]) -> list[str]:
    """The budget that a name surely is: misspelt, or as ``max_latency`` by what it is about."""
    about = [key for word, key in _ABOUT.items() if word in name.split("_") and key in known]
    return difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE) or about


def _check_parts(key: str, metric: Metric, task: tasks.Task, labels: Sequence[str] | None) -> None:
    """Refuse one number where each class has its own, a table where none has, and other names."""
    name, _, part = key.partition(".")
    noun, nouns = task.output_noun or ("output", "outputs")
    if not part and not metric.of_all:
        raise RecipeError(
            found="one number",
            expected=f"a table of numbers by the name of a {noun}, as {metric.name} is of each",
            where=f"gate.{name}",
            fix=f"{name} = {{ {_quoted(labels[0] if labels else 'NAME')} = … }}",
        )
    if part and not metric.of_each:
        raise RecipeError(
            found=f"a table by {noun}",
            expected=f"one number, as {metric.name} is of all {nouns} together",
            where=f"gate.{name}",
        )
    if part and labels is not None and part not in labels:
        near = difflib.get_close_matches(part, labels)
        shown = ", ".join(map(repr, labels[:_SHOWN])) + ", …" * (len(labels) > _SHOWN)
        raise RecipeError(
            found=f"{part!r}, which is no {noun} of the data",
            expected=f"one of {shown}",
            where=f"gate.{name}",
            fix=f"did you mean {near[0]!r}?" if near else f"name one of the {nouns}",
        )


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f'"{name}"'


def _check_value(key: str, value: float, metric: Metric) -> None:
    if metric.unit == "share" and not 0.0 <= value <= 1.0:
        percent = f"; {value:g} % is {value / 100:g}" if 1.0 < value <= 100.0 else ""
        raise RecipeError(
            found=f"{value:g}",
            expected=f"0 to 1, as {metric.name} is a share{percent}",
            where=f"gate.{key}",
        )
    if not metric.higher_is_better and value < 0.0:
        raise RecipeError(
            found=f"{value:g}", expected=f"at least 0, as {metric.name} is", where=f"gate.{key}"
        )
