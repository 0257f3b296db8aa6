"""Files and functions stay short enough to be read at once."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [path for f in ("devices", "exporters", "pipeline") for path in (ROOT / f).rglob("*.py")]


def lines_of(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_passes_450_lines_and_half_of_them_are_within_150():
    sizes = {str(path.relative_to(ROOT)): lines_of(path) for path in SOURCES}
    assert {name: size for name, size in sizes.items() if size > 450} == {}
    assert sorted(sizes.values())[len(sizes) // 2] <= 150


def test_few_functions_pass_50_lines():
    lengths = {
        f"{path.relative_to(ROOT)}: {node.name}": node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    long = {name: length for name, length in lengths.items() if length > 50}
    assert len(long) <= 0.015 * len(lengths), long


def test_few_modules_stand_beside_the_folders():
    for folder, most in (("pipeline", 6), ("devices", 2)):
        flat = [p.name for p in (ROOT / folder).glob("*.py") if p.name != "__init__.py"]
        assert len(flat) <= most, flat
