"""Mutation testing: change the code in one place at a time, and see whether a test notices.

    make mutants                                         # every part; hours; it resumes
    python tests/tools/mutants.py run judge stats        # some parts
    python tests/tools/mutants.py run judge --share 4/0  # a fourth; 4/1 is a fourth beside it
    python tests/tools/mutants.py again judge            # once more what survived, after new tests
    python tests/tools/mutants.py survivors judge        # what survived, as differences
    python tests/tools/mutants.py summary judge          # how many of how many, by module, as JSON
    python tests/tools/mutants.py report                 # keep the figures, write docs/mutants.md
    python tests/tools/mutants.py report judge --share 32/7  # and of a share no test is written for
    python tests/tools/mutants.py report --check         # fail where the page is another

The tool is mutmut. It imports the tests once and forks a process for each mutant, which runs the
tests that reach the changed function. Its sources must lie in a folder with the package's name, so
each part is laid out below artifacts/mutants/PART. Only functions are changed, not constants of a
module. Changes of a text alone (a message, a key) are counted apart: most are words for a reader,
which tests do not pin.

A share N/K holds the mutants whose name's hash is K modulo N, without those of a text alone. What
it holds does not depend on what the tests notice, so its figure stands for the part.
"""

import argparse
import ast
import difflib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "artifacts" / "mutants"
PACKAGE = "edgestill"
FOLDERS = ("devices", "exporters", "pipeline", "toolchains")


@dataclass(frozen=True, slots=True)
class Part:
    """What is changed, and by which tests it is tried.

    Attributes:
        sources: folders or modules, relative to the package.
        tests: relative to `tests`.
        without: those of them, by the beginning of their names, that take seconds and reach what
            quicker ones do: each mutant that they do not notice would cost as much again.
    """

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()


