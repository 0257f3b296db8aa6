"""The sentences of a report, as plain text; each page escapes them for its format.

    headline(report)        # 'READY: int8-static ships'
    against_teacher(report, 'int8-static')
    # ('0.23× the latency (0.22 to 0.24)', '0.042× the file size', …)

Where the interval of a ratio contains 1, the text says that no difference was shown.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ...devices.bench import ratio_text
from ...devices.onboard.stats.estimate import Estimate
from ...exporters.package import Package
from .. import tasks
from ..judge.choice import SAME_SIZE
from ..judge.task_budgets import of_record
from ..records import Check, Report, VerifyRecord
from . import numbers, rows, shift_words

WORDS = {"ready": "READY", "not ready": "NOT READY", "undecided": "UNDECIDED"}
"""Of a run, a variant or a file."""
ON_BUDGET = {"ready": "met", "not ready": "missed", "undecided": "undecided"}
"""Of one budget."""
ORIGINS = {
    "trained": "not trained in this run",
    "loaded": "loaded, not trained here",
    "black box": "a black box, not trained here",
    "recorded": "recorded answers, not trained here",
}
"""Why a model has no training curve."""
ON_LABELLED = "student taught on labelled samples"
"""What a student is called that learns no answer to a sample without a label."""


NO_TEACHER = "There is no teacher: the student was trained on labels alone."


@dataclass(frozen=True, slots=True)
class Comparison:
    """One ratio of a model to another.

    Attributes:
        what: ``latency``, ``file size``, ``peak memory`` or ``energy proxy``.
        short: ``0.23×``, or ``unknown``.
        detail: the interval, or the reason why there is none; None for an exact ratio.
        text: both as a phrase: ``0.23× the latency (0.22 to 0.24)``.
        change: whether the model takes less or more; None where no change was shown or known.
    """

    what: str
    short: str
    detail: str | None
    text: str
    change: Literal["less", "more"] | None = None

    def __str__(self) -> str:
        return self.text


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
    variant, stem = subject.variant, f"models/{report.name}-{subject.variant.method}"
    beside = "".join(f" It needs models/{name}." for name in report.data.files)
    if report.data.front_end is not None:
        beside += " models/front_end.json describes the preprocessing of raw input."
    said = (_package(package, stem, variant.packages[0]) for package in variant.packages)
    return f"{' '.join(said)}{beside}"


def _package(package: Package, stem: str, judged: Package) -> str:
    """What of one format was judged, in a sentence."""
    file = f"{stem}{package.suffix} ({numbers.amount(package.model.bytes or 0, numbers.BYTES)})"
    if package is judged:
        return f"{file} is what was judged."
    if package.runtime is None:
        return f"{file}, for {package.title}, was not run: {package.no_runtime}. It is not judged."
    return (
        f"{file}, for {package.title}, was compared with it by its answers; its size, latency and "
        "memory on the device were not judged."
    )


def budget_name(check: Check, quality: VerifyRecord) -> str:
    """What a budget judges, in words."""
    title = of_record(check.key, quality).title
    same = tasks.of(quality.task).same_answer
    return title.replace("{metric}", quality.metric).replace("{same}", same)


def figure_found(check: Check, quality: VerifyRecord) -> str:
    """The figure that was compared with a budget, in the budget's unit."""
    return numbers.show(check.figure, numbers.budget_unit(check.key, quality))


def teacher_without_file(report: Report) -> str | None:
    """Why nothing of the teacher was measured, and its score; None where it has a file."""
    if report.variants.teacher is not None:
        return None
    if not report.teachers:
        return NO_TEACHER
    origins = {teacher.origin for teacher in report.teachers}
    metric = report.quality.metric
    score = numbers.show(report.quality.teacher_score, numbers.score_unit(metric))
    if "recorded" in origins:
        said = (
            "The teacher has no file here (only its recorded answers are known), so its size, "
            "latency, memory and energy are unknown."
        )
    else:
        said = (
            "Of the teacher's ONNX file a build takes the answers alone and does not measure it, "
            "so its size, latency, memory and energy are unknown here; `edgestill compare` "
            "measures it beside the student's file."
        )
    return f"{said} Its {metric} on test: {score}."


def shares(report: Report) -> tuple[float, ...]:
    """The weight of each of several teachers; empty for one teacher, or without weights."""
    section: Any = report.recipe.get("teacher")
    try:
        teachers = [section, *section.get("members", ())]
        weights = [float(teacher.get("weight", 1.0)) for teacher in teachers]
    except (AttributeError, TypeError, ValueError):
        return ()
    if len(weights) != len(report.teachers) or len(weights) < 2 or sum(weights) <= 0.0:
        return ()
    return tuple(weight / sum(weights) for weight in weights)


def role(report: Report) -> str:
    """What the student is, by how it was trained."""
    if report.variants.student.start is not None:
        return "adapted student"
    return "distilled student" if report.teachers else "student"


def against_teacher(report: Report, name: str) -> tuple[Comparison, ...]:
    """Speed, size, peak memory and energy of a variant against the teacher; empty without one."""
    pair = rows.ratio(report, name)
    if not report.teachers:
        return ()
    if pair is None:
        why = "not measured beside the teacher in this run"
        if report.variants.teacher is None:
            why = "the teacher has no file to measure"
        what = "latency, size, memory and energy"
        return (Comparison(what, "unknown", why, f"{what} unknown ({why})"),)
    return (
        compared(pair.p50, "latency"),
        compared(pair.size, "file size"),
        compared(pair.peak_memory, "peak memory"),
        compared(pair.energy, "energy proxy"),
    )


