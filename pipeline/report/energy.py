"""Energy for display: microjoules where measured, else a ratio of declared energies.

    name, cells = line(benchmark.models, benchmark.ratios)
    print(name)                 # energy proxy, of teacher

A declared energy ranks two models; its microjoules are those of no device. They are shown only
where there is no second model to form a ratio with.
"""

from collections.abc import Sequence

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures, Ratio
from . import numbers
from .numbers import MICROJOULES, RATIO, Unit

REFERENCE = Estimate.exact(1.0, "the reference itself", "ratio")
"""The reference's own cell in a row of ratios."""

Shown = tuple[Estimate, Unit]


def measured(models: Sequence[Figures | None]) -> bool:
    """Whether the energy of every model was measured; else none is shown in microjoules."""
    return all(model is not None and _is_measured(model.energy_uj) for model in models)


def line(models: Sequence[Figures | None], ratios: Sequence[Ratio]) -> tuple[str, list[Shown]]:
    """The row's name, and each model's figure with its unit."""
    known = [model for model in models if model is not None]
    if known and measured(models):
        return "energy", [(model.energy_uj, MICROJOULES) for model in known]
    reference = next((ratio.over for ratio in ratios), None)
    if reference is None:
        return "energy proxy", [_alone(model) for model in models]
    name = f"energy proxy, of {numbers.printable(reference)}"
    return name, [_of(model, reference, ratios) for model in models]


def methods(models: Sequence[Figures], shown: Sequence[Shown]) -> tuple[str, ...]:
    """The methods of the figures shown, each once, without the reference's."""
    estimates = [
        estimate
        for estimate, _ in shown
        if estimate.value is not None and estimate is not REFERENCE
    ]
    own = [model.energy_uj for model in models if model.energy_uj.value is not None]
    return tuple(dict.fromkeys(estimate.method for estimate in estimates or own if estimate.method))


def _of(model: Figures | None, reference: str, ratios: Sequence[Ratio]) -> Shown:
    if model is None:
        return Estimate.unknown("not measured in this run"), RATIO
    if model.name == reference:
        known = model.energy_uj.value is not None
        return (REFERENCE if known else model.energy_uj), RATIO
    compared = (
        ratio.energy for ratio in ratios if (ratio.of, ratio.over) == (model.name, reference)
    )
    return next(compared, Estimate.unknown(f"not compared with {reference}")), RATIO


def _alone(model: Figures | None) -> Shown:
    figure = model.energy_uj if model else Estimate.unknown("not measured in this run")
    return figure, MICROJOULES


def _is_measured(figure: Estimate) -> bool:
    return figure.value is not None and figure.kind == "measured"
