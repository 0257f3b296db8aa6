"""The verdict on each format of a variant.

What is measured is the ``.onnx`` file, or that of another runtime. A format that ships the answers
of the ``.onnx`` file is compared with it by its answers; what was
not measured of it is undecided, and says so.
"""

from collections.abc import Iterator, Mapping

from ...exporters import ONNX
from ..records import AT, Outcome, PackageQuality, PackageVerdict, VariantQuality
from .budgets import BUDGETS


def faults(quality: VariantQuality) -> Iterator[str]:
    """The formats that answer otherwise than the ``.onnx`` file, a sentence each."""
    for package in quality.packages:
        if (fault := _fault(package, quality)) is not None:
            yield fault


def verdicts(
    quality: VariantQuality, budgets: Mapping[str, float], outcome: Outcome
) -> tuple[PackageVerdict, ...]:
    """The verdict on each format of a variant.

    Args:
        quality: of the variant.
        budgets: of the gate, by key.
        outcome: of the variant, which is that of the file that is measured.
    """
    measured = quality.name.partition(AT)[2] or ONNX
    own = PackageVerdict(format=measured, outcome=outcome, why="measured and judged")
    return (own, *(_verdict(package, quality, budgets, outcome) for package in quality.packages))


def _fault(package: PackageQuality, quality: VariantQuality) -> str | None:
    difference, agreement = package.max_abs_difference, package.agreement
    if difference is None or agreement is None:
        return None
    name = f".{package.format}"
    if quality.parity and difference > quality.parity[0].tolerance:
        return f"{name} differs from .onnx by {difference:.3g}"
    if agreement < package.least_agreement:
        return f"{name} answers as .onnx in only {agreement:.1%} of test"
    return None


def _verdict(
    package: PackageQuality,
    quality: VariantQuality,
    budgets: Mapping[str, float],
    outcome: Outcome,
) -> PackageVerdict:
    def verdict(outcome: Outcome, why: str) -> PackageVerdict:
        return PackageVerdict(format=package.format, outcome=outcome, why=why)

    if package.missing is not None:
        return verdict("undecided", f"not run on this machine: {package.missing}")
    if (fault := _fault(package, quality)) is not None:
        return verdict("not ready", fault)
    if not package.answers_hold:
        why = "compared with .onnx by its answers, which are not those of the target's kernels"
        return verdict("undecided", f"{why}; measure it on the target")
    unmeasured = [key for key in budgets if key in BUDGETS and BUDGETS[key].measured is not None]
    if unmeasured:
        return verdict("undecided", f"not measured for {', '.join(unmeasured)}")
    return verdict(outcome, f"the same answers as .onnx on {package.agreement:.1%} of test")
