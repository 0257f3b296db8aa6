"""Name the modules with logic that no test of their own folder imports.

    python tests/tools/untested_modules.py

The tests mirror the tree: what ``devices/bench/stopping.py`` does is tested below
``tests/devices/bench/``. A module without a function has no logic. A module that a test starts as a
program, by its dotted name in a string, counts as imported.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("devices", "exporters", "pipeline", "toolchains")
_DOTTED = re.compile(r"\bedgestill((?:\.\w+)+)")


def untested(root: Path = ROOT) -> list[str]:
    """Paths below `root` of the modules that lack a test in their folder, sorted."""
    modules = {path: _dotted(path.relative_to(root)) for path in _sources(root)}
    names = set(modules.values())
    known: dict[Path, set[str]] = {}
    """What each test imports: one is looked at for every module of its folder."""

    def reaches(test: Path, name: str) -> bool:
        if test not in known:
            known[test] = imported(test.read_text(encoding="utf-8"), names)
        return name in known[test]

    missing = []
    for path, name in modules.items():
        if not has_logic(path.read_text(encoding="utf-8")):
            continue
        folder = root / "tests" / path.relative_to(root).parent
        tests = folder.rglob("test_*.py")
        if not any(reaches(test, name) for test in tests):
            missing.append(str(path.relative_to(root)))
    return sorted(missing)


def has_logic(source: str) -> bool:
    """Whether a module defines a function or a method."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(ast.parse(source))
    )


def imported(source: str, modules: set[str]) -> set[str]:
    """The modules of ours that a test imports or names in a string, as names below the root."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(_named(node.value))
    return {name.removeprefix("edgestill.") for name in names} & modules


def _named(text: str) -> Iterator[str]:
    """Dotted names in a text, and what it imports from each of them."""
    for match in _DOTTED.finditer(text):
        yield match[0]
        if following := re.match(r" import ([\w, ]+)", text[match.end() :]):
            for name in following[1].split(","):
                yield f"{match[0]}.{name.split()[0] if name.split() else ''}"


def _sources(root: Path) -> Iterator[Path]:
    yield from sorted(path for path in root.glob("*.py") if path.name != "__main__.py")
    for folder in _FOLDERS:
        yield from sorted((root / folder).rglob("*.py"))


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts) or "edgestill"


def main() -> int:
    """Print what is missing; 1 if anything is."""
    missing = untested()
    for path in missing:
        print(f"{path}: has logic, and no test below tests/{Path(path).parent} imports it")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
