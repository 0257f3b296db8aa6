"""A function of the user's, named in a recipe as ``module:function``.

>>> load("math:sqrt", "student.model", EdgestillError)(9.0)
3.0

The module is looked up on the Python path and in the current folder.
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
"""Folders whose packages go by their version."""


def load(reference: str, where: str, error: type[EdgestillError]) -> Callable[..., Any]:
    """Import the module and get the function; it is for the caller to call it.

    Args:
        reference: ``module:function``.
        where: the recipe's key, for a refusal.
        error: the kind of refusal.

    Raises:
        EdgestillError: of the kind asked for; there is no such module or function in it, or the
            module fails while it is imported.
    """
    name, _, attribute = reference.partition(":")
    _look_here()
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(name), attribute)
    except (ImportError, AttributeError) as failure:
        raise error(
            f"cannot be loaded ({failure})",
            where=where,
            fix=f"put {name}.py in the current folder or on PYTHONPATH, with {attribute}() in it",
        ) from failure
    except (Exception, SystemExit) as failure:
        raise error(f"cannot be loaded ({said(failure)})", where=where) from failure
    return function


def said(error: BaseException) -> str:
    """An error of the user's code as a refusal quotes it."""
    return f"{type(error).__name__}: {error}"


def fingerprint(
    reference: str, where: str | None = None, error: type[EdgestillError] = ModelError
) -> str:
    """The hash of the function's source, without importing it.

    Of a module of the user's, its file; of a package, every ``.py`` file in it; and the same of
    all of the user's own that these import. What is installed goes by its version.

    Args:
        reference: ``module:function``.
        where: the recipe's key, for a refusal.
        error: the kind of refusal.

    Raises:
        EdgestillError: of the kind asked for; there is no such module.
    """
    top = reference.partition(":")[0].partition(".")[0]
    _look_here()
    if _spec(top) is None:
        raise error(
            f"cannot be loaded (no module named {top!r})",
            where=where,
            fix=f"put {top}.py in the current folder or on PYTHONPATH",
        )
    try:
        return _hash(top)
    except OSError as failure:
        raise error(f"cannot be read ({said(failure)})", where=where) from failure


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
            more = sorted(_imported(text) - seen)
            seen.update(more)
            waiting += more
    return digest.hexdigest()


def _look_here() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    # A file written a moment ago is not yet in the finders' listings.
    importlib.invalidate_caches()


def _spec(name: str) -> ModuleSpec | None:
    """Where a top-level module lies; those below would import it to find out."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):  # ValueError: a module without a spec, such as __main__
        return None


def _sources(name: str) -> dict[str, Path]:
    """The files of a module of the user's, by their place in it; none of what is installed."""
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
    """Top-level names that a source imports from outside its package."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()  # whoever loads it will say so
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - {__name__.partition(".")[0]}


def _version(name: str) -> str:
    """The version of the installed distributions that a module comes from, or Python's own."""
    owners = sorted(set(importlib.metadata.packages_distributions().get(name, ())))
    known = [f"{owner} {importlib.metadata.version(owner)}" for owner in owners]
    return ", ".join(known) or f"Python {sys.version.split()[0]}"
