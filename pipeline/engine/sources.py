"""Which modules decide a stage's result: those that its function's module imports, directly or not.

>>> "pipeline/distill/losses.py" in behind("pipeline.distill.student")
True
>>> "devices/doctor.py" in behind("pipeline.compress.variants")
False

Imports are found in the text, so that a build with nothing to do imports nothing heavy. A module
that is started as a process of its own is named in a string, ``"edgestill.…"``, and counts too.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = "edgestill"
FOLDERS = ("devices", "exporters", "pipeline", "toolchains")
CARRIERS = frozenset(
    {
        "",
        "errors",
        "devices",
        "pipeline",
        "pipeline.printable",
        "pipeline.progress",
        "pipeline.records",
        "pipeline.engine.extras",
        "pipeline.engine.flow",
        "pipeline.engine.keys",
        "pipeline.engine.locks",
        "pipeline.engine.sources",
        "pipeline.engine.stage",
        "pipeline.engine.store",
        "pipeline.compress.inputs",
        "pipeline.data.inputs",
        "pipeline.distill.inputs",
        "pipeline.judge.inputs",
        "pipeline.search.inputs",
        "pipeline.recipe.architecture",
        "pipeline.recipe.augment",
        "pipeline.recipe.benchmark",
        "pipeline.recipe.compress",
        "pipeline.recipe.data",
        "pipeline.recipe.distill",
        "pipeline.recipe.export",
        "pipeline.recipe.gate",
        "pipeline.recipe.loss_names",
        "pipeline.recipe.model_names",
        "pipeline.recipe.part",
        "pipeline.recipe.recipe",
        "pipeline.recipe.search",
        "pipeline.recipe.task_names",
        "pipeline.recipe.train",
        "pipeline.recipe.training",
    }
)
"""Modules that carry, name or report. They decide no figure; what they hold is hashed by value."""

_FROM = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)", re.M)
_PROCESS = re.compile(rf"""["']{NAME}\.([\w.]+)["']""")
_TYPES_ONLY = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t]+.*\n|\n)+", re.M)


@cache
def behind(module: str) -> tuple[str, ...]:
    """Files, relative to the package, whose text decides what a module does; sorted.

    Args:
        module: dotted, below the package.
    """
    modules: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in modules or name in CARRIERS:
            continue
        modules.add(name)
        waiting += imported_by(name)
    files = _files()
    return tuple(sorted(files[name] for name in modules if name in files))


@cache
def digest(module: str) -> str:
    """SHA-256 over the names and texts of all files behind a module."""
    texts = (f"{name} {_text_digest(name)}\n" for name in behind(module))
    return hashlib.sha256("".join(texts).encode()).hexdigest()


@cache
def _text_digest(name: str) -> str:
    """SHA-256 of a file's text, once for all stages that it is behind."""
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


@cache
def imported_by(module: str) -> frozenset[str]:
    """Modules of this package that a module imports or starts, dotted, below the package."""
    file = _files().get(module)
    if file is None:
        return frozenset()
    text = (ROOT / file).read_text(encoding="utf-8")
    if "TYPE_CHECKING" in text:
        text = _TYPES_ONLY.sub("", text)
    package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
    started = (name for name in _PROCESS.findall(text) if name in _files())
    return frozenset((*_imports(text, package), *started))


def _imports(text: str, package: str) -> Iterator[str]:
    files = _files()
    for dots, name, names in _FROM.findall(text):
        if dots:
            steps = package.split(".") if package else []
            above = steps[: len(steps) - len(dots) + 1]
            base = ".".join([*above, name] if name else above)
        elif name.partition(".")[0] == NAME:
            base = name.removeprefix(NAME).removeprefix(".")
        else:
            continue
        for word in names.strip("()").split(","):
            imported = word.split("#")[0].split()
            inner = f"{base}.{imported[0]}".lstrip(".") if imported else base
            yield inner if inner in files else base


@cache
def _files() -> dict[str, str]:
    """The file of every module, relative to the package, by the module's dotted name."""
    paths = [path.name for path in ROOT.glob("*.py")]
    for folder in FOLDERS:
        paths += [path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")]
    return {_module(path): path for path in paths}


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("__init__").rstrip("/").replace("/", ".")
