"""A function of the user, which a recipe names as ``module:function``.

>>> load("math:sqrt", "student.model", EdgestillError)(9.0)
3.0

The module is looked up beside the recipe, then in the current folder, then on the Python path.
"""

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ...errors import EdgestillError, ModelError, did_you_mean

INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed packages, which are identified by their version."""


_ONLY_RUN = {"*", "__getattr__", "globals", "vars", "locals", "exec", "setattr"}
"""Names in a module that may bind others."""
_beside: Path | None = None
"""The folder of the recipe that was read last; None: it has no file."""
_added: list[str] = []
"""Folders that are on the Python path for us; those of an earlier recipe are taken off again."""
_loaded: dict[str, str] = {}
"""The hash of each module as it was when it was loaded."""


def look_beside(folder: Path | None) -> None:
    """Look modules up in this folder first; the reader of recipes says which."""
    global _beside
    _beside = folder


def beside() -> str | None:
    """The folder of the recipe that was read last; None: it has no file."""
    return None if _beside is None else str(_beside.absolute())


def folders() -> tuple[Path, ...]:
    """Where a module is looked up before the Python path: beside the recipe, and here."""
    return tuple(dict.fromkeys(filter(None, (_beside, Path.cwd()))))


def load(reference: str, where: str, error: type[EdgestillError]) -> Callable[..., Any]:
    """Import the module and return the function, without calling it.

    Args:
        reference: ``module:function``.
        where: the recipe's key, for the error message.
        error: the class of error to raise.

    Raises:
        EdgestillError: of the class ``error``; there is no such module, no such function in it, or
            the module fails while it is imported.
    """
    name, _, attribute = reference.partition(":")
    _search()
    try:
        _forget_others(name.partition(".")[0])
        module = importlib.import_module(name)
    except ImportError as failure:
        missing = str(failure.name or name)
        # "a.b" is missing where "a" is: what has to be brought is its first part.
        if name.partition(".")[0] == missing.partition(".")[0]:
            raise _not_found(name, attribute, where, error) from failure
        raise error(
            f"{name} cannot be imported ({failure})",
            where=where,
            fix=f"install {missing.partition('.')[0]}, or put it beside {name}.py",
        ) from failure
    except (Exception, SystemExit) as failure:
        raise error(f"cannot be loaded ({quoted(failure)})", where=where) from failure
    function = getattr(module, attribute, None)
    if not callable(function):
        raise _no_function(module, attribute, where, error)
    return cast("Callable[..., Any]", function)


def _not_found(
    name: str, attribute: str | None, where: str | None, error: type[EdgestillError]
) -> EdgestillError:
    places = " and ".join(map(str, folders()))
    inside = f", with {attribute}() in it" if attribute else ""
    return error(
        f"no module {name!r} in {places} or on the Python path",
        where=where,
        fix=f"put {name.replace('.', '/')}.py in {folders()[0]}{inside}",
    )


def _no_function(
    module: ModuleType, attribute: str, where: str, error: type[EdgestillError]
) -> EdgestillError:
    own = [name for name, one in vars(module).items() if callable(one) and name[:1] != "_"]
    file = getattr(module, "__file__", None) or f"the module {module.__name__}"
    if hasattr(module, attribute):
        found = f"{attribute!r} of type {type(getattr(module, attribute)).__name__} in {file}"
        return error(found, expected="a function", where=where)
    return _lacks(attribute, own, file, where, error)


def _lacks(
    attribute: str, own: Collection[str], file: object, where: str, error: type[EdgestillError]
) -> EdgestillError:
    return error(
        f"no function {attribute!r} in {file}",
        where=where,
        fix=did_you_mean(attribute, own) or f"write {attribute}() there",
    )


def quoted(error: BaseException) -> str:
    """An error of the user's code, for an error message: its class and its text."""
    return f"{type(error).__name__}: {error}"


def check(reference: str, where: str, error: type[EdgestillError]) -> None:
    """Refuse a function that the module's source does not have. The module is not imported.

    Where only an import can tell, as of names that are made while it runs, nothing is refused.

    Args:
        reference: ``module:function``.
        where: the recipe's key, for the error message.
        error: the class of error to raise.

    Raises:
        EdgestillError: of the class ``error``; there is no such function.
    """
    name, _, attribute = reference.partition(":")
    top, _, inner = name.partition(".")
    _search()
    stem = inner.replace(".", "/") if inner else top
    places = [f"{stem}.py", f"{stem}/__init__.py"] if inner else [f"{stem}.py", "__init__.py"]
    files = _sources(top)
    file = next((files[place] for place in places if place in files), None)
    if file is None:
        return
    try:
        names = _bound(ast.parse(file.read_bytes()))
    except (SyntaxError, ValueError, OSError):
        return  # loading the module reports it
    if names is not None and attribute not in names:
        own = [own for own in names if own[:1] != "_"]
        raise _lacks(attribute, own, file, where, error)