_SLOW_JUDGING = (
    "devices/operators/test_prediction.py::test_a_model_is_predicted",
    "devices/operators/test_prediction.py::test_the_band_contains",
    "devices/operators/test_prediction.py::test_the_command_line",
    "devices/operators/test_roofline.py::test_a_real_profile",
    "devices/operators/test_roofline.py::test_json_and_a_terminal",
    "pipeline/judge/test_benchmark.py::test_every_file",
    "pipeline/judge/test_constant.py::test_where_the_truth_lies",
    "pipeline/judge/test_foreign_target.py",
    "pipeline/judge/test_gate.py::test_a_drift",
    "pipeline/judge/test_gate.py::test_a_quiet_machine",
    "pipeline/judge/test_gate.py::test_a_variant_at_its_very_budget",
    "pipeline/judge/test_gate.py::test_one_process_of_seven",
    "pipeline/judge/test_gate.py::test_the_simulation",
    "pipeline/judge/test_promise.py::test_a_verdict_about_few_groups",
    "pipeline/judge/test_promise.py::test_a_verdict_at_the_budget",
    "pipeline/judge/test_promise.py::test_eight_variants",
    "pipeline/judge/test_verify.py::",
)
"""Builds, simulations and processes that measure."""
_JUDGE = (
    "pipeline/judge",
    "devices/operators/test_prediction.py",
    "devices/operators/test_roofline.py",
)
PARTS = {
    "judge": Part(("pipeline/judge",), _JUDGE, _SLOW_JUDGING),
    "tasks": Part(("pipeline/tasks",), ("pipeline/tasks", "pipeline/judge"), _SLOW_JUDGING),
    "stats": Part(("devices/onboard/stats",), ("devices/onboard/stats", "devices/bench")),
    "bench": Part(("devices/bench",), ("devices/bench", "devices/scenarios")),
    "losses": Part(("pipeline/distill/losses.py",), ("pipeline/distill",)),
    "calibration": Part(
        ("pipeline/compress/int8/calibration.py", "pipeline/compress/int8/histogram.py"),
        ("pipeline/compress/int8",),
    ),
    "store": Part(("pipeline/engine/store.py",), ("pipeline/engine",)),
}
TYPE_ERRORS = "type-errors.json"
KILLED, SURVIVED, UNTESTED, TIMEOUT, TYPES = "killed", "survived", "no test", "timeout", "types"
_OUTCOMES = {0: SURVIVED, 5: UNTESTED, 33: UNTESTED}
"""By the exit code that mutmut records; any other one is a test that failed."""
_TIMED_OUT = {-24, 24, 36, 152, 255}
_SKIPPED = 34
"""mutmut's exit code of a mutant that it is not to try."""
_NONE = "none.of.them"
_TEXT = re.compile(
    r"""(Constant\(value=|FunctionDef\(name=)b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
)
"""A text, or the name of a function, in a tree that ast.dump shows."""
_COUNTS = ("tried", "noticed", "of")


@dataclass(frozen=True, slots=True)
class Share:
    """A reproducible share of mutants: those whose name's hash is `rest` modulo `of`."""

    of: int
    rest: int

    def __str__(self) -> str:
        return f"{self.of}/{self.rest}"

    @classmethod
    def parse(cls, text: str) -> "Share":
        """From `4/0`; raises ValueError where that is no share."""
        of, rest = map(int, text.split("/"))
        if not 0 <= rest < of:
            raise ValueError(text)
        return cls(of, rest)

    def holds(self, mutant: "Mutant") -> bool:
        """Whether a mutant is of this share; one of a text alone is of none."""
        digest = hashlib.sha256(mutant.name.encode()).digest()
        # The hash first, for it takes no parsing.
        return int.from_bytes(digest[:8]) % self.of == self.rest and not mutant.text_only


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of the code.

    Attributes:
        name: mutmut's.
        module: the file, relative to the package.
        function: in it.
        outcome: what the tests said; None where it was not tried.
        before: the function as it is.
        after: as it was changed.
    """

    name: str
    module: str
    function: str
    outcome: str | None
    before: ast.AST
    after: ast.AST

    @property
    def text_only(self) -> bool:
        """Whether only a text differs."""
        return _without_texts(self.before) == _without_texts(self.after)

    @property
    def change(self) -> tuple[str, ...]:
        """The lines of the difference."""
        return _change(self.before, self.after)


def lay_out(part: str) -> Path:
    """Copy the package and its tests to where mutmut takes them from; returns the folder.

    Only what has changed is copied again: mutmut then forgets the mutants of changed functions, and
    keeps what the tests said of the others.
    """
    folder = WORK / part
    _refresh(folder / PACKAGE)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for tests in (folder / "tests", folder / "mutants" / "tests"):
        shutil.rmtree(tests, ignore_errors=True)
        shutil.copytree(ROOT / "tests", tests, ignore=ignored)
    # Tests look at what is left in the root, where mutmut keeps its results.
    (folder / "mutants" / ".gitignore").write_text("*\n")
    patterns = [_pattern(source) for source in PARTS[part].sources]
    (folder / "pyproject.toml").write_text(_configuration(patterns, PARTS[part]))
    shared = ROOT.parent / "shared"
    for link in (folder / "shared", folder.parent / "shared"):
        if shared.exists() and not link.exists():
            link.symlink_to(shared)
    return folder


def _refresh(copy: Path) -> None:
    """Make a copy of the package equal to it; the time of a file that changed is now."""
    files = [*ROOT.glob("*.py"), ROOT / "py.typed"]
    for name in FOLDERS:
        files += [file for file in (ROOT / name).rglob("*") if file.is_file()]
    kept = {file.relative_to(ROOT) for file in files if file.suffix != ".pyc"}
    for file in [one for one in copy.rglob("*") if one.is_file()]:
        if file.relative_to(copy) not in kept:
            file.unlink()
    for name in kept:
        if not (copy / name).exists() or (copy / name).read_bytes() != (ROOT / name).read_bytes():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)


def _pattern(source: str) -> str:
    return f"{PACKAGE}/{source}" if source.endswith(".py") else f"{PACKAGE}/{source}/*"


def _configuration(patterns: Sequence[str], part: Part) -> str:
    """A pyproject.toml: mutmut's part, and how pytest runs here."""
    selected = json.dumps([f"tests/{name}" for name in part.tests])
    left_out = [f"--deselect=tests/{name}" for name in part.without]
    arguments = json.dumps(["-m", "not slow", "-p", "no:randomly", "-p", "no:cov", *left_out])
    return f"""
[tool.mutmut]
source_paths = ["{PACKAGE}"]
only_mutate = {json.dumps(patterns)}
pytest_add_cli_args_test_selection = {selected}
pytest_add_cli_args = {arguments}
timeout_multiplier = 5.0
timeout_constant = 5.0
use_git_change_detection = false

[tool.pytest.ini_options]
pythonpath = ["tests"]
addopts = "-p no:cacheprovider --import-mode=importlib"
markers = ["slow: long", "promise(text): held"]
filterwarnings = ["error"]
"""


def run(
    part: str, names: Sequence[str] = (), share: Share | None = None, children: int | None = None
) -> int:
    """Make and try the mutants of a part, those named, or those of a share.

    Args:
        part: of `PARTS`.
        names: mutmut's; these are tried once more.
        share: what to try of those that were not tried yet.
        children: how many processes try mutants at once; None is one a core.
    """
    folder = lay_out(part)
    if share is not None:
        # mutmut has no command that only makes mutants: it makes them, then finds none of that name
        _mutmut(folder, [_NONE], children, quiet=True)
    _skip_all_but(part, share)
    code = _mutmut(folder, names, children)
    if code == 0:
        (folder / TYPE_ERRORS).write_text(json.dumps(_refused_by_types(folder / "mutants")))
    return code


def _mutmut(folder: Path, names: Sequence[str], children: int | None, quiet: bool = False) -> int:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    limit = [] if children is None else ["--max-children", str(children)]
    command = [sys.executable, "-m", "mutmut", "run", *limit, *names]
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, stdout=output, stderr=output
    ).returncode


