"""A finished run, judged or drawn again from its saved records. Nothing is measured."""

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ...errors import MaterialError, RecipeError, UsageError
from .. import tasks
from ..engine.store import file_sha256, write_atomic
from ..judge import task_budgets
from ..judge.gate import judge
from ..recipe.files import load, parse
from ..recipe.gate import Gate
from ..records import SCHEMA_VERSION, Report
from . import run as runs
from .latest import run_of
from .older import OLD_VERSION

PAGES = ("report.json", "report.md", "report.html", "junit.xml")


def budgets(run: Path, recipe: Path | None, overrides: Sequence[str]) -> Gate:
    """The budgets to judge a run by: a recipe's, else the run's own, then what ``--set`` says.

    Raises:
        UsageError: ``--set`` names another key than a budget.
        RecipeError: a key or value is wrong.
    """
    for text in overrides:
        if not text.strip().startswith("gate."):
            raise UsageError(
                found=repr(text),
                expected="a key below gate, such as gate.max_size_kib=100",
                where="--set",
                fix="other keys need a new build: edgestill build RECIPE --set …",
            )
    if recipe is not None:
        return load(recipe, overrides).gate
    return parse(runs.manifest_of(run)["recipe"], where=str(run), overrides=overrides).gate


def judge_again(
    run: Path, gate: Gate, warn: Callable[[str], None] = lambda _: None
) -> tuple[Path, Report]:
    """Judge a run's saved records by other budgets.

    Where they differ from the run's own, a new run is written beside it, since a run never changes.
    A second call with the same budgets returns that run.

    Raises:
        MaterialError: the folder is no run, or its files are not those of its manifest.
        RecipeError: a budget that the run's task or classes lack.
    """
    run = run_of(run)
    before, manifest = runs.open_report(run), runs.manifest_of(run)
    _sound(run, runs.differences(run))
    task_budgets.check(gate, tasks.of(before.data.task), before.data.labels)
    verdict = judge(gate, before.quality, before.measured)
    own = parse(manifest["recipe"], where=str(run))
    _exported(gate, own.export.formats)
    recipe, keys = own.model_copy(update={"gate": gate}), runs.keys_of(manifest)
    if recipe == own and verdict == before.verdict and not runs.is_old(run):
        return run, before
    folder = run.resolve().parent
    if (earlier := runs.find(folder, recipe, keys, warn)) is not None:
        return earlier, runs.open_report(earlier)
    report = before.model_copy(
        update={
            "verdict": verdict,
            "recipe": recipe.model_dump(mode="json", exclude_none=True),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )

    def fill(draft: Path) -> None:
        for part in ("variants", "records"):
            shutil.copytree(run / part, draft / part)

    return runs.publish(folder, report, keys, recipe, fill), report


def _exported(gate: Gate, formats: Sequence[str]) -> None:
    """Refuse formats that the run does not have, which another recipe's budgets may name."""
    missing = [name for name in gate.runtimes or () if name not in formats]
    if missing:
        raise RecipeError(
            found=", ".join(missing),
            expected=f"formats that the run has: {', '.join(formats)}",
            where="gate.runtimes",
            fix="build with export.formats that name them",
        )


def draw_again(run: Path) -> Report:
    """Draw a run's pages anew from its report.json; nothing else of it changes.

    Raises:
        MaterialError: the folder is no run, or another file than a page differs from the manifest.
    """
    from ..report import write as draw

    run = run_of(run)
    report, manifest = runs.open_report(run), runs.manifest_of(run)
    if runs.is_old(run):
        raise MaterialError(
            f"a report of schema {OLD_VERSION}, which an older edgestill wrote",
            expected=f"schema {SCHEMA_VERSION}",
            where=str(run),
            fix=f"judge it again, which writes a new run: edgestill gate {run}",
        )
    # report.json is what the pages are drawn from: it must not have changed either.
    drawable = {f"{page} {fault}" for page in PAGES[1:] for fault in ("changed", "is missing")}
    _sound(run, [fault for fault in runs.differences(run) if fault not in drawable])
    draw(report, run, runs.before(run.resolve()))
    manifest["files"] |= {page: file_sha256(run / page) for page in PAGES}
    write_atomic(run / runs.MANIFEST, json.dumps(manifest, indent=1).encode())
    return report


def _sound(run: Path, faults: Sequence[str]) -> None:
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise MaterialError(
            f"not as it was written: {faults[0]}{more}",
            where=str(run),
            fix="build it again",
        )
