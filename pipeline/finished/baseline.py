"""Is what a run ships worse than what an earlier run gave? For build servers.

    found = against(run, located(Path("kept/report.json")), Limits())
    found.outcome               # 'ready': no regression
    found.pairs[0].changes      # size, score, instructions, latency

What ships is compared with the same variant in the same format of the baseline, and with what the
baseline shipped where that is another. Where nothing ships, the variant nearest to the budgets is
compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...devices.onboard.settings import Feed
from ...devices.onboard.stats.estimate import Estimate
from ...exporters.interface import INPUT
from ...exporters.package import Package
from .. import tasks
from ..judge import regression
from ..judge.against import Against, Pair
from ..judge.answers import GOLDEN
from ..judge.promise import confidence
from ..judge.regression import Answers, Limits, Side
from ..progress import Progress
from ..records import Report, Variant
from ..runs import kept_labels
from ..runs.locate import Located, same_build
from .compare import CompareOptions, compare

MAX_SECONDS = 120.0
"""Longest measurement of one pair."""


@dataclass(frozen=True, slots=True)
class _Measuring:
    """Whether and how long both files are measured.

    Attributes:
        progress: None: they are not.
        max_seconds: of a pair.
    """

    progress: Progress | None
    max_seconds: float


def against(
    run: Located,
    baseline: Located,
    limits: Limits,
    progress: Progress | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Against:
    """Compare what a run ships with a baseline.

    Args:
        run: judged already.
        baseline: the other run; of a report.json alone nothing can be paired or measured.
        limits: how much worse it may be.
        progress: where given, both files are measured in turn on this machine, and it advances
            after each process.
        max_seconds: the longest measurement of a pair.

    Raises:
        ModelError, MeasureError: a file cannot be measured.
    """
    pairs = list(dict.fromkeys(_names(run.report, baseline.report)))
    sure = confidence(len(run.report.verdict.variants) * len(pairs))
    return Against(
        baseline=f"{baseline.report.name}, built {baseline.report.created}",
        commit=baseline.report.commit.sha if baseline.report.commit else None,
        limits=limits,
        pairs=tuple(
            _pair(run, baseline, names, limits, sure, _Measuring(progress, max_seconds))
            for names in pairs
        ),
        confidence=sure,
        itself=_itself(run.folder, baseline.folder),
    )


def _itself(run: Path, baseline: Path) -> str | None:
    if run.resolve() == baseline.resolve():
        return "this run itself"
    return "this run's own build, judged by other budgets" if same_build(run, baseline) else None


def _names(now: Report, then: Report) -> Iterator[tuple[str, str]]:
    ours = now.verdict.ship or now.verdict.nearest
    yield ours, ours
    if then.verdict.ship is not None:
        yield ours, then.verdict.ship


def _pair(
    run: Located,
    baseline: Located,
    names: tuple[str, str],
    limits: Limits,
    sure: float,
    measuring: _Measuring,
) -> Pair:
    now, then = names
    ours, theirs = (_variant(side.report, name) for side, name in ((run, now), (baseline, then)))
    package = _shipped(run.report, ours) if ours else None
    missing = None
    if ours is None or package is None:
        missing = f"this run has no file of {now}"
    elif theirs is None:
        missing = f"the baseline has no {then}"
    elif run.report.data.task != baseline.report.data.task:
        missing = f"the baseline is of another task, {baseline.report.data.task}"
    elif run.report.quality.metric != baseline.report.quality.metric:
        missing = f"the baseline's score is another, {baseline.report.quality.metric}"
    else:
        missing = _other_labels(run.report, baseline.report)
    if missing is not None or ours is None or theirs is None or package is None:
        return Pair(now, then, package.format if package else "", (), "undecided", "", missing)
    lost, paired = _lost(run, baseline, now, then, sure)
    changes = regression.changes(
        _side(run.report, ours, package.format),
        _side(baseline.report, theirs, _format_then(baseline.report, theirs, package.format)),
        limits,
        lost=lost,
        latency=_measured(run, baseline, (theirs, ours), limits, measuring),
    )
    outcome = regression.outcome_of(changes)
    return Pair(now, then, package.format, changes, outcome, paired)


def _other_labels(now: Report, then: Report) -> str | None:
    """How what both answer differs; None where it does not."""
    ours, theirs = now.data.labels, then.data.labels
    noun = (tasks.of(now.data.task).output_noun or ("label", "labels"))[1]
    if len(ours) != len(theirs):
        return f"the baseline has {len(theirs):,} {noun}, this run {len(ours):,}"
    if ours == theirs:
        return None
    other = next(f"{b!r}, here {a!r}" for a, b in zip(ours, theirs, strict=True) if a != b)
    return f"the baseline's {noun} are others, such as {other}"


def _variant(report: Report, name: str) -> Variant | None:
    return next((one for one in report.variants.variants if one.name == name), None)


def _shipped(report: Report, variant: Variant) -> Package:
    """The package that the app takes; the measured one where it takes that."""
    gate = report.recipe.get("gate")
    taken = gate.get("runtimes") if isinstance(gate, dict) else None
    own = [package for package in variant.packages if not taken or package.format in taken]
    return (own or list(variant.packages))[0]


def _format_then(then: Report, variant: Variant, format_: str) -> str:
    """That of this run, or where the baseline shipped the variant in another one, that."""
    has = any(package.format == format_ for package in variant.packages)
    return format_ if has else _shipped(then, variant).format


def _side(report: Report, variant: Variant, format_: str) -> Side:
    package = next((one for one in variant.packages if one.format == format_), None)
    benchmark = report.measured.benchmark
    figures = next((one for one in benchmark.models if one.name == variant.name), None)
    sizes = [file.bytes for file in package.files] if package else [None]
    counted: tuple[str, ...] = ()
    if figures is not None:
        # What counts is told in words alone; equal words are equal ways of counting.
        runtime = figures.runtime or benchmark.runtime
        batch = f"batch {benchmark.settings.feed.batch}"
        counted = (runtime, figures.instructions.method, batch, figures.counted_in or "its file")
    return Side(
        bytes=None if None in sizes else sum(size or 0 for size in sizes),
        sha256=package.model.sha256 if package else None,
        score=_score(report, variant.name),
        figures=figures,
        counted_by=counted,
    )


def _lost(
    run: Located, baseline: Located, now: str, then: str, sure: float
) -> tuple[Estimate, str]:
    """The score lost, and how it was compared."""
    other = _other_test(run, baseline)
    if other is not None:
        return Estimate.unknown(f"{other}, so the scores cannot be compared"), (
            f"not compared: {other}"
        )
    kept, why = _same_test(run)
    ours, theirs = (
        kept_labels.outputs_of(side.folder, name) for side, name in ((run, now), (baseline, then))
    )
    if ours is None or theirs is None:
        why = why or "the answers of one run are not kept beside its report"
    elif kept is not None and not len(ours) == len(theirs) == len(kept.truth):
        why = "the runs answered different numbers of samples"
    apart = regression.apart(_score(run.report, now), _score(baseline.report, then), why)
    if why or kept is None or ours is None or theirs is None:
        return apart, f"not paired: {why}"
    lost = regression.lost_by(
        Answers(ours, kept.truth, kept.groups),
        Answers(theirs, kept.truth, kept.groups),
        tasks.of(run.report.data.task),
        sure,
    )
    return lost, f"paired by sample: both runs were tested on the same {len(kept.truth):,} samples"


def _score(report: Report, name: str) -> Estimate:
    return next(one.score for one in report.quality.variants if one.name == name)


def _other_test(run: Located, baseline: Located) -> str | None:
    """Why test may have other samples, of which no score says anything of these; None: the same."""
    now, then = (kept_labels.of(side.folder) for side in (run, baseline))
    if now is not None and then is not None:
        return None if now.sha256 == then.sha256 else "test has other samples"
    if run.report.data.fingerprint == baseline.report.data.fingerprint:
        return None
    return "the data changed, and one run does not keep the labels of test"


def _same_test(run: Located) -> tuple[kept_labels.Kept | None, str]:
    """The labels of test, of which both runs had the same samples; else why they are unknown."""
    now = kept_labels.of(run.folder)
    return now, "" if now is not None else "this run does not keep the labels of test"


def _measured(
    run: Located,
    baseline: Located,
    variants: tuple[Variant, Variant],
    limits: Limits,
    measuring: _Measuring,
) -> Estimate | None:
    """The ratio of both latencies, measured in turn here; None where a file is not there."""
    sides = zip((baseline, run), variants, strict=True)
    files = [side.folder / "variants" / variant.file for side, variant in sides]
    if measuring.progress is None or not all(file.is_file() for file in files):
        return None
    report = run.report
    settings = report.measured.benchmark.settings
    benchmark = report.recipe.get("benchmark")
    device = benchmark.get("device", "host") if isinstance(benchmark, dict) else "host"
    with TemporaryDirectory(prefix="edgestill-") as folder:
        inputs = Path(folder) / "inputs.npz"
        with np.load(run.folder / "records" / GOLDEN, allow_pickle=False) as golden:
            np.savez(inputs, allow_pickle=False, **{INPUT: golden["input"]})
        texts = report.data.layout == "tokens"
        feed = Feed(str(inputs), batch=settings.feed.batch, pad=report.data.pad if texts else None)
        options = CompareOptions(
            feed,
            threads=settings.session.threads,
            device=str(device),
            max_seconds=measuring.max_seconds,
            max_ratio=1.0 + limits.latency_growth,
        )
        found = compare(files[0], files[1], measuring.progress, options)
    return replace(found.ratio, method=f"p10 of processes, in turn; {found.ratio.method}")
