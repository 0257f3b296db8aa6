"""What the figures mean, in plain text: said once here, escaped by whoever prints it.

    headline(report)        # 'READY: int8-static ships'
    against_teacher(report, 'int8-static')
    # ('4.30 times faster (4.12 to 4.51)', '24.1 times smaller', …)

A difference is called one only where its interval excludes "no difference".
"""

from dataclasses import dataclass
from typing import Any, Literal

from ...devices.onboard.stats.estimate import Estimate
from ..judge.budgets import BUDGETS
from ..judge.gate import SAME_SIZE
from ..records import Check, Report
from . import numbers, rows

WORDS = {"ready": "READY", "not ready": "NOT READY", "undecided": "UNDECIDED"}
ORIGINS = {
    "trained": "not trained in this run",
    "loaded": "loaded, not trained here",
    "black box": "a black box, not trained here",
    "recorded": "recorded answers, not trained here",
}
"""Why a model has no training curve."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One way in which a variant differs from the teacher.

    Attributes:
        what: ``speed``, ``size``, ``peak memory`` or ``energy proxy``.
        short: ``4.3 times faster``, ``no difference shown`` or ``unknown``.
        detail: the interval, the ratio or the reason.
        change: whether the variant takes less or more; None where no change was shown or known.
    """

    what: str
    short: str
    detail: str | None
    change: Literal["less", "more"] | None = None

    def __str__(self) -> str:
        text = self.short if self.change else f"{self.what}: {self.short}"
        return f"{text} ({self.detail})" if self.detail else text


def headline(report: Report) -> str:
    """The verdict and what ships, in one line."""
    verdict = report.verdict
    ships = f"{verdict.ship} ships" if verdict.ship else "nothing ships"
    return f"{WORDS[verdict.outcome]}: {ships}"


def shipped_files(report: Report) -> str | None:
    """Which files ship, and what of them was judged."""
    subject = rows.subject(report)
    if subject is None or not subject.ships:
        return None
    variant, stem = subject.variant, f"models/{report.name}-{subject.name}"
    beside = "".join(f" It needs models/{name}." for name in report.data.files)
    if report.data.front_end is not None:
        beside += " models/front_end.json says what raw input goes through before it."
    return (
        f"{stem}.onnx ({numbers.amount(variant.bytes, numbers.BYTES)}) is what was judged. "
        f"{stem}.ort ({numbers.amount(variant.ort_bytes, numbers.BYTES)}), for ONNX Runtime "
        "Mobile, was compared with it by its answers; its size, latency and memory on the device "
        f"were not judged.{beside}"
    )


def budget_name(check: Check, metric: str) -> str:
    """What a budget judges, in words."""
    return BUDGETS[check.key].title.format(metric=metric)


def found(check: Check, metric: str) -> str:
    """The figure that was compared with a budget, in the budget's unit."""
    return numbers.show(check.figure, numbers.budget_unit(check.key, metric))


def teacher_without_file(report: Report) -> str | None:
    """Why nothing of the teacher was measured, and its score; None where it has a file."""
    if report.variants.teacher is not None:
        return None
    origins = {each.origin for each in report.teachers}
    what = "only its recorded answers are known" if "recorded" in origins else "it is a black box"
    metric = report.quality.metric
    score = numbers.show(report.quality.teacher_score, numbers.score_unit(metric))
    return (
        f"The teacher has no file here ({what}), so its size, latency, memory and energy are "
        f"unknown. Its {metric} on test: {score}."
    )


def shares(report: Report) -> tuple[float, ...]:
    """What each of several teachers counts; empty where there is one, or the recipe lacks them."""
    told: Any = report.recipe.get("teacher")
    try:
        each = [told, *told.get("members", ())]
        weights = [float(one.get("weight", 1.0)) for one in each]
    except (AttributeError, TypeError, ValueError):
        return ()
    if len(weights) != len(report.teachers) or len(weights) < 2 or sum(weights) <= 0.0:
        return ()
    return tuple(weight / sum(weights) for weight in weights)


