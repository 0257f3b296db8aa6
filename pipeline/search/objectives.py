"""What the score is weighed against: latency, size, memory and energy of a file.

>>> parsed("latency,size")
('latency', 'size')
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures
from ...errors import HostError, UsageError
from ..records import TEACHER, BenchmarkRecord


@dataclass(frozen=True, slots=True)
class Objective:
    """One figure to be small.

    Attributes:
        figure: of a file that was measured.
        of_machine: whether it holds for the device that it was measured on alone.
    """

    figure: Callable[[Figures], Estimate]
    of_machine: bool = False


OBJECTIVES: dict[str, Objective] = {
    "latency": Objective(lambda file: file.p50_ms, of_machine=True),
    "size": Objective(lambda file: Estimate.exact(file.file_bytes, "file size", "bytes")),
    "memory": Objective(lambda file: file.peak_memory_bytes, of_machine=True),
    "energy": Objective(lambda file: file.energy_uj),
}
"""By the name that ``--against`` takes. Energy that is declared is that of the target."""
DEFAULT = ("latency", "size")


def parsed(against: str | Sequence[str]) -> tuple[str, ...]:
    """Names of objectives, as text with commas or one by one.

    Raises:
        UsageError: one that is none, one twice, or none at all.
    """
    named = against.split(",") if isinstance(against, str) else list(against)
    names = tuple(name.strip() for name in named)
    wrong = [name for name in names if name not in OBJECTIVES]
    if wrong or not names or len(set(names)) < len(names):
        raise UsageError(
            repr(",".join(names)),
            expected=f"some of {', '.join(OBJECTIVES)}, each once",
            where="--against",
        )
    return names


def figures_of(measured: BenchmarkRecord, names: Sequence[str]) -> dict[str, dict[str, Estimate]]:
    """What each file takes, by its name and by objective.

    Args:
        measured: a measurement.
        names: of the objectives.
    """
    return {
        file.name: {name: _figure(measured, file, name) for name in names}
        for file in measured.benchmark.models
        if file.name != TEACHER
    }


def _figure(measured: BenchmarkRecord, file: Figures, name: str) -> Estimate:
    objective = OBJECTIVES[name]
    figure = objective.figure(file)
    if measured.on_target or not (objective.of_machine or figure.kind == "measured"):
        return figure
    if name == "latency":
        predicted = (one.p50_ms for one in measured.predicted if one.name == file.name)
        found = next(predicted, None)
        if found is not None:
            return found
    nothing = f"nothing was measured on {measured.target}, only on {measured.measured_on}"
    return Estimate.unknown(nothing, unit=figure.unit)


def known(figures: Mapping[str, Mapping[str, Estimate]]) -> dict[str, dict[str, Estimate]]:
    """The files of which every figure is known.

    Raises:
        HostError: there is none, with the figure that no file has.
    """
    found = {
        file: dict(own)
        for file, own in figures.items()
        if all(figure.value is not None for figure in own.values())
    }
    if not found:
        lacking = {
            name: figure.missing
            for own in figures.values()
            for name, figure in own.items()
            if figure.value is None
        }
        name, why = next(iter(lacking.items()), ("all figures", "no file was measured"))
        raise HostError(
            f"{name} is unknown: {why}",
            where="--against",
            fix=f"leave {name} out of --against" if len(lacking) < len(OBJECTIVES) else None,
        )
    return found
