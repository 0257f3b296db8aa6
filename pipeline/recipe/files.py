"""Recipes as TOML: read, override, check and write them.

    >>> recipe = load(bundled("digits"), overrides=["distill.temperature=2"])
    >>> recipe.distill.temperature
    2.0

Everything that is wrong is told at once (``problems``): each names the file or the option, the key,
the value found and what is expected; an unknown key the nearest known one. Paths in a recipe are
relative to the folder of its file, those of ``--set`` to the current one, as a shell completes
them.
"""

import copy
import json
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ...errors import EdgestillError, RecipeError, no_file, raise_all
from . import user_function
from .architecture import Member
from .compress import Compress
from .data import SOURCE_KINDS
from .incomplete import Check
from .model_names import PATH_KINDS
from .problems import Checked, Keys, refusals, told
from .recipe import Recipe


def bundled(name: str) -> Path:
    """The path of a recipe that ships with edgestill, such as ``digits``."""
    return Path(__file__).with_name(f"{name}.toml")


def load(
    path: Path,
    overrides: Iterable[str] = (),
    *,
    seed: int | None = None,
    checks: Sequence[Check] = (),
) -> Recipe:
    """Read a recipe; from here on the modules that it names are looked up beside it first.

    Args:
        path: the TOML file.
        overrides: ``key.path=value`` texts; a value is TOML, a bare word is a string.
        seed: replaces the recipe's own seed, unless None.
        checks: as for ``parse``.

    Raises:
        RecipeError: the file, a key or a value is wrong; the error names it and says what was
            expected.
    """
    tree, overrides = _read(path), tuple(overrides)
    if seed is not None:
        tree["seed"] = seed
    recipe = parse(tree, where=str(path), overrides=overrides, checks=checks)
    folder = path.parent.resolve()
    # Beside a recipe of ours lie modules of ours, such as data.py.
    user_function.look_beside(None if folder == Path(__file__).resolve().parent else folder)
    return _anchored(recipe, _Folders(folder, _keys_of(overrides)))


def parse(
    tree: Mapping[str, Any],
    *,
    where: str,
    overrides: Iterable[str] = (),
    checks: Sequence[Check] = (),
) -> Recipe:
    """Make a recipe of a tree that TOML or JSON was parsed to.

    Args:
        tree: its sections by name.
        where: names the file.
        overrides: as for ``load``.
        checks: what will be asked of the recipe later on. Where it is refused here, what they
            refuse of the keys that are right is told with the rest.

    Raises:
        RecipeError: keys or values are wrong, with all of them beside the first.
    """
    overridden, overrides = copy.deepcopy(dict(tree)), tuple(overrides)
    problems = _override_all(overridden, overrides)
    given = Checked(Recipe, _tuples(overridden), where, keys=_keys_of(overrides), checks=checks)
    try:
        recipe = Recipe.model_validate(given.tree)
    except ValidationError as error:
        problems += refusals(error, given)
    raise_all(problems)
    return recipe


def of_tree(
    tree: Mapping[str, Any],
    overrides: Iterable[str] = (),
    *,
    seed: int | None = None,
    checks: Sequence[Check] = (),
) -> Recipe:
    """A recipe that is in memory, as a tree that TOML or JSON would be parsed to.

    Its relative paths start from the current folder.

    Args:
        tree: its sections by name.
        overrides: as for ``load``.
        seed: replaces the recipe's own seed, unless None.
        checks: as for ``parse``.

    Raises:
        RecipeError: a key or a value is wrong; the error names it and says what was expected.
    """
    overrides = tuple(overrides)
    user_function.look_beside(None)
    seeded = tree if seed is None else {**tree, "seed": seed}
    recipe = parse(seeded, where="the recipe", overrides=overrides, checks=checks)
    return _anchored(recipe, _Folders(Path.cwd(), _keys_of(overrides)))


