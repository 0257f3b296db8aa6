"""How the student was compressed, what that changed, and where the bytes go."""

from ..records import Report, Variant, VariantQuality
from . import numbers
from .numbers import BYTES, PERCENT
from .sections import Cell, Section, Table, figure, row


def section(report: Report) -> Section:
    """What was chosen for the target and why, and what each method did."""
    plan = report.variants.plan
    fp32 = report.variants.variants[0]  # always made, and first
    tables = [_effects(report, fp32), _bytes(report)]
    tables += [
        _curve(each, report.quality.metric) for each in report.variants.variants if each.curve
    ]
    if any(each.here for each in report.quality.variants):
        tables.append(_here(report))
    return Section(
        "Compression",
        paragraphs=(
            f"Compressed for {plan.device} ({plan.target}), whose kernels are {plan.kernels}: "
            f"{plan.types}, {plan.weight_bits}-bit weights"
            + (", scaled so that no two neighbours saturate." if plan.pairs_fit else "."),
        ),
        points=plan.why,
        tables=tuple(tables),
    )


def _effects(report: Report, fp32: Variant) -> Table:
    quality = {each.name: each for each in report.quality.variants}
    return Table(
        "What each method changed",
        ("Variant", "Nodes changed", "Bytes saved", "Answers changed", "Can saturate"),
        tuple(
            row(
                each.name,
                f"{each.changed_nodes:,}",
                _saved(fp32.bytes - each.bytes, fp32.bytes),
                _changed(quality.get(each.name), report.quality.test_samples),
                _saturable(each),
            )
            for each in report.variants.variants
            if each.changed_nodes
        ),
    )


def _saved(saved: int, of: int) -> Cell:
    text = numbers.amount(abs(saved), BYTES)
    share = numbers.amount(abs(saved) / of, PERCENT)
    return Cell(text, share) if saved >= 0 else Cell(f"none: {text} more", share)


def _changed(quality: VariantQuality | None, samples: int) -> str:
    return f"{quality.answers_changed_vs_fp32:,} of {samples:,}" if quality else "not verified"


def _saturable(variant: Variant) -> str:
    if not variant.saturable:
        return "no layer"
    pairs = sum(each.pairs for each in variant.saturable)
    layers = numbers.how_many(len(variant.saturable), "layer")
    return f"{layers}, {numbers.how_many(pairs, 'pair')} of weights, without VNNI"


def _bytes(report: Report) -> Table:
    return Table(
        "Where the bytes go",
        ("Variant", "Weights", "Scales and zero points", "Constants", "Graph and metadata"),
        tuple(
            row(
                each.name,
                ", ".join(
                    f"{numbers.amount(size, BYTES)} {kind}"
                    for kind, size in sorted(each.parts.weights.items())
                )
                or "none",
                *(
                    numbers.amount(size, BYTES)
                    for size in (each.parts.scales, each.parts.constants, each.parts.graph)
                ),
            )
            for each in report.variants.variants
        ),
    )


def _curve(variant: Variant, metric: str) -> Table:
    unit = numbers.lost_unit(metric)
    return Table(
        f"{variant.name}: layers left in float, the most damaging first",
        ("Left in float", "Damage of its own", f"{numbers.capital(metric)} lost", "File size"),
        tuple(
            row(
                each.layer or "none",
                "" if each.damage is None else f"{each.damage:.2g}",
                numbers.amount(each.lost, unit),
                numbers.amount(each.bytes, BYTES),
            )
            for each in variant.curve
        ),
    )


def _here(report: Report) -> Table:
    metric = report.quality.metric
    unit = numbers.score_unit(metric)
    return Table(
        "By this host's own kernels, which saturate where the target's do not",
        (
            "Variant",
            f"{numbers.capital(metric)} as on the target",
            "On this host",
            "Answers changed",
        ),
        tuple(
            row(
                each.name,
                figure(each.score, unit),
                figure(each.here.score, unit),
                f"{each.here.answers_changed:,} of {report.quality.test_samples:,}",
            )
            for each in report.quality.variants
            if each.here
        ),
    )
