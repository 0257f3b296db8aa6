"""What the stages of this folder take as input. All of it is part of their keys.

Importing this module loads no torch, so that a plan can be made without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ...devices.energy.declared import Prices
from ...devices.profiles.profile import Profile
from ..distill.inputs import Models, Samples
from ..engine.stage import Made
from ..recipe.benchmark import Benchmark
from ..recipe.training import Schedule
from ..records import (
    DataRecord,
    Int8PlainRecord,
    ModelRecord,
    Split,
    TargetsRecord,
    VariantsRecord,
)


@dataclass(frozen=True, slots=True)
class VerifyInputs:
    """Input of the verify stage.

    Attributes:
        variants: the variants stage's output.
        models: the torch models that its files must answer as.
        plain: the students again, trained on labels alone.
        targets: the teacher's answers on test, where it has no file; None without a teacher.
        data: the data stage's output.
        batch: samples a run.
        int8_plain: the plain students in static int8; None where the recipe has no such variant.
        labelled: the students again, taught on the labelled samples alone; empty where every sample
            has a label.
        split: what the files are scored on; a search has only validation.
    """

    variants: Made[VariantsRecord]
    models: Models
    plain: tuple[Made[ModelRecord], ...]
    targets: Made[TargetsRecord] | None
    data: Made[DataRecord]
    batch: int
    int8_plain: Made[Int8PlainRecord] | None = None
    labelled: tuple[Made[ModelRecord], ...] = ()
    split: Split = "test"


@dataclass(frozen=True, slots=True)
class AdaptationInputs:
    """Input of the adaptation stage.

    Attributes:
        students: those that started from weights, one a seed.
        scratch: the same students, seeds and steps from random weights.
        shares: of the labelled samples, that others were trained on.
        fewer: the students of each share, one a seed.
        samples: the data, and the metric by which all of them kept their best epoch.
        schedule: that all of them were trained by.
        step_shares: of the epochs, that others were trained for by a complete schedule.
        shorter: the students of each of these shares, one a seed.
    """

    students: tuple[Made[ModelRecord], ...]
    scratch: tuple[Made[ModelRecord], ...]
    shares: tuple[float, ...]
    fewer: tuple[tuple[Made[ModelRecord], ...], ...]
    samples: Samples
    schedule: Schedule
    step_shares: tuple[float, ...] = ()
    shorter: tuple[tuple[Made[ModelRecord], ...], ...] = ()


@dataclass(frozen=True, slots=True)
class BenchmarkInputs:
    """Input of the benchmark stage.

    Attributes:
        benchmark: the recipe's part.
        variants: the variants stage's output.
        data: the data stage's output.
        device: the device to measure on.
        target: the device to ship to.
        on_target: whether they are the same device.
        budgets: of latency and memory; measuring goes on until they are decided, if time allows.
        prices: energy prices of the target, for the declared model.
        seed: of the order in which models take turns.
    """

    benchmark: Benchmark
    variants: Made[VariantsRecord]
    data: Made[DataRecord]
    device: Profile
    target: Profile
    on_target: bool
    budgets: Mapping[str, float]
    prices: Prices
    seed: int
