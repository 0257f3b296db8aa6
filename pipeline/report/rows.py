"""The teacher and each variant with their figures, joined by name.

    for row in models(report):
        print(row.name, numbers.show(row.score, numbers.PERCENT))

Quality, benchmark and verdict are separate records. Where one of them lacks a model, its estimates
are unknown, with that reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures, Ratio
from ..judge.choice import FP32
from ..records import TEACHER, Outcome, Report, Variant, VariantQuality, VariantVerdict


@dataclass(frozen=True, slots=True)
class Row:
    """One model: the file, what it answers, what it costs, and the verdict on it.

    Attributes:
        name: ``teacher`` or the variant's.
        variant: its files.
        score: the task's own on test: accuracy, mAP, R² or cosine.
        drop: score lost to the teacher (a fraction); None for the teacher itself.
        p50_ms, p90_ms, p99_ms, load_ms, first_ms: latency in milliseconds.
        memory_bytes: peak memory over the import baseline.
        energy_uj: energy proxy an inference, in microjoules.
        quality: the full quality record, or None where it was not verified.
        figures: the full benchmark, or None where it was not measured.
        verdict: None for the teacher, which is not judged.
        ships: whether this is the one to ship.
    """

    name: str
    variant: Variant
    score: Estimate
    drop: Estimate | None
    p50_ms: Estimate
    p90_ms: Estimate
    p99_ms: Estimate
    load_ms: Estimate
    first_ms: Estimate
    memory_bytes: Estimate
    energy_uj: Estimate
    quality: VariantQuality | None
    figures: Figures | None
    verdict: VariantVerdict | None
    ships: bool

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Its figures by name, as files for other programs have them."""
        figures = {
            "score": self.score,
            "drop_vs_teacher": self.drop,
            "p50_ms": self.p50_ms,
            "p90_ms": self.p90_ms,
            "p99_ms": self.p99_ms,
            "load_ms": self.load_ms,
            "first_inference_ms": self.first_ms,
            "peak_memory_bytes": self.memory_bytes,
            "energy_uj": self.energy_uj,
        }
        return {name: figure for name, figure in figures.items() if figure is not None}

    @property
    def outcome(self) -> Outcome | None:
        """The verdict in a word, or None where there is none."""
        return self.verdict.outcome if self.verdict else None


def _early_stopping(name: str) -> Callable[[Row], Estimate]:
    def of(row: Row) -> Estimate:
        return getattr(row.figures, name) if row.figures else _absent("not measured in this run")

    return of


EARLY_STOPPING: dict[str, Callable[[Row], Estimate]] = {
    "Latency p90, MLPerf early stopping": _early_stopping("early_stopping_p90_ms"),
    "Latency p99, MLPerf early stopping": _early_stopping("early_stopping_p99_ms"),
}
"""What MLPerf would report of a process, by its name on the page; it decides no budget."""


def models(report: Report) -> tuple[Row, ...]:
    """The teacher first, where it has a file, then the variants in the order they were made."""
    quality = {judged.name: judged for judged in report.quality.files}
    verdicts = {verdict.name: verdict for verdict in report.verdict.variants}
    return tuple(
        _row(report, file, quality.get(file.name), verdicts.get(file.name))
        for file in report.variants.files
    )


def variants(report: Report) -> tuple[Row, ...]:
    """The variants alone, in the order they were made."""
    return tuple(row for row in models(report) if row.name != TEACHER)


def several_runtimes(report: Report) -> bool:
    """Whether any variant is measured in another format than the others."""
    return len({variant.format for variant in report.variants.variants}) > 1


def subject(report: Report) -> Row | None:
    """The variant that ships, or where none does the nearest to the budgets."""
    return next((row for row in models(report) if row.name == report.verdict.nearest), None)


def ratio(report: Report, name: str, over: str = TEACHER) -> Ratio | None:
    """One file over another, or None where the two were not measured together."""
    pairs = report.measured.benchmark.ratios
    return next((pair for pair in pairs if pair.of == name and pair.over == over), None)


def over_fp32(report: Report, name: str) -> Estimate:
    """The median latency of one file over that of fp32 in ONNX Runtime."""
    if name == FP32:
        return Estimate.exact(1.0, "fp32 itself", "ratio")
    pair = ratio(report, name, FP32)
    return pair.p50 if pair else Estimate.unknown("not measured beside fp32", unit="ratio")


def _row(
    report: Report,
    variant: Variant,
    quality: VariantQuality | None,
    verdict: VariantVerdict | None,
) -> Row:
    name = variant.name
    figures = next(
        (model for model in report.measured.benchmark.models if model.name == name), None
    )
    unmeasured = _absent("not measured in this run")
    unverified = _absent("not verified in this run")
    drop = quality.drop_vs_teacher if quality else unverified
    return Row(
        name=name,
        variant=variant,
        score=quality.score if quality else unverified,
        drop=None if name == TEACHER else drop,
        p50_ms=figures.p50_ms if figures else unmeasured,
        p90_ms=figures.p90_ms if figures else unmeasured,
        p99_ms=figures.p99_ms if figures else unmeasured,
        load_ms=figures.load_ms if figures else unmeasured,
        first_ms=figures.first_inference_ms if figures else unmeasured,
        memory_bytes=figures.peak_memory_bytes if figures else unmeasured,
        energy_uj=figures.energy_uj if figures else unmeasured,
        quality=quality,
        figures=figures,
        verdict=verdict,
        ships=name == report.verdict.ship,
    )


def _absent(reason: str) -> Estimate:
    return Estimate.unknown(reason, "none")
