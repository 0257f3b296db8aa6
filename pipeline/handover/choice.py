"""Which packages of a run are handed over.

>>> chosen(report, (), inspection=False)[0].package.model.name         # doctest: +SKIP
'int8-static.onnx'
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...errors import MaterialError
from ...exporters import EXPORTERS, format_meant
from ...exporters.package import Package
from ..judge.gate import EXIT_CODES
from ..records import Outcome, Report, Variant, VariantVerdict


@dataclass(frozen=True, slots=True)
class Chosen:
    """A package, and the verdict on it.

    Attributes:
        variant: whose package it is.
        package: its files.
        outcome: the verdict on this package.
        why: the reason.
    """

    variant: Variant
    package: Package
    outcome: Outcome
    why: str

    @property
    def measured(self) -> bool:
        """Whether the variant's figures are of this very file."""
        return self.package is self.variant.packages[0]


class NothingReadyError(MaterialError):
    """Nothing of a run is READY; the command ends with the exit code of that verdict."""

    def __init__(self, found: str, outcome: Outcome, *, where: str, fix: str) -> None:
        super().__init__(found, where=where, fix=fix)
        self.exit_code = EXIT_CODES[outcome]


def chosen(
    report: Report, formats: Sequence[str], *, inspection: bool, where: str = "this run"
) -> tuple[Chosen, ...]:
    """The packages to hand over, what was measured first.

    Without formats: all packages of the variant that ships. With formats: in these formats the
    packages of every READY variant, but for those that are not ready themselves. A package that
    was not measured, such as an ``.ort`` file for another machine, comes along and is undecided.

    Args:
        report: of the run.
        formats: asked for; empty: those of what ships.
        inspection: whether packages that are not READY come along. Without formats and with nothing
            that ships these are the packages of the variant nearest to the budgets.
        where: the run, for a message.

    Raises:
        NothingReadyError: there is no such package.
        MaterialError: a format that the run does not have.
    """
    if not formats:
        name = report.verdict.ship
        if name is None and not inspection:
            verdict = report.verdict
            raise _not_ready(f"nothing ships: {verdict.why}", verdict.outcome, where)
        name = name or report.verdict.nearest
        return tuple(pair for pair in _pairs(report) if pair.variant.name == name)
    found: list[Chosen] = []
    for format_ in dict.fromkeys(formats):
        of_format = [pair for pair in _pairs(report) if pair.package.format == format_]
        if not of_format:
            raise MaterialError(
                _absent(report, format_),
                where=where,
                fix=f'build it with export.formats = ["onnx", "{format_}"]'
                if format_ in EXPORTERS
                else format_meant(format_) or f"choose from {', '.join(EXPORTERS)}",
            )
        ready = [pair for pair in of_format if inspection or _fit(report, pair)]
        if not ready:
            open_ = any(pair.outcome == "undecided" for pair in of_format)
            outcome: Outcome = "undecided" if open_ else "not ready"
            barred = {one.name: one.cannot_ship for one in report.verdict.variants}
            if why := barred.get(of_format[0].variant.name):
                raise _not_ready(
                    f"nothing in the format '{format_}' may ship: {why}", outcome, where
                )
            raise _not_ready(f"no READY package in the format '{format_}'", outcome, where)
        found += ready
    return tuple(found)


def _pairs(report: Report) -> Iterator[Chosen]:
    """Every package of the student with its verdict; what ships first, then in their order."""
    verdicts = {verdict.name: verdict for verdict in report.verdict.variants}
    first = report.verdict.ship
    for variant in sorted(report.variants.variants, key=lambda variant: variant.name != first):
        for package in variant.packages:
            outcome, why = _verdict(verdicts.get(variant.name), package)
            yield Chosen(variant, package, outcome, why)


def _verdict(verdict: VariantVerdict | None, package: Package) -> tuple[Outcome, str]:
    if verdict is None:
        return "undecided", "not judged in this run"
    for judged in verdict.packages:
        if judged.format == package.format:
            return judged.outcome, judged.why
    return verdict.outcome, "as its variant"


def _fit(report: Report, pair: Chosen) -> bool:
    """Whether the variant is READY, may ship, and the package is not known to differ from it."""
    fit = {one.name for one in report.verdict.variants if one.outcome == "ready"}
    fit -= {one.name for one in report.verdict.variants if one.cannot_ship}
    return pair.variant.name in fit and pair.outcome != "not ready"


def _absent(report: Report, format_: str) -> str:
    reasons = {one.reason for one in report.variants.not_carried if one.format == format_}
    why = f" ({sorted(reasons)[0]})" if reasons else ""
    return f"no package in the format '{format_}'{why}"


def _not_ready(found: str, outcome: Outcome, where: str) -> NothingReadyError:
    return NothingReadyError(
        found,
        outcome,
        where=where,
        fix="to look at what was made, bundle it with --inspect; it is then marked as not READY",
    )