def _skip_all_but(part: str, share: Share | None) -> None:
    """Let mutmut try those of a share that were not tried, or with no share all of them."""
    untried = [mutant for mutant in mutants(part) if mutant.outcome is None]
    tried_now = {mutant.name for mutant in untried if share is None or share.holds(mutant)}
    for file in (WORK / part / "mutants" / PACKAGE).rglob("*.py.meta"):
        meta = json.loads(file.read_text())
        codes = meta["exit_code_by_key"]
        for name in {mutant.name for mutant in untried} & codes.keys():
            codes[name] = None if name in tried_now else _SKIPPED
        file.write_text(json.dumps(meta, indent=4))


def _refused_by_types(folder: Path) -> dict[str, list[str]]:
    """The functions that mypy refuses, by their file: `make check` would notice those mutants.

    mutmut can ask mypy itself, but stops at errors in the code that it adds between functions.
    """
    files = [str(meta.with_suffix("")) for meta in (folder / PACKAGE).rglob("*.py.meta")]
    command = [sys.executable, "-m", "mypy", "--output=json", "--config-file"]
    configuration = folder / "mypy.ini"
    configuration.write_text("[mypy]\nplugins = pydantic.mypy\nignore_missing_imports = True\n")
    ended = subprocess.run(
        [*command, str(configuration), *files], cwd=folder, capture_output=True, text=True
    )
    lines: dict[str, set[int]] = {}
    for error in map(json.loads, ended.stdout.splitlines()):
        if error["severity"] == "error":
            lines.setdefault(str(folder / error["file"]), set()).add(error["line"])
    # A file has thousands of functions and of errors: it is parsed once.
    return {
        Path(file).relative_to(folder / PACKAGE).as_posix(): [
            name
            for name, function in _functions(Path(file)).items()
            if not wrong.isdisjoint(range(function.lineno, (function.end_lineno or 0) + 1))
        ]
        for file, wrong in lines.items()
        if file in files
    }


def mutants(part: str) -> Iterator[Mutant]:
    """All mutants of a part that was run."""
    made = WORK / part / "mutants" / PACKAGE
    types = WORK / part / TYPE_ERRORS
    refused = json.loads(types.read_text()) if types.exists() else {}
    for meta in sorted(made.rglob("*.py.meta")):
        file = meta.with_suffix("")
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        functions, module = _functions(file), file.relative_to(made).as_posix()
        for name, code in codes.items():
            mutated = name.rpartition(".")[2]
            original = mutated.rpartition("__mutmut_")[0] + "__mutmut_orig"
            yield Mutant(
                name=name,
                module=module,
                function=original.removesuffix("__mutmut_orig").removeprefix("x").strip("_ǁ"),
                outcome=_outcome(code, mutated in refused.get(module, ())),
                before=functions[original],
                after=functions[mutated],
            )


def _outcome(code: int | None, refused: bool) -> str | None:
    if code is None or code == _SKIPPED:
        return None
    if refused:
        return TYPES
    return TIMEOUT if code in _TIMED_OUT else _OUTCOMES.get(code, KILLED)


