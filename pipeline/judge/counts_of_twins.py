"""Counts and declared energy of files that nothing here can count: those of their ``.onnx`` twin.

>>> with_counts(measured, record.files).models[3].counted_in            # doctest: +SKIP
'int8-static.onnx'

The twin is the same method in ONNX. Its counts hold for another runtime's file where both multiply
in the same numeric type and take queries of the same shape. Where they do not, the counts stay
unknown and the reason says why.
"""

from collections.abc import Sequence
from dataclasses import replace

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Benchmark, Figures, Ratio
from ...exporters.package import AS_IN_ONNX
from ..records import Variant


def with_counts(measured: Benchmark, variants: Sequence[Variant]) -> Benchmark:
    """The same measurement with the counts that twins bring.

    Args:
        measured: of every variant.
        variants: in any order, with those in ONNX among them.
    """
    figures = {model.name: model for model in measured.models}
    twins = {variant.method: variant for variant in variants if variant.in_onnx}
    pairs = {
        variant.name: (variant, twin)
        for variant in variants
        if not variant.in_onnx and (twin := twins.get(variant.method)) is not None
    }
    differ = {
        name: _difference(variant, figures[name], figures[twin.name])
        for name, (variant, twin) in pairs.items()
    }

    def model(one: Figures) -> Figures:
        if one.name not in pairs:
            return one
        twin = pairs[one.name][1]
        return _counted(one, figures[twin.name], twin.file, differ[one.name])

    def ratio(one: Ratio) -> Ratio:
        if one.of not in pairs or one.energy.value is not None:
            return one
        twin = pairs[one.of][1]
        if (why := differ[one.of]) is not None:
            return replace(one, energy=Estimate.unknown(why, "declared model", unit="ratio"))
        same = next(
            (pair for pair in measured.ratios if (pair.of, pair.over) == (twin.name, one.over)),
            None,
        )
        energy = _of_itself(figures[twin.name]) if twin.name == one.over else same and same.energy
        return replace(one, energy=_from(twin.file, energy)) if energy else one

    return replace(
        measured,
        models=tuple(map(model, measured.models)),
        ratios=tuple(map(ratio, measured.ratios)),
    )


def _difference(variant: Variant, own: Figures, twin: Figures) -> str | None:
    """Why a file does not compute what its twin does; None where it does."""
    file = f"operations of a {variant.packages[0].suffix} file are not counted"
    computes = variant.packages[0].computes_in
    if computes is None:
        return f"{file}, and the types that it computes in are not known"
    if own.counted_for != twin.counted_for:
        return f"{file}, and those of {twin.file} hold for texts of another length"
    if twin.macs is None or twin.macs_by_type is None:
        return f"{file}, nor are all of {twin.file}"
    types = [name for name, count in twin.macs_by_type.items() if count]
    if computes != AS_IN_ONNX and any(name != computes for name in types):
        there = " and ".join(types)
        return f"{file}: it multiplies in {computes}, {twin.file} in {there}"
    return None


def _counted(own: Figures, twin: Figures, file: str, difference: str | None) -> Figures:
    energy = own.energy_uj
    if difference is not None:
        unknown = Estimate.unknown(difference, "declared model", unit="uJ")
        return own if energy.value is not None else replace(own, energy_uj=unknown)
    if energy.value is None and twin.energy_uj.kind == "declared":
        energy = _from(file, twin.energy_uj)
    return replace(
        own,
        energy_uj=energy,
        macs=twin.macs,
        macs_by_type=twin.macs_by_type,
        parameters=twin.parameters,
        counted_in=file,
    )


def _of_itself(twin: Figures) -> Estimate | None:
    """The declared energy of a file over that of its twin: they compute the same."""
    if twin.energy_uj.kind != "declared":
        return None
    method = twin.energy_uj.method
    return Estimate(1.0, 1.0, 1.0, method, 0, None, "ratio", "declared")


def _from(file: str, figure: Estimate) -> Estimate:
    if figure.kind != "declared":
        return figure
    return replace(figure, method=f"operations counted in {file}; {figure.method}")
