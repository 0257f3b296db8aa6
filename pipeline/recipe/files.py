"""Recipes as TOML: read, override, check and write them.

    >>> recipe = load(bundled("digits"), overrides=["distill.temperature=2"])
    >>> recipe.distill.temperature
    2.0

An unknown key is an error that suggests the nearest known key. Every error names the file or the
option, the key, the value found and what is expected. Paths in a recipe are relative to the folder
of its file, those of ``--set`` to the current one, as a shell completes them.
"""

import copy
import difflib
import json
import math
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ...errors import RecipeError
from .architecture import Member
from .compress import Compress
from .data import SOURCE_KINDS
from .model_names import PATH_KINDS
from .recipe import Recipe


def bundled(name: str) -> Path:
    """The path of a recipe that ships with edgestill, such as ``digits``."""
    return Path(__file__).with_name(f"{name}.toml")


def load(path: Path, overrides: Iterable[str] = (), *, seed: int | None = None) -> Recipe:
    """Read a recipe.

    Args:
        path: the TOML file.
        overrides: ``key.path=value`` texts; a value is TOML, a bare word is a string.
        seed: replaces the recipe's own seed, unless None.

    Raises:
        RecipeError: the file, a key or a value is wrong; the error names it and says what was
            expected.
    """
    tree, overrides = _read(path), tuple(overrides)
    if seed is not None:
        tree["seed"] = seed
    recipe = parse(tree, where=str(path), overrides=overrides)
    return _anchored(recipe, _Folders(path.parent.resolve(), _keys_of(overrides)))


def parse(tree: Mapping[str, Any], *, where: str, overrides: Iterable[str] = ()) -> Recipe:
    """Make a recipe of a tree that TOML or JSON was parsed to.

    Raises:
        RecipeError: a key or a value is wrong; ``where`` names the file.
    """
    overridden, overrides = copy.deepcopy(dict(tree)), tuple(overrides)
    for text in overrides:
        _override(overridden, text)
    try:
        return Recipe.model_validate(_tuples(overridden))
    except ValidationError as error:
        raise _refusal(error, where, told=_keys_of(overrides)) from None


def compress_part(methods: Sequence[str], target: str, settings: Iterable[str] = ()) -> Compress:
    """The ``[compress]`` section alone, for a model without a recipe.

    Args:
        methods: variants to make.
        target: device to compress for.
        settings: ``key=value`` texts of keys in that section.

    Raises:
        RecipeError: a method, a key or a value is wrong.
    """
    tree: dict[str, Any] = {"compress": {"variants": list(methods), "target": target}}
    for text in settings:
        _override(tree, f"compress.{text}")
    try:
        return Compress.model_validate(_tuples(tree["compress"]))
    except ValidationError as error:
        raise _refusal(error, "quantize", below=("compress",)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(
            "no such file", where=str(path), fix="write one with: edgestill init DIR"
        ) from None
    except OSError as error:
        raise RecipeError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"not UTF-8 ({error})", where=str(path)) from None
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 5,000 digits
        raise RecipeError(f"not valid TOML: {error}", where=str(path)) from None


_STEP = re.compile(r'[A-Za-z0-9_]+|"[^"\n]+"')
_OVERRIDE = re.compile(
    rf"\s*(?P<key>(?:{_STEP.pattern})(?:\.(?:{_STEP.pattern}))*)\s*=(?P<value>.*)", re.DOTALL
)
"""``key.path=value``; a name that is no bare word stands in quotes: ``gate.min_recall."a b"=1``."""


def _override(tree: dict[str, Any], text: str) -> None:
    match = _OVERRIDE.fullmatch(text)
    if match is None:
        raise RecipeError(
            found=repr(text), expected="key=value, such as distill.temperature=2", where="--set"
        )
    value = match["value"]
    try:
        parsed, *others = tomllib.loads(f"value = {value.strip()}").values()
    except (ValueError, RecursionError):
        parsed, others = value.strip(), []
    if others:
        raise RecipeError(found=repr(text), expected="one key and one value", where="--set")
    *parents, leaf = _steps(match["key"])
    for parent in parents:
        inner: Any = tree.setdefault(parent, {})
        if not isinstance(inner, dict):
            found, expected = repr(match["key"]), f"{parent!r} to be a table"
            raise RecipeError(found=found, expected=expected, where="--set")
        tree = inner
    tree[leaf] = parsed


def _steps(key: str) -> tuple[str, ...]:
    return tuple(part.strip('"') for part in _STEP.findall(key))


Keys = frozenset[tuple[str, ...]]
"""Keys that options set, each as its steps; a table stands for every key below it."""


def _keys_of(overrides: Iterable[str]) -> Keys:
    """The keys of overrides that ``_override`` took."""
    matches = (_OVERRIDE.fullmatch(text) for text in overrides)
    return frozenset(_steps(match["key"]) for match in matches if match)


def _told(path: Sequence[str], keys: Keys) -> bool:
    """Whether an option set the value at a path."""
    return any(tuple(path[:end]) in keys for end in range(1, len(path) + 1))


def _tuples(node: Any) -> Any:
    """The same tree with lists as tuples, for strict models accept no list as a tuple."""
    if isinstance(node, Mapping):
        return {key: _tuples(value) for key, value in node.items()}
    if isinstance(node, list):
        return tuple(_tuples(value) for value in node)
    return node