def against_teacher(report: Report, name: str) -> tuple[Comparison, ...]:
    """Speed, size, peak memory and energy of a variant against the teacher."""
    pair = rows.ratio(report, name)
    if pair is None:
        why = "not measured beside the teacher in this run"
        if report.variants.teacher is None:
            why = "the teacher has no file to measure"
        return (Comparison("speed, size, memory and energy", "unknown", why),)
    return (
        compared(pair.p50, "speed", "faster", "slower"),
        compared(pair.size, "size", "smaller", "larger"),
        compared(pair.peak_memory, "peak memory", "less memory", "more memory"),
        compared(pair.energy, "energy proxy", "less energy", "more energy"),
    )


def against_fp32(report: Report) -> tuple[str, ...]:
    """What each compressed variant is to the fp32 student: time, size and answers changed."""
    return tuple(
        _compressed(report, each.name) for each in report.variants.variants if each.changed_nodes
    )


def _compressed(report: Report, name: str) -> str:
    pair = rows.ratio(report, name, "fp32")
    quality = next((each for each in report.quality.variants if each.name == name), None)
    changed = "its answers were not compared"
    if quality is not None:
        of = numbers.how_many(report.quality.test_samples, "answer")
        changed = f"{quality.answers_changed_vs_fp32:,} of {of} changed"
    if pair is None:
        return f"{name} against fp32: not measured beside it in this run; {changed}."
    speed = compared(pair.p50, "speed", "faster", "slower")
    size = compared(pair.size, "size", "smaller", "larger")
    if not report.measured.on_target:
        to_fp32 = f"{name} against fp32: {size}{_instructions(report, name)}; {changed}"
        return f"{to_fp32}. On this machine, which is not the target: {speed}."
    slower = speed.change == "more"
    share = pair.size.value or 0.0
    worse = ""
    if slower and share >= 1.0:
        worse = "Neither faster nor smaller. "
    elif slower and share >= 1.0 / SAME_SIZE:
        worse = "Slower, and no smaller to speak of. "
    elif slower:
        worse = "It buys size, not time. "
    return f"{worse}{name} against fp32: {speed}, {size}; {changed}."


def _instructions(report: Report, name: str) -> str:
    """What share of fp32's instructions a variant takes, where both were counted."""
    counts = {one.name: one.instructions for one in report.measured.benchmark.models}
    ours, theirs = (counts[each].value if each in counts else None for each in (name, "fp32"))
    if not ours or not theirs:
        return ""
    return f", {ours / theirs:.2f} of its instructions"


def compared(ratio: Estimate, what: str, less: str, more: str) -> Comparison:
    """A ratio (variant over teacher) as ``4.3 times faster``, turned over where it is below 1."""
    value, low, high = ratio.value, ratio.low, ratio.high
    if value is None or value <= 0:
        return Comparison(what, "unknown", ratio.missing or "no reason was recorded")
    if low is None or high is None or low <= 0:
        detail = f"{numbers.NO_INTERVAL}: {ratio.missing}" if ratio.missing else numbers.NO_INTERVAL
        return _changed(value, what, (less, more), detail)
    if low <= 1.0 <= high and low != high:
        detail = f"ratio {value:.2f}, {low:.2f} to {high:.2f}"
        return Comparison(what, "no difference shown", detail)
    return _changed(value, what, (less, more), None if low == high else _span(ratio, less))


def _span(ratio: Estimate, less: str) -> str:
    """The interval of a ratio, said as its value is."""
    value, low, high = ratio.value or 1.0, ratio.low or 1.0, ratio.high or 1.0
    if _in_percent(value, less):
        ends = sorted(abs(1.0 - end) * 100 for end in (low, high))
        return f"{ends[0]:.1f} to {ends[1]:.1f} %"
    if value < 1.0:
        low, high = 1 / high, 1 / low
    like = max(value, 1 / value)
    return f"{_factor(low, like)} to {_factor(high, like)}"