def against_fp32(report: Report) -> tuple[str, ...]:
    """Each compressed variant against the fp32 student: latency, size and answers changed.

    One of another runtime counts, too: its kernels give other answers.
    """
    return tuple(
        _compressed(report, variant.name)
        for variant in report.variants.variants
        if variant.changed_nodes or not variant.in_onnx
    )


def first_against_fp32(report: Report) -> tuple[str, ...]:
    """Those of the first page: of several runtimes the variant that ships, or is nearest, alone."""
    if not rows.several_runtimes(report):
        return against_fp32(report)
    name = report.verdict.nearest
    made = {one.name: one for one in report.variants.variants}[name]
    compressed = made.changed_nodes or not made.in_onnx
    return (_compressed(report, name),) if compressed else ()


def _compressed(report: Report, name: str) -> str:
    pair = rows.ratio(report, name, "fp32")
    quality = next(
        (verified for verified in report.quality.variants if verified.name == name), None
    )
    changed = "its answers were not compared"
    if quality is not None:
        changed = shift_words.against_fp32(report, quality)
    if pair is None:
        return f"{name} against fp32: not measured beside it in this run; {changed}."
    latency = compared(pair.p50, "latency")
    size = compared(pair.size, "file size")
    if not report.measured.on_target:
        to_fp32 = f"{name} against fp32: {size}{_instructions(report, name)}; {changed}"
        return f"{to_fp32}. On this machine, which is not the target: {latency}."
    slower = latency.change == "more"
    share = pair.size.value or 0.0
    worse = ""
    if slower and share >= 1.0:
        worse = "Slower and no smaller. "
    elif slower and share >= 1.0 / SAME_SIZE:
        worse = "Slower and hardly smaller. "
    elif slower:
        worse = "Smaller but slower. "
    return f"{worse}{name} against fp32: {latency}, {size}; {changed}."


def _instructions(report: Report, name: str) -> str:
    """What share of fp32's instructions a variant takes, where both were counted."""
    counts = {model.name: model.instructions for model in report.measured.benchmark.models}
    ours, theirs = (
        counts[variant].value if variant in counts else None for variant in (name, "fp32")
    )
    if not ours or not theirs:
        return ""
    return f", {ratio_text.times(ours / theirs)} the instructions"


def compared(ratio: Estimate, what: str) -> Comparison:
    """A ratio as a figure with its interval."""
    value, low, high = ratio.value, ratio.low, ratio.high
    text = ratio_text.stated(ratio, what)
    if value is None:
        return Comparison(what, "unknown", ratio.missing or "no reason was recorded", text)
    change: Literal["less", "more"] | None = None
    # A ratio without an interval shows no change, whatever its value.
    if low is not None and high is not None and (low > 1.0 or high < 1.0):
        change = "less" if value < 1.0 else "more" if value > 1.0 else None
    return Comparison(what, ratio_text.times(value), ratio_text.interval(ratio), text, change)


def gain(report: Report) -> str:
    """The gain of distillation over the same student trained without the teacher."""
    metric, gain = report.quality.metric, report.quality.gain
    if not report.teachers:
        return NO_TEACHER
    if gain is None:
        return "Without labels there is no student trained without the teacher to compare with."
    unit = numbers.score_unit(metric)
    size = numbers.show(gain.difference, numbers.lost_unit(metric))
    with_it, without = _mean(gain.distilled_score), _mean(gain.plain_score)
    means = (
        f"{numbers.amount(with_it, unit)} with the teacher, {numbers.amount(without, unit)} without"
    )
    seeds = numbers.how_many(len(gain.seeds), "seed")
    basis = f"{means}, in PyTorch; {seeds}, {gain.difference.method}"
    if unlabelled := report.data.unlabelled:
        answered = numbers.how_many(unlabelled, "sample")
        basis += (
            f"; the teacher also answered {answered} without a label, which the other student, "
            "trained for as many steps, does not use"
        )
    value, low, high = gain.difference.value, gain.difference.low, gain.difference.high
    if value is None:
        return f"The gain of distillation is {size} ({basis})."
    unshown = "Distillation: no difference shown"
    if low is None or high is None:
        return f"{unshown}, {size} ({basis})."
    if low <= 0.0 <= high:
        return f"{unshown}, {size}, an interval that contains 0 ({basis})."
    did = f"gained {metric}" if value > 0 else f"made {metric} worse"
    if len(gain.seeds) == 1:
        # The interval covers the choice of test samples, not the randomness of training.
        return f"With one seed, distillation {did}: {size} ({basis})."
    return f"Distillation {did}: {size} ({basis})."


def gain_briefly(report: Report) -> str | None:
    """The gain of distillation in a line; None where there is nothing to compare with."""
    metric, gain = report.quality.metric, report.quality.gain
    if not report.teachers or gain is None or gain.difference.value is None:
        return None
    size = numbers.show(gain.difference, numbers.lost_unit(metric))
    seeds = numbers.how_many(len(gain.seeds), "seed")
    return f"{numbers.capital(metric)} gained by distillation: {size}, {seeds}."


def settings(report: Report) -> tuple[tuple[str, str], ...]:
    """The settings of the latency measurement."""
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
    text = f"{measured.processes:,} a model, models in turn"
    if measured.looks == 1 and measured.enough:
        return text
    end = "stopped when decided" if measured.enough else "stopped by the time limit"
    looks = numbers.how_many(measured.looks, "look")
    return f"{text}; {end} after {looks}, with intervals corrected for all looks"


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)
