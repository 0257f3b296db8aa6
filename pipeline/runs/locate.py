"""Runs by what a user names them: a folder, a name, a report.json.

found = located("digits")               # the last build of that name
located("artifacts/runs/digits/2026-…") # that one
located("kept/report.json")             # a report that a build server kept
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import MaterialError, did_you_mean
from ..records import Report
from .latest import LATEST, run_of
from .run import keys_of, manifest_of, open_report, read_report

REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Located:
    """A run that was read.

    Attributes:
        report: of it.
        folder: that holds the report, and of a whole run all its files.
    """

    report: Report
    folder: Path


def located(
    named: Path,
    *,
    artifacts: Path = Path("artifacts"),
    but: Callable[[Path], bool] = lambda _: False,
    where: str | None = None,
) -> Located:
    """Find and read a run.

    Args:
        named: a run's folder, its report.json, the folder of all runs of a name, or that name.
        artifacts: where runs lie by their names.
        but: whether a run is not meant: of a name another one is taken.
        where: what an error begins with, such as ``--baseline``.

    Raises:
        MaterialError: there is no such run, or it cannot be read.
    """
    if named.is_file():
        return Located(read_report(named), named.parent)
    found = run_folder(named, artifacts=artifacts, but=but, where=where)
    return Located(open_report(found), found)


def run_folder(
    named: Path,
    *,
    artifacts: Path = Path("artifacts"),
    but: Callable[[Path], bool] = lambda _: False,
    where: str | None = None,
) -> Path:
    """The folder of a run, of which nothing is read; see ``located``.

    A file, or a folder that has no runs, is given back as it is: its reader says what it lacks.

    Raises:
        MaterialError: there is no such run.
    """
    if named.is_file() or (named / REPORT).exists():
        return named.parent if named.name == REPORT and named.is_file() else run_of(named)
    for folder in (named, artifacts / "runs" / named):
        runs = list(dict.fromkeys(last_first(folder)))
        newest = next((run for run in runs if not but(run)), None)
        if newest is not None:
            return newest
        if runs:
            raise _no_other(named, len(runs), where)
    if named.exists():
        return named
    raise _none(named, artifacts, where)


def run_or_file(named: Path, *, artifacts: Path = Path("artifacts")) -> Path:
    """The folder of a run, or a model's file as it is.

    Raises:
        MaterialError: there is no such run, and a model's file would have a suffix.
    """
    known = any(last_first(artifacts / "runs" / named))
    if named.is_dir() or (not named.exists() and (known or not named.suffix)):
        return run_folder(named, artifacts=artifacts)
    return named


def last_first(folder: Path) -> Iterator[Path]:
    """The runs below the folder of a name: that of the last build, then the newest first."""
    last = run_of(folder / LATEST)
    if last.name != LATEST and (last / REPORT).exists():
        yield last
    yield from (path.parent for path in sorted(folder.glob(f"[0-9]*/{REPORT}"))[::-1])


def names(artifacts: Path) -> list[str]:
    """Names that have runs."""
    found = {path.parent.parent.name for path in (artifacts / "runs").glob(f"*/[0-9]*/{REPORT}")}
    return sorted(found)


def same_build(run: Path, other: Path) -> bool:
    """Whether two folders are one run, or one build that was judged by several budgets."""
    if run.resolve() == other.resolve():
        return True
    try:
        return keys_of(manifest_of(run)) == keys_of(manifest_of(other))
    except MaterialError:
        return False


def _no_other(named: Path, count: int, where: str | None) -> MaterialError:
    its = "its only run is the one" if count == 1 else f"all {count} are of the one build"
    return MaterialError(
        f"no other run of {str(named)!r}: {its} that is compared",
        where=where,
        fix=f"name the folder of another run, or a {REPORT} that was kept",
    )


def _none(named: Path, artifacts: Path, where: str | None) -> MaterialError:
    known = names(artifacts)
    hint = did_you_mean(str(named), known)
    if hint is None and known:
        hint = f"names with runs below {artifacts}: {', '.join(known)}"
    hint = hint or "name a run's folder, such as artifacts/runs/<name>/<time>"
    return MaterialError(
        f"no run called {str(named)!r}",
        expected=f"a run's folder, a {REPORT}, or a name that has runs",
        where=where,
        fix=hint,
    )
