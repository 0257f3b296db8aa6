"""What is wrong with a recipe: every problem, with its key, what was found and what is expected.

raise together(refusals(validation_error, Checked(Recipe, tree, "recipe.toml")))
# recipe.toml: distill.temprature: unknown key; did you mean 'temperature'?
# recipe.toml: teacher.epochs: found -1, expected a whole number from 0 to 100,000

Pydantic stops at the values of single keys where one is wrong; what several keys are together is
looked at here all the same, as far as those keys are right.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from ...errors import EdgestillError, RecipeError, did_you_mean
from . import forms
from .incomplete import Check, Path, disagreements, part_of, refused, without
from .part import ACROSS, Part
from .recipe import Recipe

Keys = frozenset[Path]
"""Keys that options set, each as its steps; a table stands for every key below it."""


def told(path: Sequence[str], keys: Keys) -> bool:
    """Whether an option set the value at a path."""
    return any(tuple(path[:end]) in keys for end in range(1, len(path) + 1))


@dataclass(frozen=True)
class Checked:
    """What pydantic was asked to check.

    Attributes:
        kind: of the part.
        tree: its keys, lists as tuples.
        where: the file, or what else it comes from.
        below: its section; empty: it is the whole recipe.
        keys: those that options set; a problem names the option in place of the file.
        checks: of a whole recipe, made besides; one that needs a key that is wrong is left out.
    """

    kind: type[Part]
    tree: Mapping[str, Any]
    where: str
    below: Path = ()
    keys: Keys = frozenset()
    checks: Sequence[Check] = ()

    def at(self, path: Path) -> Any:
        """What stands at a path; None where nothing does."""
        node: Any = self.tree
        for step in path[len(self.below) :]:
            node = node.get(step) if isinstance(node, Mapping) else node[int(step)]
        return node

    def place(self, path: Path, *, several: bool = False) -> str:
        """Where a key stands, for a message.

        Args:
            path: of the key, or of a section.
            several: whether it is about several keys of the section, of which options may have set
                some.
        """
        key = ".".join(one if re.fullmatch(r"[\w-]+", one) else f'"{one}"' for one in path)
        where = "--set" if self._is_told(path, self.at(path)) else self.where
        if several and where != "--set" and any(one[: len(path)] == path for one in self.keys):
            where = f"{where} with --set"
        return f"{where}: {key or 'the recipe'}"

    def _is_told(self, path: Path, value: object) -> bool:
        """Whether options set a value: itself, or all that stands below it."""
        if told(path, self.keys):
            return True
        if not isinstance(value, Mapping) or not value:
            return False
        return all(self._is_told((*path, key), inner) for key, inner in value.items())


@cache
def _schema() -> forms.Node:
    return Recipe.model_json_schema()


def refusals(error: ValidationError, of: Checked) -> list[EdgestillError]:
    """All problems, one a key, and then those of several keys together.

    Args:
        error: the problems that pydantic found.
        of: what it found them in.
    """
    given = [one for one in error.errors() if one["type"] != ACROSS]
    problems = [(_path(problem, of), problem) for problem in given]
    unknown = [path for path, problem in problems if _is_unknown_key(problem, path)]
    # What follows from another problem is left out: the key that a misspelt one leaves missing,
    # and a list that is too short because its items were refused.
    meant = {(*path[:-1], _near(path)) for path in unknown}
    above = {path[:end] for path, _ in problems for end in range(len(path))}
    found: dict[Path, EdgestillError] = {}
    for path, problem in sorted(problems, key=lambda one: one[0] not in unknown):
        follows = {"missing": path in meant, "too_short": path in above}
        if not follows.get(problem["type"], False):
            found.setdefault(path, _refusal(problem, path, of, is_unknown=path in unknown))
    wrong = {path for path, _ in problems}
    half = without(of.kind, of.tree, wrong, of.below)
    together = [
        RecipeError(f"expected {expected}", where=of.place(path, several=True))
        for path, expected in disagreements(half, of.below)
    ]
    others = refused(half, of.checks) if isinstance(half, Recipe) else []
    return [*found.values(), *together, *others]


def _path(problem: Mapping[str, Any], of: Checked) -> Path:
    """The steps to a key that is in the tree, or should be.

    Pydantic adds steps that are no keys: ``[key]`` for the name of an entry, and the type that it
    tried of several. And it calls the place missing at which a list is too short.
    """
    node: Any = of.tree
    path = of.below
    for step in problem["loc"]:
        keys = range(len(node)) if isinstance(node, tuple) else node
        if isinstance(keys, range | Mapping) and step in keys:
            node = node[step]
        elif problem["type"] != "missing" or not isinstance(node, Mapping):
            break
        path = (*path, str(step))
    return path


_MEANT = {"int8": "int8-static", "int4": "int4-weights", "fp16-weights": "fp16"}
"""What a shorter name of a variant commonly means, where several begin with it."""


def _refusal(
    problem: Mapping[str, Any], path: Path, of: Checked, *, is_unknown: bool
) -> EdgestillError:
    place = of.place(path)
    if is_unknown:
        near, known = _near(path), ", ".join(_keys_beside(path[:-1]))
        near = f"did you mean {near!r}?" if near else f"known here: {known}"
        return RecipeError("unknown key", where=place, fix=near)
    node = forms.node_at(_schema(), path) or {}
    # The name of an entry stands at no path.
    value = problem["input"] if problem["type"] == "value_error" else of.at(path)
    if problem["type"] == "missing" and value is None:
        return RecipeError("missing", where=place, fix=f"add it: {_example(path, node)}")
    if problem["type"] == "value_error":
        expected = str(problem["ctx"]["error"])
        if "properties" in node:  # of a section as a whole
            return RecipeError(f"expected {expected}", where=place)
        return RecipeError(found=forms.shown(value), expected=expected, where=place)
    choices = [str(one) for one in node.get("enum", ())]
    meant = _MEANT.get(str(value)) if _MEANT.get(str(value)) in choices else None
    near = f"did you mean {meant!r}?" if meant else did_you_mean(str(value), choices)
    fix = near or forms.fix(value, node, path[-1])
    return RecipeError(found=forms.shown(value), expected=forms.takes(node), where=place, fix=fix)


def _near(path: Sequence[str]) -> str | None:
    """The known key that an unknown one resembles."""
    near = difflib.get_close_matches(path[-1], _keys_beside(path[:-1]), n=1)
    return near[0] if near else None


def _is_unknown_key(problem: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Whether a key is wrong and not its value; ``[gate]`` takes other keys by a pattern."""
    if problem["type"] != "string_pattern_mismatch":
        return bool(problem["type"] == "extra_forbidden")
    return path[-1] not in _keys_beside(path[:-1])


def _keys_beside(path: Sequence[str]) -> list[str]:
    """The keys of the section at a path."""
    model: type[Part] = Recipe
    for step in path:
        if step.isdecimal():  # a place in a list; ``model`` is the type of its items already
            continue
        inner = part_of(model.model_fields[step].annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _example(path: Path, node: forms.Node) -> str:
    """A key that is missing, with a value."""
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
    return examples.get(".".join(path), f"{path[-1]} = …, {forms.takes(node)}")
