"""Energy as it may be said: measured in microjoules, declared only as a ratio to a reference.

    name, cells = line(benchmark.models, benchmark.ratios)
    print(name)                 # energy proxy, of teacher

A declared model ranks two models; its microjoules are of no device, so they are shown alone only
where there is nothing to compare with.
"""

from collections.abc import Sequence

from ...devices.bench.bench import Figures, Ratio
from ...devices.onboard.stats.estimate import Estimate
from . import numbers
from .numbers import MICROJOULES, RATIO, Unit

REFERENCE = Estimate.exact(1.0, "the reference itself", "ratio")
"""What stands for the reference in a row of ratios."""

Shown = tuple[Estimate, Unit]


def measured(models: Sequence[Figures | None]) -> bool:
    """Whether every model's energy was measured; with one that was not, none is shown so."""
    return all(each is not None and _is_measured(each.energy_uj) for each in models)


def line(models: Sequence[Figures | None], ratios: Sequence[Ratio]) -> tuple[str, list[Shown]]:
    """What the row is called, and each model's figure with its unit."""
    known = [each for each in models if each is not None]
    if known and measured(models):
        return "energy", [(each.energy_uj, MICROJOULES) for each in known]
    reference = next((each.over for each in ratios), None)
    if reference is None:
        return "energy proxy", [_alone(each) for each in models]
    name = f"energy proxy, of {numbers.printable(reference)}"
    return name, [_of(each, reference, ratios) for each in models]


def methods(models: Sequence[Figures], shown: Sequence[Shown]) -> tuple[str, ...]:
    """How the figures that are shown were found, each method once, the reference's left out."""
    found = [each for each, _ in shown if each.value is not None and each is not REFERENCE]
    own = [each.energy_uj for each in models if each.energy_uj.value is not None]
    return tuple(dict.fromkeys(each.method for each in found or own if each.method))


def _of(model: Figures | None, reference: str, ratios: Sequence[Ratio]) -> Shown:
    if model is None:
        return Estimate.unknown("not measured in this run"), RATIO
    if model.name == reference:
        known = model.energy_uj.value is not None
        return (REFERENCE if known else model.energy_uj), RATIO
    found = (each.energy for each in ratios if (each.of, each.over) == (model.name, reference))
    return next(found, Estimate.unknown(f"not compared with {reference}")), RATIO


def _alone(model: Figures | None) -> Shown:
    figure = model.energy_uj if model else Estimate.unknown("not measured in this run")
    return figure, MICROJOULES


def _is_measured(figure: Estimate) -> bool:
    return figure.value is not None and figure.kind == "measured"
