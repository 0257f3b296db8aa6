"""A recipe of which some keys are wrong: what can still be said of the others.

>>> half = without(Recipe, tree, {("data", "test")})                       # doctest: +SKIP
>>> half.data.validation, [str(told) for _, told in disagreements(half)]   # doctest: +SKIP
(0.1, ["as many values of std as of mean (1), not 2"])

A wrong key has no value: to read it raises ``AttributeError``, by which a check that needs it is
left out.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter

from ...errors import EdgestillError
from .part import Part
from .recipe import Recipe

Path = tuple[str, ...]
"""The steps to a key: names, and places in lists."""
Check = Callable[[Recipe], object]
"""A check of a recipe; raises ``EdgestillError``."""


def without(
    kind: type[Part], tree: Mapping[str, Any], wrong: Collection[Path], at: Path = ()
) -> Part:
    """A part with the keys that are right, and without the others.

    Args:
        kind: of the part.
        tree: its keys as TOML has them, lists as tuples.
        wrong: paths of the keys that pydantic refused.
        at: path of the part.
    """
    values: dict[str, Any] = {}
    for key, field in kind.model_fields.items():
        if key in tree:
            values |= _value(kind, key, tree[key], wrong, (*at, key))
        elif not field.is_required():
            values[key] = field.get_default(call_default_factory=True)
    if kind.model_config.get("extra") == "allow":
        more = {key: tree[key] for key in tree if key not in kind.model_fields}
        values |= {key: one for key, one in more.items() if not _below((*at, key), wrong)}
    part = kind.model_construct(**values)
    for key in kind.model_fields:
        if key not in values:
            part.__dict__.pop(key, None)  # the default, which stands for no key that is wrong
    return part


def _value(
    kind: type[Part], key: str, given: Any, wrong: Collection[Path], path: Path
) -> dict[str, Any]:
    """The value of a key, by its name; empty where it is wrong."""
    annotation = kind.model_fields[key].annotation
    inner, is_list = part_of(annotation), get_origin(annotation) is tuple
    if inner is not None and isinstance(given, Mapping) and not is_list:
        return {key: without(inner, given, wrong, path)}
    tables = isinstance(given, tuple) and all(isinstance(one, Mapping) for one in given)
    if inner is not None and tables and is_list:
        parts = (without(inner, one, wrong, (*path, str(i))) for i, one in enumerate(given))
        return {key: tuple(parts)}
    if _below(path, wrong):
        return {}
    return {key: _adapter(kind, key).validate_python(given)}


@cache
def _adapter(kind: type[Part], key: str) -> TypeAdapter[Any]:
    field = kind.model_fields[key]
    of: Any = Annotated[field.annotation, field]
    return TypeAdapter(of)


def part_of(annotation: Any) -> type[Part] | None:
    """The kind of part that a key holds, by itself or in a list; None: it holds none."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, Part):
            return one
    return None


def _below(path: Path, wrong: Collection[Path]) -> bool:
    """Whether the value at a path is wrong, or something inside it."""
    return any(one[: len(path)] == path for one in wrong)


def disagreements(part: Part, at: Path = ()) -> Iterator[tuple[Path, ValueError]]:
    """What the checks of several keys expect, with the path of their part."""
    for check in part.checks_across():
        try:
            check(part)
        except AttributeError:
            continue
        except ValueError as error:
            yield at, error
    for key, value in part:
        if isinstance(value, Part):
            yield from disagreements(value, (*at, key))
        elif isinstance(value, tuple):
            for place, one in enumerate(value):
                if isinstance(one, Part):
                    yield from disagreements(one, (*at, key, str(place)))


def refused(recipe: Recipe, checks: Sequence[Check]) -> list[EdgestillError]:
    """What further checks refuse, of those that need no key that is wrong."""
    problems: list[EdgestillError] = []
    for check in checks:
        try:
            check(recipe)
        except AttributeError:
            continue
        except EdgestillError as problem:
            problems += problem.problems
    return problems