def _functions(file: Path) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@cache
def _without_texts(function: ast.AST) -> str:
    """The function's tree in which all texts, and the names of functions, are equal."""
    return _TEXT.sub(r"\1''", ast.dump(function))


def _change(before: ast.AST, after: ast.AST) -> tuple[str, ...]:
    lines = [ast.unparse(function).splitlines()[1:] for function in (before, after)]
    # Not ndiff, which looks for what is alike inside lines: a part has thousands of mutants.
    changed: list[str] = []
    for tag, *place in difflib.SequenceMatcher(None, *lines, autojunk=False).get_opcodes():
        if tag != "equal":
            changed += (f"- {line}" for line in lines[0][place[0] : place[1]])
            changed += (f"+ {line}" for line in lines[1][place[2] : place[3]])
    return tuple(changed)


def report(parts: Sequence[str], unseen: Share | None, check: bool) -> int:
    """Keep the figures of the parts and write the page, or only compare it with what is kept.

    Args:
        parts: those that were run in this checkout.
        unseen: a share of theirs that no test was written for; its figures are kept as such.
        check: only compare; 1 where the page differs.
    """
    sys.path.insert(0, str(ROOT / "tests"))
    from tools import mutants_page

    if check:
        if mutants_page.is_current():
            return 0
        print("docs/mutants.md is not current: tests/tools/mutants.py report", file=sys.stderr)
        return 1
    modules = {
        module: counts | {"day": _day(part, module)}
        for part in parts
        for module, counts in summary([part]).items()
    }
    fresh = {}
    for part in parts if unseen is not None else ():
        found = summary([part], unseen)
        total = {key: sum(each[key] for each in found.values()) for key in _COUNTS}
        day = max(_day(part, module) for module in found)
        fresh[part] = total | {"share": str(unseen), "day": day}
    mutants_page.keep(modules, fresh)
    mutants_page.PAGE.write_text(mutants_page.page(), encoding="utf-8")
    return 0


def _day(part: str, module: str) -> str:
    """When a module's mutants were last tried."""
    made = WORK / part / "mutants" / PACKAGE / f"{module}.meta"
    return datetime.fromtimestamp(made.stat().st_mtime, UTC).date().isoformat()


def _noticed(mutant: Mutant) -> bool:
    return mutant.outcome in {KILLED, TIMEOUT, TYPES}


def summary(parts: Sequence[str], share: Share | None = None) -> dict[str, dict[str, int]]:
    """By module: how many changes of code there are, were tried, and were noticed."""
    counts: dict[str, dict[str, int]] = {}
    for part in parts:
        for mutant in mutants(part):
            if share.holds(mutant) if share is not None else not mutant.text_only:
                count = counts.setdefault(mutant.module, dict.fromkeys(_COUNTS, 0))
                count["of"] += 1
                count["tried"] += mutant.outcome is not None
                count["noticed"] += _noticed(mutant)
    return counts


def main() -> int:
    """Run, or say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=("run", "again", "survivors", "summary", "report"))
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--share", type=Share.parse, metavar="N/K", help="one of N shares")
    parser.add_argument("--children", type=int, metavar="N", help="mutants tried at once")
    parser.add_argument("--check", action="store_true", help="report: compare the page only")
    told = parser.parse_args()
    parts = told.parts or [name for name in PARTS if told.action == "run" or (WORK / name).exists()]
    code = 0
    for part in parts:
        if told.action == "run":
            code = run(part, share=told.share, children=told.children) or code
        elif told.action == "again":
            names = [m.name for m in _survivors(part, told.share)]
            code = (run(part, names, children=told.children) if names else 0) or code
        elif told.action == "survivors":
            for mutant in _survivors(part, told.share):
                where = f"{mutant.module} {mutant.function}: {mutant.outcome}"
                print(where, *mutant.change, sep="\n  ")
    if told.action == "summary":
        print(json.dumps(summary(parts, told.share), indent=2))
    if told.action == "report":
        code = report(parts, told.share, told.check)
    return code


def _survivors(part: str, share: Share | None) -> list[Mutant]:
    """What was tried, changes more than a text, and was not noticed."""
    return [
        mutant
        for mutant in mutants(part)
        if mutant.outcome is not None and not _noticed(mutant)
        if (share.holds(mutant) if share is not None else not mutant.text_only)
    ]


if __name__ == "__main__":
    sys.exit(main())