def gain(report: Report) -> str:
    """What distillation gave over the same student trained without the teacher, honestly."""
    metric, gain = report.quality.metric, report.quality.gain
    if gain is None:
        return "Without labels no student could be trained without the teacher, to compare with."
    unit = numbers.score_unit(metric)
    size = numbers.show(gain.difference, numbers.lost_unit(metric))
    with_it, without = _mean(gain.distilled_score), _mean(gain.plain_score)
    means = (
        f"{numbers.amount(with_it, unit)} with the teacher, {numbers.amount(without, unit)} without"
    )
    seeds = numbers.how_many(len(gain.seeds), "seed")
    basis = f"{means}, in PyTorch; {seeds}, {gain.difference.method}"
    value, low, high = gain.difference.value, gain.difference.low, gain.difference.high
    if value is None:
        return f"What distillation gave is {size} ({basis})."
    unshown = "No difference from distillation was shown"
    if low is None or high is None:
        return f"{unshown}: {size} ({basis})."
    if low <= 0.0 <= high:
        return f"{unshown}: {size}, an interval that contains 0 ({basis})."
    verb = "gained" if value > 0 else "cost"
    if len(gain.seeds) == 1:
        # The interval holds the luck of the test samples, not that of the training.
        return f"In this one pair of trainings distillation {verb} {metric}: {size} ({basis})."
    return f"Distillation {verb} {metric}: {size} ({basis})."


def settings(report: Report) -> tuple[tuple[str, str], ...]:
    """What the latencies hold for: runtime, threads, spinning, processes, warm-up."""
    settings = report.measured.benchmark.settings
    return (
        ("Runtime", report.measured.benchmark.runtime),
        ("Graph optimization", settings.session.optimization),
        ("Threads", numbers.how_many(settings.session.threads, "intra-op thread")),
        (
            "Spinning",
            "idle threads spin" if settings.session.spinning else "idle threads do not spin",
        ),
        ("Cores", _listed(settings.cores, "any, not pinned")),
        (
            "Memory limit",
            "none" if settings.memory_mib is None else f"{settings.memory_mib:,} MiB",
        ),
        ("Batch", f"{numbers.how_many(settings.feed.batch, 'sample')} per query"),
        ("Processes", _processes(report)),
        (
            "Timed",
            f"{settings.timing.seconds:g} s a process, "
            f"{settings.timing.min_queries:,} to {settings.timing.max_queries:,} queries",
        ),
        ("Warm-up", f"until latency settles, {settings.timing.warmup_seconds:g} s at most"),
        ("Confidence of intervals", numbers.amount(settings.confidence, numbers.PERCENT)),
        ("Seed of the order", str(settings.seed)),
    )


def _listed(cores: tuple[int, ...], none: str) -> str:
    return ", ".join(map(str, cores)) or none


def _processes(report: Report) -> str:
    measured = report.measured.benchmark
    text = f"{measured.processes:,} fresh ones a model, the models in turn"
    if measured.looks == 1 and measured.enough:
        return text
    end = "it was enough" if measured.enough else "time was up"
    looks = numbers.how_many(measured.looks, "look")
    return f"{text}; {end} after {looks}, whose intervals hold together"


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _in_percent(ratio: float, less: str) -> bool:
    """Below a factor of 2, "34 % less memory" is plainer than "1.51 times less memory".

    Not of speed: "34 % faster" could be of the time or of the rate.
    """
    return 0.5 < ratio < 2.0 and less != "faster"


def _changed(ratio: float, what: str, words: tuple[str, str], detail: str | None) -> Comparison:
    """A ratio in words: of less, such as ``faster``, and of more, such as ``slower``."""
    change: Literal["less", "more"] = "less" if ratio < 1.0 else "more"
    word = words[0] if change == "less" else words[1]
    if not _in_percent(ratio, words[0]):
        short = f"{_factor(max(ratio, 1 / ratio))} times {word}"
        return Comparison(what, short, detail, change)
    percent = f"{abs(1.0 - ratio) * 100:.1f}"
    if percent == "0.0":
        return Comparison(what, "the same", detail)
    return Comparison(what, f"{percent} % {word}", detail, change)


def _factor(factor: float, like: float | None = None) -> str:
    """A factor with the decimals that suit ``like``, so that an interval shares its value's."""
    scale = like or factor
    return f"{factor:,.{2 if scale < 2 else 1 if scale < 20 else 0}f}"
