"""What opens a connection, and what unpickles: SECURITY.md names both."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("devices", "exporters", "pipeline", "toolchains")
SPEAK = (
    *("aiohttp", "asyncio", "ftplib", "http", "httpx", "requests", "smtplib", "socket"),
    *("socketserver", "ssl", "urllib.request", "xmlrpc", "fsspec", "huggingface_hub"),
    *("mlflow", "obstore", "ray", "torch.distributed", "urllib3"),
)
ASKED_FOR = {
    "pipeline/engine/bucket.py": "--store",
    "pipeline/engine/bucket_failures.py": "--store",
    "pipeline/engine/processes.py": "--processes and torchrun",
    "pipeline/engine/ray_cluster.py": "--engine ray",
    "pipeline/engine/ray_start.py": "--engine ray",
    "pipeline/tracking/to_mlflow.py": "--mlflow",
}
SPEAK_TO_NOBODY = {"gethostname", "url2pathname"}
"""What other modules take of these libraries."""
UNPICKLE = {
    "pipeline/engine/processes.py": "processes of one job",
    "pipeline/engine/ranks.py": "processes of one job",
    "pipeline/engine/task.py": "tasks on Ray",
}


def sources():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """Each module that is imported anywhere, and the names that are taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                called = one.asname or one.name
                yield (
                    one.name,
                    {
                        found.attr
                        for found in ast.walk(tree)
                        if isinstance(found, ast.Attribute) and ast.unparse(found.value) == called
                    },
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module), {one.name for one in node.names}


def speaks(module):
    return any(module == one or module.startswith(f"{one}.") for one in SPEAK)


def test_a_connection_is_opened_where_an_option_asks_for_it_and_nowhere_else():
    found = {
        name
        for name, tree in sources()
        for module, taken in imported(tree)
        if speaks(module) and not taken <= SPEAK_TO_NOBODY
    }
    assert found == set(ASKED_FOR)


def test_objects_are_unpickled_between_processes_of_one_job_only():
    found = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("load", "loads", "Unpickler")
        and ast.unparse(node.func.value) == "pickle"
    }
    assert found == set(UNPICKLE)


@pytest.mark.parametrize(
    "option", ["--store", "--mlflow", "--engine ray", "--processes", "torchrun"]
)
def test_each_is_named_in_security_md(option):
    assert f"`{option}" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "opens"),
    [
        ("import socket\nsocket.gethostname()", False),
        ("import socket\nsocket.create_connection(('a', 1))", True),
        ("def f():\n    from urllib.request import urlopen", True),
        ("from urllib.parse import quote", False),
        ("import torch.distributed as dist\ndist.barrier()", True),
    ],
)
def test_an_import_is_seen_wherever_it_stands(code, opens):
    found = [taken for module, taken in imported(ast.parse(code)) if speaks(module)]
    assert any(not taken <= SPEAK_TO_NOBODY for taken in found) == opens
