"""What is wrong with a recipe: every problem that pydantic found, with its key and its fix.

raise together(refusals(validation_error, "recipe.toml"))
# recipe.toml: distill.temprature: unknown key; did you mean 'temperature'?
# recipe.toml: teacher.epochs: found 0, expected greater than or equal to 1
"""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ...errors import RecipeError
from .recipe import Recipe

Keys = frozenset[tuple[str, ...]]
"""Keys that options set, each as its steps; a table stands for every key below it."""


def told(path: Sequence[str], keys: Keys) -> bool:
    """Whether an option set the value at a path."""
    return any(tuple(path[:end]) in keys for end in range(1, len(path) + 1))


def refusals(
    error: ValidationError, where: str, below: Sequence[str] = (), keys: Keys = frozenset()
) -> list[RecipeError]:
    """Pydantic's problems, one a key: the key, what is wrong with it, what to do.

    Args:
        error: the problems.
        where: the file.
        below: the section that was checked; empty: the whole recipe.
        keys: those that options set; a problem names the option in place of the file.
    """
    problems = [(_path(problem, below), problem) for problem in error.errors()]
    unknown = [path for path, problem in problems if _is_unknown_key(problem, path)]
    # What follows from another problem is left out: the key that a misspelt one leaves missing,
    # and a list that is too short because its items were refused.
    meant = {(*path[:-1], _near(path)) for path in unknown}
    above = {path[:end] for path, _ in problems for end in range(len(path))}
    found: dict[str, RecipeError] = {}
    for path, problem in sorted(problems, key=lambda one: one[0] not in unknown):
        follows = {"missing": path in meant, "too_short": path in above}
        if follows.get(problem["type"], False):
            continue
        key = ".".join(path) or "the recipe"
        place = f"{'--set' if told(path, keys) else where}: {key}"
        found.setdefault(key, _refusal(problem, path, place, is_unknown=path in unknown))
    return list(found.values())


def _path(problem: Mapping[str, Any], below: Sequence[str]) -> tuple[str, ...]:
    """The steps to a key; pydantic calls the name of an entry ``[key]``."""
    return (*below, *(str(step) for step in problem["loc"] if step != "[key]"))


def _refusal(
    problem: Mapping[str, Any], path: Sequence[str], place: str, *, is_unknown: bool
) -> RecipeError:
    if is_unknown:
        near = _near(path)
        known = ", ".join(_keys_beside(path[:-1]))
        fix = f"did you mean {near!r}?" if near else f"known here: {known}"
        return RecipeError("unknown key", where=place, fix=fix)
    if problem["type"] == "missing":
        return RecipeError("missing", where=place, fix=f"add it: {_hint(path)}")
    expected = _expected(problem)
    if isinstance(problem["input"], Mapping) and problem["type"] == "value_error":
        return RecipeError(f"expected {expected}", where=place)
    choices = re.findall(r"'([^']+)'", expected) if problem["type"] == "literal_error" else []
    meant = difflib.get_close_matches(str(problem["input"]), choices, n=1)
    return RecipeError(
        found=_short(problem["input"]),
        expected=expected,
        where=place,
        fix=f"did you mean {meant[0]!r}?" if meant else None,
    )


def _near(path: Sequence[str]) -> str | None:
    """The known key that an unknown one resembles."""
    near = difflib.get_close_matches(path[-1], _keys_beside(path[:-1]), n=1)
    return near[0] if near else None


def _is_unknown_key(problem: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Whether a key is wrong and not its value; ``[gate]`` takes other keys by a pattern."""
    if problem["type"] != "string_pattern_mismatch":
        return bool(problem["type"] == "extra_forbidden")
    return path[-1] not in _keys_beside(path[:-1])


def _expected(problem: Mapping[str, Any]) -> str:
    context: Mapping[str, Any] = problem.get("ctx", {})
    if problem["type"] == "value_error":
        return str(context["error"])
    if problem["type"] == "string_pattern_mismatch":
        return f"text that matches {context['pattern']}"
    if problem["type"] == "model_type":
        return "a table"
    text = str(problem["msg"])
    text = re.sub(r"^Input should be ", "", text).replace("valid integer", "whole number")
    return text[:1].lower() + text[1:]


def _keys_beside(path: Sequence[str]) -> list[str]:
    """The keys of the section at a path."""
    model: type[BaseModel] = Recipe
    for step in path:
        if step.isdecimal():  # an index into a list; ``model`` is the type of its items already
            continue
        annotation: Any = model.model_fields[step].annotation
        types = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type)]
        inner = next((kind for kind in types if issubclass(kind, BaseModel)), None)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _hint(path: Sequence[str]) -> str:
    """An example of a missing key."""
    examples = {
        "name": 'name = "my-model"',
        "data": '[data] with source = "npz:my.npz"',
        "data.source": 'source = "npz:my.npz"',
        "teacher": '[teacher] with model = "resnet20"',
        "teacher.model": 'model = "resnet20"',
        "student": '[student] with model = "resnet8"',
        "student.model": 'model = "resnet8"',
        "gate": "[gate] with min_accuracy = 0.9",
    }
    return examples.get(".".join(path), path[-1])


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