def over(
    base: Mapping[str, Any],
    path: Path | None,
    overrides: Iterable[str] = (),
    *,
    seed: int | None = None,
    checks: Sequence[Check] = (),
) -> Recipe:
    """A recipe made of another one's tree, with the keys of a file and of overrides over it.

    Args:
        base: a recipe's sections by name, its paths absolute.
        path: a TOML file with any keys of a recipe; its relative paths start from its folder.
        overrides: as for ``load``.
        seed: replaces the recipe's own seed, unless None.
        checks: as for ``parse``.

    Raises:
        RecipeError: as ``load``.
    """
    overrides = tuple(overrides)
    tree = _laid_over(base, {} if path is None else _read(path))
    if seed is not None:
        tree["seed"] = seed
    folder = None if path is None else path.parent.resolve()
    user_function.look_beside(folder)
    where = "the recipe" if path is None else str(path)
    recipe = parse(tree, where=where, overrides=overrides, checks=checks)
    return _anchored(recipe, _Folders(folder or Path.cwd(), _keys_of(overrides)))


def _laid_over(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One tree with another's keys; a section that both have is theirs together."""
    merged = dict(base)
    for key, value in above.items():
        own = merged.get(key)
        both = isinstance(own, Mapping) and isinstance(value, Mapping)
        merged[key] = _laid_over(own, value) if both else value  # type: ignore[arg-type]
    return merged


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
    settings = tuple(settings)
    problems = _override_all(tree, settings, below="compress.")
    keys = _keys_of(f"compress.{text}" for text in settings)
    given = Checked(Compress, _tuples(tree["compress"]), "--method", ("compress",), keys)
    try:
        part = Compress.model_validate(given.tree)
    except ValidationError as error:
        problems += refusals(error, given)
    raise_all(problems)
    return part


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise no_file(path, RecipeError, "write one with: edgestill init DIR") from None
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


def _override_all(
    tree: dict[str, Any], texts: Iterable[str], below: str = ""
) -> list[EdgestillError]:
    """Set every key that a text sets, and return what is wrong with the other texts.

    Args:
        tree: is changed.
        texts: ``key.path=value`` each.
        below: what stands before each key in the tree, with its point.
    """
    problems: list[EdgestillError] = []
    for text in texts:
        try:
            _override(tree, text, below)
        except RecipeError as problem:
            problems.append(problem)
    return problems


def _override(tree: dict[str, Any], text: str, below: str) -> None:
    match = _OVERRIDE.fullmatch(below + text)
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


def _keys_of(overrides: Iterable[str]) -> Keys:
    """The keys of overrides that ``_override`` took."""
    matches = (_OVERRIDE.fullmatch(text) for text in overrides)
    return frozenset(_steps(match["key"]) for match in matches if match)


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
        return (Path.cwd() if told(key.split("."), self.told) else self.recipe) / path

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
    student = recipe.student
    if student.weights is not None:
        file = folders.below(student.weights, "student.weights")
        student = student.model_copy(update={"weights": file})
    members = tuple(_member(folders, member, "teacher.members") for member in teacher.members)
    teacher = _member(folders, teacher, "teacher").model_copy(update={"members": members})
    more = data.unlabelled
    if more is not None:
        more = folders.named(more, SOURCE_KINDS, "data.unlabelled")
    data = data.model_copy(update={"source": source, "unlabelled": more, "text": text})
    if compress.target is not None:
        target = folders.device(compress.target, "compress.target")
        compress = compress.model_copy(update={"target": target})
    device = folders.device(benchmark.device, "benchmark.device")
    benchmark = benchmark.model_copy(update={"device": device})
    parts = {
        "data": data,
        "teacher": teacher,
        "student": student,
        "compress": compress,
        "benchmark": benchmark,
    }
    return recipe.model_copy(update=parts)


M = TypeVar("M", bound=Member)


def _member(folders: _Folders, member: M, key: str) -> M:
    model = folders.named(member.model, PATH_KINDS, f"{key}.model")
    update: dict[str, Any] = {"model": model}
    if member.weights is not None:
        update["weights"] = folders.below(member.weights, f"{key}.weights")
    return member.model_copy(update=update)


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
    return f"{key if bare else in_toml(key)} = {in_toml(value)}"


def in_toml(value: Any) -> str:
    """A value as TOML on one line, as ``--set`` takes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(_line(key, inner) for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(in_toml, value)) + "]"
    # TOML, unlike JSON, requires that DEL is escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The JSON Schema of a recipe or a report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
        "title": title,
    }
