"""What is said of a run against a baseline: one headline, a table a pair, what it rests on.

headline(found, report)      # 'REGRESSION: file size is 1.140×, at most 1.020× is allowed'
"""

import math
from collections.abc import Iterator

from ...devices.onboard.stats.estimate import Estimate
from ..judge.against import Against, Pair
from ..judge.regression import APART, SAME_FILE, Change, What
from ..records import Outcome, Report
from . import numbers
from .numbers import BYTES, COUNT, MILLISECONDS, Unit
from .sections import Cell, Section, Table, figure, row

TITLE = "Against the baseline"
WORDS: dict[Outcome, str] = {
    "ready": "no regression",
    "not ready": "REGRESSION",
    "undecided": "CANNOT TELL",
}
_NAMES: dict[What, str] = {
    "size": "file size",
    "score": "score",
    "instructions": "instructions of a query",
    "latency": "latency p50",
}
_RATIO = Unit(((1.0, "times"),), decimals=3)


def headline(found: Against, report: Report) -> str:
    """The answer in a line: what is worse, or what cannot be told."""
    what = [
        f"{_name(change, report)} {_told(change, report)}"
        for pair in found.pairs
        for change in pair.changes
        if change.outcome == found.outcome and found.outcome != "ready"
    ]
    what += [pair.missing for pair in found.pairs if pair.missing]
    if found.itself:
        what.insert(0, f"the baseline is {found.itself}")
    told = "; ".join(dict.fromkeys(what)) or f"against {found.baseline}"
    return f"{WORDS[found.outcome]}: {told}"


def section(found: Against, report: Report) -> Section:
    """All of it."""
    return Section(
        TITLE,
        paragraphs=(headline(found, report), *_about(found)),
        points=tuple(_pairs(found)) + tuple(_next(found, report)),
        tables=tuple(_table(pair, report) for pair in found.pairs if pair.changes),
        open=True,
    )


def case(change: Change, report: Report) -> str:
    """One figure in a sentence, for a test case of a build server."""
    then, now = (_shown(change, figure, report) for figure in (change.then, change.now))
    said = f"{_name(change, report)}: then {then}, now {now}"
    if change.outcome is None:
        return f"{said}. {numbers.capital(change.why)}"
    return f"{said}: {_changed(change, report)}, at most {_limit(change, report)}. {change.why}"


def _about(found: Against) -> Iterator[str]:
    commit = f", commit {found.commit[:10]}" if found.commit else ""
    yield (
        f"The baseline is {found.baseline}{commit}. Either answer is wrong in at most "
        f"{numbers.amount(found.error_rate, numbers.PERCENT)} of comparisons (scores at "
        f"{100 * found.confidence:.4g} % confidence), if test is a sample of what the model will "
        "see; another comparison on the same test is another chance to be wrong."
    )
    if any(change.why == APART for pair in found.pairs for change in pair.changes):
        yield (
            "Latencies of two builds are not compared: `edgestill gate RUN --baseline OTHER "
            "--measure` measures both files in turn."
        )


def _pairs(found: Against) -> Iterator[str]:
    for pair in found.pairs:
        if pair.missing:
            yield f"{_title(pair)}: not compared, for {pair.missing}."
            continue
        if any(change.why == SAME_FILE for change in pair.changes):
            yield f"{_title(pair)}: {SAME_FILE}, so it is no worse in anything."
        else:
            yield f"{_title(pair)}: scores are {pair.paired}."
        for change in pair.changes:
            if change.outcome is None:
                yield f"{numbers.capital(_NAMES[change.what])}: {change.why}."


def _title(pair: Pair) -> str:
    if pair.now == pair.then:
        return f"{pair.now} (.{pair.format})" if pair.format else pair.now
    return f"{pair.now} against {pair.then}, which the baseline shipped"


def _next(found: Against, report: Report) -> Iterator[str]:
    """What to do about what is worse or open, with its command."""
    if found.outcome == "not ready":
        yield (
            "What differs between both runs, key by key: `edgestill report --compare BASELINE RUN`."
        )
    for pair in found.pairs:
        for change in pair.changes:
            if change.outcome == "undecided" and change.change.high is not None:
                yield _deciding(change, report)
        if pair.paired.startswith("not compared"):
            yield (
                "Scores on other samples say nothing of each other: build the baseline's recipe on "
                "this run's data, and name that run."
            )


def _deciding(change: Change, report: Report) -> str:
    """What would decide an open figure: more samples, or a limit that is met."""
    high, value = change.change.high or 0.0, change.change.value or 0.0
    room = change.limit - value
    said = f"{numbers.capital(_name(change, report))} is open"
    if change.what == "score":
        if room > 0.0:
            times = ((high - value) / room) ** 2
            most = math.ceil(report.quality.test_samples * times)
            digits = max(0, len(str(most)) - 2)
            said += (
                f": about {math.ceil(most / 10**digits) * 10**digits:,} test samples decide it "
                f"instead of {report.quality.test_samples:,} if the figure stays"
            )
        return f"{said}; `--max-score-drop {math.ceil(round(high * 1000, 6)) / 10:g}` is met."
    growth = math.ceil(round((high - 1.0) * 1000.0, 6)) / 10
    return f"{said}; `--max-{change.what}-growth {growth:g}%` is met."


def _table(pair: Pair, report: Report) -> Table:
    """Why a figure is unknown or not judged stands below."""
    return Table(
        _title(pair),
        ("Figure", "Then", "Now", "Change", "At most", ""),
        tuple(
            row(
                numbers.capital(_name(change, report)),
                _value(change.then, _unit(change, report)),
                _value(change.now, _unit(change, report)),
                _change(change, report),
                _limit(change, report),
                Cell("not judged")
                if change.outcome is None
                else Cell(WORDS[change.outcome], outcome=change.outcome),
            )
            for change in pair.changes
        ),
    )


def _value(estimate: Estimate, unit: Unit) -> Cell:
    """Without its interval: what counts is that of the change."""
    if estimate.value is None:
        return Cell("unknown")
    return Cell(numbers.without_reason(estimate, unit)[0], value=estimate.value)


def _change(change: Change, report: Report) -> Cell:
    if change.change.value is None:
        return Cell("unknown")
    if change.what != "score":
        return figure(change.change, _change_unit(change, report))
    return Cell(*numbers.lost_or_gained(change.change, report.quality.metric))


def _changed(change: Change, report: Report) -> str:
    return str(_change(change, report))


def _limit(change: Change, report: Report) -> str:
    unit = _change_unit(change, report)
    text = numbers.amount(change.limit, unit)
    return f"{text} lost" if change.what == "score" else text


def _told(change: Change, report: Report) -> str:
    if change.change.value is None:
        return f"is not compared ({change.change.missing})"
    return f"is {_changed(change, report)}, at most {_limit(change, report)} is allowed"


def _shown(change: Change, estimate: Estimate, report: Report) -> str:
    return numbers.show(estimate, _unit(change, report))


def _name(change: Change, report: Report) -> str:
    return report.quality.metric if change.what == "score" else _NAMES[change.what]


def _unit(change: Change, report: Report) -> Unit:
    units = {"size": BYTES, "instructions": COUNT, "latency": MILLISECONDS}
    return units.get(change.what) or numbers.score_unit(report.quality.metric)


def _change_unit(change: Change, report: Report) -> Unit:
    return numbers.lost_unit(report.quality.metric) if change.what == "score" else _RATIO