def _bound(tree: ast.Module) -> set[str] | None:
    """The names that a module binds; None where only running it can tell."""
    names, waiting = set[str](), list[ast.AST](tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(one.asname or one.name).partition(".")[0] for one in node.names}
        elif isinstance(node, ast.Name):
            names.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return None if names & _ONLY_RUN else names


def fingerprint(
    reference: str, where: str | None = None, error: type[EdgestillError] = ModelError
) -> str:
    """The hash of the function's source. The module is not imported.

    The hash covers the module's file, or every ``.py`` file of a package, and the same of all
    modules of the user that these import. An installed package is hashed by its version.

    Args:
        reference: ``module:function``.
        where: the recipe's key, for the error message.
        error: the class of error to raise.

    Raises:
        EdgestillError: of the class ``error``; there is no such module.
    """
    top = reference.partition(":")[0].partition(".")[0]
    _search()
    if _spec(top) is None:
        raise _not_found(top, None, where, error)
    try:
        return _hash(top)
    except OSError as failure:
        raise error(f"cannot be read ({quoted(failure)})", where=where) from failure


def _hash(top: str) -> str:
    digest = hashlib.sha256()
    for name, files in _modules(top):
        if not files and name == top:
            digest.update(f"{name} {_version(name)}\0".encode())
        for inside, path in files.items():
            text = path.read_bytes()
            digest.update(f"{name} {inside} {len(text)}\0".encode() + text)
    return digest.hexdigest()


def _modules(top: str) -> Iterator[tuple[str, dict[str, Path]]]:
    """A module and all that it imports, each with its files; installed ones have none."""
    waiting, seen = [top], {top}
    while waiting:
        name = waiting.pop(0)
        files = _sources(name)
        yield name, files
        for path in files.values():
            imported = sorted(_imported(path.read_bytes()) - seen)
            seen.update(imported)
            waiting += imported


def _search() -> None:
    """Put our folders first on the Python path, and take those of an earlier recipe off."""
    wanted = [str(folder) for folder in folders()]
    over = [place for place in _added if place not in wanted]
    _added[:] = [place for place in wanted if place in _added or place not in sys.path]
    others = [place for place in sys.path if place not in (*over, *wanted)]
    sys.path[:] = [*wanted, *others]
    # The finders cache folder listings, which lack a file that was just written.
    importlib.invalidate_caches()


def _forget_others(top: str) -> None:
    """Forget modules that are imported and no longer what this recipe means.

    In one process a module is imported once by its name: after another recipe's, or after an edit
    in a notebook, the code would be another than the one that was hashed.
    """
    if not _sources(top):
        return
    now = _hash(top)
    changed = _loaded.get(top, now) != now
    _loaded[top] = now
    for name, files in _modules(top):
        file = getattr(sys.modules.get(name), "__file__", None)
        own = {path.resolve() for path in files.values()}
        if file is not None and own and (changed or Path(file).resolve() not in own):
            for each in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
                del sys.modules[each]


def _spec(name: str) -> ModuleSpec | None:
    """The spec of a top-level module; to find one of a submodule would import its package.

    What is imported already is looked up again: a recipe elsewhere may have a module of that name.
    """
    if name == "__main__":
        return None
    try:
        found = (finder.find_spec(name, None) for finder in sys.meta_path)
        return next(filter(None, found), None)
    except (ImportError, ValueError):
        return None


def _sources(name: str) -> dict[str, Path]:
    """The files of a module of the user, by their path in it; none if the module is installed."""
    spec = _spec(name)
    if spec is None:
        return {}
    folders = [Path(place) for place in spec.submodule_search_locations or ()]
    if not folders and spec.has_location and spec.origin:
        file = Path(spec.origin)
        return {} if _is_installed(file) else {file.name: file}
    return {
        inside.as_posix(): folder / inside
        for folder in folders
        if not _is_installed(folder)
        for inside in sorted(path.relative_to(folder) for path in folder.rglob("*.py"))
        if not any(part.startswith(".") for part in inside.parts)
    }


def _is_installed(path: Path) -> bool:
    standard = Path(sysconfig.get_path("stdlib"))
    return path.is_relative_to(standard) or any(part in INSTALLED for part in path.parts)


def _imported(source: bytes) -> set[str]:
    """Top-level modules that a source imports, other than its own package."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()  # loading the module reports it
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - {__name__.partition(".")[0]}


def _version(name: str) -> str:
    """The versions of the installed distributions that provide a module, or Python's version."""
    owners = sorted(set(importlib.metadata.packages_distributions().get(name, ())))
    versions = [f"{owner} {importlib.metadata.version(owner)}" for owner in owners]
    return ", ".join(versions) or f"Python {sys.version.split()[0]}"
