"""A function of the user, which a recipe names as ``module:function``.

>>> load("math:sqrt", "student.model", EdgestillError)(9.0)
3.0

The module is searched on the Python path and in the current folder.
"""

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
import sysconfig
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from ...errors import EdgestillError, ModelError

INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed packages, which are identified by their version."""


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
    _search_current_folder()
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(name), attribute)
    except (ImportError, AttributeError) as failure:
        raise error(
            f"cannot be loaded ({failure})",
            where=where,
            fix=f"put {name}.py in the current folder or on PYTHONPATH, with {attribute}() in it",
        ) from failure
    except (Exception, SystemExit) as failure:
        raise error(f"cannot be loaded ({quoted(failure)})", where=where) from failure
    return function


def quoted(error: BaseException) -> str:
    """An error of the user's code, for an error message: its class and its text."""
    return f"{type(error).__name__}: {error}"


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
    _search_current_folder()
    if _spec(top) is None:
        raise error(
            f"cannot be loaded (no module named {top!r})",
            where=where,
            fix=f"put {top}.py in the current folder or on PYTHONPATH",
        )
    try:
        return _hash(top)
    except OSError as failure:
        raise error(f"cannot be read ({quoted(failure)})", where=where) from failure


def _hash(top: str) -> str:
    digest = hashlib.sha256()
    waiting, seen = [top], {top}
    while waiting:
        name = waiting.pop(0)
        files = _sources(name)
        if not files and name == top:
            digest.update(f"{name} {_version(name)}\0".encode())
        for inside, path in files.items():
            text = path.read_bytes()
            digest.update(f"{name} {inside} {len(text)}\0".encode() + text)
            imported = sorted(_imported(text) - seen)
            seen.update(imported)
            waiting += imported
    return digest.hexdigest()


def _search_current_folder() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    # The finders cache folder listings, which lack a file that was just written.
    importlib.invalidate_caches()


def _spec(name: str) -> ModuleSpec | None:
    """The spec of a top-level module; to find one of a submodule would import its package."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):  # ValueError: a module without a spec, such as __main__
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