@dataclass(frozen=True)
class _Folders:
    """Where relative paths start from.

    Attributes:
        recipe: the folder of the recipe's file.
        told: keys that options set; their paths start from the current folder.
    """

    recipe: Path
    told: Keys

    def below(self, path: Path, key: str) -> Path:
        """A path, absolute."""
        try:
            path = path.expanduser()
        except RuntimeError:
            raise RecipeError(
                found=repr(str(path)), expected="a home folder that exists", where=key
            ) from None
        return (Path.cwd() if _told(key.split("."), self.told) else self.recipe) / path

    def named(self, name: str, kinds: Collection[str], key: str) -> str:
        """``KIND:PATH`` with an absolute path; any other name unchanged."""
        kind, _, rest = name.partition(":")
        return f"{kind}:{self.below(Path(rest), key)}" if kind in kinds and rest else name

    def device(self, name: str, key: str) -> str:
        """A device's file with an absolute path; any other name unchanged."""
        return str(self.below(Path(name), key)) if name.endswith(".toml") else name


def _anchored(recipe: Recipe, folders: _Folders) -> Recipe:
    """The same recipe with absolute paths."""
    data, teacher = recipe.data, recipe.teacher
    compress, benchmark = recipe.compress, recipe.benchmark
    source = folders.named(data.source, SOURCE_KINDS, "data.source")
    text = data.text
    if text.tokenizer is not None:
        file = folders.below(text.tokenizer, "data.text.tokenizer")
        text = text.model_copy(update={"tokenizer": file})
    members = tuple(_member(folders, member, "teacher.members") for member in teacher.members)
    teacher = _member(folders, teacher, "teacher").model_copy(update={"members": members})
    data = data.model_copy(update={"source": source, "text": text})
    if compress.target is not None:
        target = folders.device(compress.target, "compress.target")
        compress = compress.model_copy(update={"target": target})
    device = folders.device(benchmark.device, "benchmark.device")
    benchmark = benchmark.model_copy(update={"device": device})
    parts = {"data": data, "teacher": teacher, "compress": compress, "benchmark": benchmark}
    return recipe.model_copy(update=parts)


M = TypeVar("M", bound=Member)


def _member(folders: _Folders, member: M, key: str) -> M:
    model = folders.named(member.model, PATH_KINDS, f"{key}.model")
    update: dict[str, Any] = {"model": model}
    if member.weights is not None:
        update["weights"] = folders.below(member.weights, f"{key}.weights")
    return member.model_copy(update=update)


def _refusal(
    error: ValidationError, where: str, below: Sequence[str] = (), told: Keys = frozenset()
) -> RecipeError:
    """Pydantic's first problem as one line: the key, what is wrong with it, what to do.

    Args:
        error: the problems.
        where: the file.
        below: the section that was checked; empty: the whole recipe.
        told: keys that options set; the error names the option in place of the file.
    """
    problems = error.errors()
    # A misspelt key is reported as missing, too. The unknown key tells the user more.
    unknown = [p for p in problems if _is_unknown_key(p, below)]
    problem = (unknown or problems)[0]
    others = len({p["loc"] for p in problems} - {problem["loc"]})
    more = f" (and {others} more)" if others else ""
    path = [*below, *(str(step) for step in problem["loc"])]
    key = ".".join(path) or "the recipe"
    place = f"{'--set' if _told(path, told) else where}: {key}"
    if unknown:
        keys = _keys_beside(path[:-1])
        near = difflib.get_close_matches(path[-1], keys, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(keys)}"
        return RecipeError(f"unknown key{more}", where=place, fix=fix)
    if problem["type"] == "missing":
        return RecipeError(f"missing{more}", where=place, fix=f"add it: {_hint(path)}")
    expected = _expected(problem) + more
    if isinstance(problem["input"], Mapping) and problem["type"] == "value_error":
        return RecipeError(f"expected {expected}", where=place)
    return RecipeError(found=_short(problem["input"]), expected=expected, where=place)


def _is_unknown_key(problem: Mapping[str, Any], below: Sequence[str]) -> bool:
    """Whether a key is wrong and not its value; ``[gate]`` takes other keys by a pattern."""
    if problem["type"] != "string_pattern_mismatch":
        return bool(problem["type"] == "extra_forbidden")
    *parents, key = (*below, *map(str, problem["loc"]))
    return key not in _keys_beside(parents)


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


def dump(recipe: Recipe) -> str:
    """A recipe as TOML. ``load`` reads it back as the same recipe."""
    return toml(recipe.model_dump(mode="json", exclude_none=True))


def toml(tree: Mapping[str, Any]) -> str:
    """A recipe's tree as TOML: one section per table; a table inside a section is on one line.

    Numbers, strings and booleans are written as JSON, which TOML shares.
    """
    lines = [_line(key, value) for key, value in tree.items() if not isinstance(value, dict)]
    for section, part in tree.items():
        if isinstance(part, dict):
            lines += ["", f"[{section}]", *(_line(key, value) for key, value in part.items())]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
    return f"{key if bare else _value(key)} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_line(key, inner) for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # TOML, unlike JSON, requires that DEL is escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The JSON Schema of a recipe or a report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
        "title": title,
    }
