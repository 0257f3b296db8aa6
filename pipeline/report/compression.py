"""How the student was compressed, what each method changed, and what the bytes of a file hold."""

from ..records import Report, Variant, VariantQuality
from . import numbers, shift_words
from .numbers import BYTES, PERCENT
from .sections import Cell, Section, Table, figure, row


def section(report: Report) -> Section:
    """The choices for the target with their reasons, and the effect of each method."""
    plan = report.variants.plan
    fp32 = report.variants.variants[0]  # always made, and first
    tables = [_effects(report, fp32), _bytes(report)]
    tables += [
        _curve(variant, report.quality.metric)
        for variant in report.variants.variants
        if variant.curve
    ]
    if any(quality.here for quality in report.quality.variants):
        tables.append(_here(report))
    return Section(
        "Compression",
        paragraphs=(
            f"Compressed for {plan.device} ({plan.target}), whose kernels are {plan.kernels}: "
            f"{plan.types}, {plan.weight_bits}-bit weights"
            + (
                ", scaled so that no pair of neighbouring weights saturates."
                if plan.pairs_fit
                else "."
            ),
        ),
        points=plan.why,
        tables=tuple(tables),
    )


def _effects(report: Report, fp32: Variant) -> Table:
    quality = {judged.name: judged for judged in report.quality.variants}
    return Table(
        "What each method changed",
        ("Variant", "Nodes changed", "Bytes saved", "Answers changed against fp32", "Can saturate"),
        tuple(
            row(
                variant.name,
                f"{variant.changed_nodes:,}",
                _saved(fp32.bytes - variant.bytes, fp32.bytes),
                _changed(quality.get(variant.name), report),
                _saturable(variant),
            )
            for variant in report.variants.variants
            if variant.changed_nodes
        ),
    )


def _saved(saved: int, of: int) -> Cell:
    text = numbers.amount(abs(saved), BYTES)
    share = numbers.amount(abs(saved) / of, PERCENT)
    return Cell(text, share) if saved >= 0 else Cell(f"none: {text} more", share)


def _changed(quality: VariantQuality | None, report: Report) -> Cell:
    if quality is None:
        return Cell("not verified")
    changed = quality.answers_changed_vs_fp32
    return Cell(*shift_words.cell(quality.shift_vs_fp32, changed, report))


def _saturable(variant: Variant) -> str:
    if not variant.saturable:
        return "no layer"
    pairs = sum(layer.pairs for layer in variant.saturable)
    layers = numbers.how_many(len(variant.saturable), "layer")
    return f"{layers}, {numbers.how_many(pairs, 'pair')} of weights, without VNNI"


def _bytes(report: Report) -> Table:
    return Table(
        "Bytes of each file",
        ("Variant", "Weights", "Scales and zero points", "Constants", "Graph and metadata"),
        tuple(
            row(
                variant.name,
                ", ".join(
                    f"{numbers.amount(size, BYTES)} {kind}"
                    for kind, size in sorted(variant.parts.weights.items())
                )
                or "none",
                *(
                    numbers.amount(size, BYTES)
                    for size in (variant.parts.scales, variant.parts.constants, variant.parts.graph)
                ),
            )
            for variant in report.variants.variants
        ),
    )


def _curve(variant: Variant, metric: str) -> Table:
    unit = numbers.lost_unit(metric)
    return Table(
        f"{variant.name}: layers left in float, largest damage first",
        (
            "Left in float",
            "Damage by this layer alone",
            f"{numbers.capital(metric)} lost",
            "File size",
        ),
        tuple(
            row(
                step.layer or "none",
                "" if step.damage is None else f"{step.damage:.2g}",
                numbers.amount(step.lost, unit),
                numbers.amount(step.bytes, BYTES),
            )
            for step in variant.curve
        ),
    )


def _here(report: Report) -> Table:
    metric = report.quality.metric
    unit = numbers.score_unit(metric)
    return Table(
        "On this host's kernels, which saturate where the target's do not",
        (
            "Variant",
            f"{numbers.capital(metric)} as on the target",
            "On this host",
            "Answers changed against the target's",
        ),
        tuple(
            row(
                quality.name,
                figure(quality.score, unit),
                figure(quality.here.score, unit),
                Cell(
                    *shift_words.cell(
                        quality.here.shift,
                        quality.here.answers_changed,
                        report,
                    )
                ),
            )
            for quality in report.quality.variants
            if quality.here
        ),
    )
