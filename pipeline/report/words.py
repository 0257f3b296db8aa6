"""What the figures mean, in plain text: said once here, escaped by whoever prints it.

    headline(report)        # 'READY: int8-static ships'
    against_teacher(report, 'int8-static')
    # ('4.30 times faster (4.12 to 4.51)', '24.1 times smaller', …)

A difference is called one only where its interval excludes "no difference".
"""

from dataclasses import dataclass

from ...devices.stats import Estimate
from ..records import Check, Gain, Report
from . import numbers, rows

WORDS = {"ready": "READY", "not ready": "NOT READY", "undecided": "UNDECIDED"}
BUDGETS = {
    "min_accuracy": "accuracy on test",
    "max_drop_vs_teacher": "accuracy lost to the teacher",
    "max_drop_vs_fp32": "accuracy lost to the fp32 student",
    "min_agreement": "same answer as the teacher",
    "max_p50_ms": "latency, p50",
    "max_p90_ms": "latency, p90",
    "max_p99_ms": "latency, p99",
    "max_peak_memory_mib": "peak memory",
    "max_size_kib": "file size",
    "max_energy_uj": "energy proxy per query",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One way in which a variant differs from the teacher.

    Attributes:
        what: ``speed``, ``size``, ``peak memory`` or ``energy proxy``.
        short: ``4.3 times faster``, ``no difference shown`` or ``unknown``.
        detail: the interval, the ratio or the reason.
    """

    what: str
    short: str
    detail: str | None

    def __str__(self) -> str:
        text = self.short if self.short.endswith(_ADJECTIVES) else f"{self.what}: {self.short}"
        return f"{text} ({self.detail})" if self.detail else text


_ADJECTIVES = ("faster", "slower", "smaller", "larger", "memory", "energy")


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
    return (
        f"{stem}.onnx ({numbers.amount(variant.bytes, numbers.BYTES)}) is what was judged. "
        f"{stem}.ort ({numbers.amount(variant.ort_bytes, numbers.BYTES)}), for ONNX Runtime "
        "Mobile, was compared with it by its answers; its size, latency and memory on the device "
        "were not judged."
    )


def budget_name(check: Check) -> str:
    """What a budget judges, in words; an unknown key stands for itself."""
    return BUDGETS.get(check.key, check.key)


def found(check: Check) -> str:
    """The figure a budget was held against, in the budget's own unit."""
    return numbers.show(check.figure, numbers.budget_unit(check.key))


def against_teacher(report: Report, name: str) -> tuple[Comparison, ...]:
    """Speed, size, peak memory and energy of a variant against the teacher."""
    pair = rows.ratio(report, name)
    if pair is None:
        return (Comparison("ratios", "unknown", "not measured beside the teacher in this run"),)
    return (
        compared(pair.p50, "speed", "faster", "slower"),
        compared(pair.size, "size", "smaller", "larger"),
        compared(pair.peak_memory, "peak memory", "less memory", "more memory"),
        compared(pair.energy, "energy proxy", "less energy", "more energy"),
    )


def compared(ratio: Estimate, what: str, less: str, more: str) -> Comparison:
    """A ratio (variant over teacher) as ``4.3 times faster``, turned over where it is below 1."""
    value, low, high = ratio.value, ratio.low, ratio.high
    if value is None or value <= 0:
        return Comparison(what, "unknown", ratio.missing or "no reason was recorded")
    if low is None or high is None or low <= 0:
        detail = f"{numbers.NO_INTERVAL}: {ratio.missing}" if ratio.missing else numbers.NO_INTERVAL
        return Comparison(what, _times(value, less, more), detail)
    if low <= 1.0 <= high and low != high:
        detail = f"ratio {value:.2f}, {low:.2f} to {high:.2f}"
        return Comparison(what, "no difference shown", detail)
    return Comparison(what, _times(value, less, more), None if low == high else _span(ratio, less))


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


def gain(gain: Gain) -> str:
    """What distillation gave over the same student trained without the teacher, honestly."""
    size = numbers.show(gain.difference, numbers.POINTS)
    with_it, without = _mean(gain.distilled_accuracy), _mean(gain.plain_accuracy)
    means = (
        f"{numbers.amount(with_it, numbers.PERCENT)} with the teacher, "
        f"{numbers.amount(without, numbers.PERCENT)} without"
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
        return f"In this one pair of trainings distillation {verb} accuracy: {size} ({basis})."
    return f"Distillation {verb} accuracy: {size} ({basis})."


def settings(report: Report) -> tuple[tuple[str, str], ...]:
    """What the latencies hold for: runtime, threads, spinning, processes, warm-up."""
    settings = report.benchmark.settings
    return (
        ("Runtime", report.benchmark.runtime),
        ("Graph optimization", settings.optimization),
        ("Threads", numbers.how_many(settings.threads, "intra-op thread")),
        ("Spinning", "idle threads spin" if settings.spinning else "idle threads do not spin"),
        ("Batch", f"{numbers.how_many(settings.batch, 'sample')} per query"),
        ("Processes", f"{settings.processes:,} fresh ones a model, the models in turn"),
        (
            "Timed",
            f"{settings.seconds:g} s a process, "
            f"{settings.min_queries:,} to {settings.max_queries:,} queries",
        ),
        ("Warm-up", f"until latency settles, {settings.warmup_seconds:g} s at most"),
        ("Confidence of intervals", numbers.amount(settings.confidence, numbers.PERCENT)),
        ("Seed of the order", str(settings.seed)),
    )


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _in_percent(ratio: float, less: str) -> bool:
    """Below a factor of 2, "34 % less memory" is plainer than "1.51 times less memory".

    Not of speed: "34 % faster" could be of the time or of the rate.
    """
    return 0.5 < ratio < 2.0 and less != "faster"


def _times(ratio: float, less: str, more: str) -> str:
    word = less if ratio < 1.0 else more
    if _in_percent(ratio, less):
        percent = f"{abs(1.0 - ratio) * 100:.1f}"
        return "the same" if percent == "0.0" else f"{percent} % {word}"
    return f"{_factor(max(ratio, 1 / ratio))} times {word}"


def _factor(factor: float, like: float | None = None) -> str:
    """A factor with the decimals that suit ``like``, so that an interval shares its value's."""
    scale = like or factor
    return f"{factor:,.{2 if scale < 2 else 1 if scale < 20 else 0}f}"
