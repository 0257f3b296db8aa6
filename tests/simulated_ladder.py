"""Climbs whose truth is known: what the ladder stops at, and how often a verdict on it says READY.

    found = climbs(at_budget("score"), Sizes(validation=200, test=600), trials=100)
    found.ready, found.rungs         # READY in so many; recipes judged on the way, of each climb

Of every recipe on the way the answers are drawn anew, on a validation split and on a test split
that all recipes of a climb share: some samples are hard for every student. The ladder, what it
expects of test, the tasks' figures and the gate are the product's; every other number here (the
truth of a recipe, the noise of a machine) is this file's own.
"""

import dataclasses
import functools
import zlib
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import fake_trials
import numpy as np
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge import promise
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.recipe.recipe import Recipe
from edgestill.pipeline.records import BenchmarkRecord, VerifyRecord
from edgestill.pipeline.search.ladder import climb
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.sampling import Sampling
from fake_trials import FakeTrials
from simulated import Machine, decided

CLASSES = 3
SHARED = 0.5
"""Of the variance of what makes a sample hard: the part that is so for every student."""
NOISE = Machine(between=0.05, within=0.03)
"""Of latencies."""
_WIDTHS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56)


class File(NamedTuple):
    """The truth of one file.

    Attributes:
        accuracy: of the student in fp32.
        loses: share of its right answers that this file gives wrong.
        p50_ms: latency.
    """

    accuracy: float
    loses: float = 0.0
    p50_ms: float = 0.1


class Sizes(NamedTuple):
    """Samples of the splits."""

    validation: int
    test: int


class Case(NamedTuple):
    """What is climbed.

    Attributes:
        gate: the budgets.
        truth: ``(recipe)``: of every file it has, by name.
    """

    gate: dict[str, float]
    truth: Callable[[Recipe], dict[str, File]]


class Climbs(NamedTuple):
    """What came of all climbs.

    Attributes:
        ready: verdicts that are READY.
        fits: climbs that ended at a recipe that was expected to be READY.
        ready_and_fits: both.
        at_once: climbs that ended at the first recipe.
        rungs: recipes that were judged, of each climb.
    """

    ready: int
    fits: int
    ready_and_fits: int
    at_once: int
    rungs: tuple[int, ...]


def at_budget(what: str) -> Case:
    """Every file of every recipe is exactly at a budget, so that each READY is false.

    Args:
        what: ``score`` (and of int8 files what they lose to fp32), ``drop`` (where fp32 takes too
            long) or ``latency``.
    """
    if what == "score":
        gate = {"min_accuracy": 0.9, "max_drop_vs_fp32": 0.018}
        return Case(gate, functools.partial(_but_fp32, File(0.9), File(0.9, 0.02)))
    if what == "drop":
        gate = {"min_accuracy": 0.5, "max_drop_vs_fp32": 0.018, "max_p50_ms": 1.0}
        return Case(gate, functools.partial(_but_fp32, File(0.9, p50_ms=2.0), File(0.9, 0.02)))
    gate = {"min_accuracy": 0.5, "max_p50_ms": 1.0}
    file = File(0.9, p50_ms=1.0 / _median_of_noise())
    return Case(gate, lambda r: dict.fromkeys(_files(r), file))


def inside_by(points: float) -> Case:
    """Every recipe scores so many points more than its budget."""
    return Case({"min_accuracy": 0.9 - points}, lambda r: dict.fromkeys(_files(r), File(0.9)))


def each_rung_gives(first: float, gain: float) -> Case:
    """The recipe as it is scores ``first`` over the budget; every rung kept adds a gain."""

    def truth(recipe: Recipe) -> dict[str, File]:
        rungs = sum(
            (
                recipe.distill.epochs > _recipe({}).distill.epochs,
                recipe.distill.losses != _recipe({}).distill.losses,
                _WIDTHS.index(recipe.student.width) if recipe.student.width in _WIDTHS else 0,
            )
        )
        return dict.fromkeys(_files(recipe), File(0.85 + first + gain * rungs))

    return Case({"min_accuracy": 0.85}, truth)


@functools.cache
def _median_of_noise() -> float:
    """Milliseconds of a file of 1 ms."""
    return NOISE.truth(50.0)


def _but_fp32(fp32: File, other: File, recipe: Recipe) -> dict[str, File]:
    return {name: fp32 if name == "fp32" else other for name in _files(recipe)}


def _files(recipe: Recipe) -> tuple[str, ...]:
    return recipe.compress.variants


def _recipe(gate: dict[str, float]) -> Recipe:
    return fake_trials.recipe(gate=gate or {"min_accuracy": 0.5})


@dataclasses.dataclass
class DrawnTrials(FakeTrials):
    """Trials whose answers and latencies are drawn.

    Attributes:
        case: what is climbed.
        sizes: of the splits.
        trial: number of the climb; part of every seed.
        split: what rungs are judged on.
    """

    case: Case | None = None
    sizes: Sizes | None = None
    trial: int = 0
    split: str = "validation"

    def data(self, recipe):
        made = super().data(recipe)
        judged_on = getattr(self.sizes, self.split)
        rows = {**made.record.rows, "validation": judged_on, "test": self.sizes.test}
        made.record = made.record.model_copy(update={"rows": rows})
        return made

    def resources(self, recipe, architecture, *, timed=False):
        student = recipe.student.model_copy(
            update={"model": architecture.model, "width": architecture.width}
        )
        return self._measured(recipe.model_copy(update={"student": student}))

    def on_validation(self, recipe, *, timed=False):
        self.judged.append(recipe)
        return self.quality(recipe, self.split), self._measured(recipe)

    def _measured(self, recipe) -> BenchmarkRecord:
        """A short measurement, of five processes."""
        random = self._random(recipe, "short")
        times = {
            name: float(np.median(file.p50_ms * NOISE.latencies(random, 5)))
            for name, file in self.case.truth(recipe).items()
        }
        return fake_trials.measured(times)

    def verdict(self, recipe) -> str:
        """On test, by a measurement of its own."""
        quality = self.quality(recipe, "test")
        files = self.case.truth(recipe)
        random, confidence = self._random(recipe, "verdict"), promise.confidence(len(files))
        whole = fake_trials.measured(dict.fromkeys(files, 1.0))
        models = tuple(
            _decided(one, files[one.name].p50_ms, random, recipe.gate, confidence)
            for one in whole.benchmark.models
        )
        benchmark = dataclasses.replace(whole.benchmark, models=models)
        return judge(
            recipe.gate, quality, whole.model_copy(update={"benchmark": benchmark})
        ).outcome

    def quality(self, recipe, split) -> VerifyRecord:
        """What the files of a recipe score on a split."""
        samples = getattr(self.sizes, split)
        files, random = self.case.truth(recipe), self._random(recipe, split)
        common = np.random.default_rng([self.trial, len(split)])
        labels, hard = common.integers(0, CLASSES, samples), common.standard_normal(samples)
        sampling, task = Sampling(promise.confidence(len(files))), of("classification")
        student = next(iter(files.values())).accuracy
        own = random.standard_normal(samples)
        right = SHARED**0.5 * hard + (1 - SHARED) ** 0.5 * own < NormalDist().inv_cdf(student)
        fp32 = _answers(labels, right)
        whole, variants = fake_trials.quality(dict.fromkeys(files, 0.5)), []
        for one in fake_trials.quality(dict.fromkeys(files, 0.5)).variants:
            lost = random.random(samples) < files[one.name].loses
            outputs = _answers(labels, right & ~lost)
            figures = {
                "score": task.score(outputs, labels, sampling),
                "drop_vs_fp32": Estimate.exact(0.0, "itself", "points")
                if one.name == "fp32"
                else task.drop(fp32, outputs, labels, sampling),
            }
            variants.append(one.model_copy(update=figures))
        update = {"variants": tuple(variants), "split": split, "test_samples": samples}
        return whole.model_copy(update=update)

    def _random(self, recipe, what) -> np.random.Generator:
        """Of a recipe: what it is asked for twice is the same."""
        student, tree = recipe.student, recipe.model_dump(mode="json", exclude_none=True)
        name = f"{what} {student.model} {student.width} {sorted(tree['distill'].items())}"
        return np.random.default_rng(
            [self.trial, zlib.crc32((name + str(tree["compress"])).encode())]
        )


def _decided(model, p50_ms, random, gate, confidence):
    """A file as the verdict has it measured: until its budget of latency is decided."""
    if gate.max_p50_ms is None:
        return model
    drawn = p50_ms * NOISE.latencies(random, 60)
    return decided(model, drawn, "max_p50_ms", Gate(max_p50_ms=gate.max_p50_ms), confidence)


def _answers(labels: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES)[np.where(right, labels, (labels + 1) % CLASSES)]


def climbs(
    case: Case, sizes: Sizes, trials: int, *, judged_on: str = "validation", first: int = 0
) -> Climbs:
    """Climb so often, and judge what was found on test.

    Args:
        case: what is climbed.
        sizes: of the splits.
        trials: how many climbs.
        judged_on: what rungs are judged on; ``test`` shows what the product's rule prevents.
        first: number of the first climb.
    """
    recipe, rungs = _recipe(case.gate), []
    ready = fits = both = at_once = 0
    for trial in range(first, first + trials):
        drawn = DrawnTrials(None, case=case, sizes=sizes, trial=trial, split=judged_on)
        found = climb(recipe, drawn, candidates=None, until=float("inf"))
        is_ready = drawn.verdict(found.best.recipe) == "ready"
        ready, fits = ready + is_ready, fits + found.best.fits
        both, at_once = both + (is_ready and found.best.fits), at_once + (len(found.tried) == 1)
        rungs.append(len(found.tried))
    return Climbs(ready, fits, both, at_once, tuple(rungs))


def without_ladder(case: Case, sizes: Sizes, trials: int) -> int:
    """READY in so many verdicts on the recipe as it is, with the samples of ``climbs``."""
    recipe = _recipe(case.gate)
    each = (DrawnTrials(None, case=case, sizes=sizes, trial=trial) for trial in range(trials))
    return sum(drawn.verdict(recipe) == "ready" for drawn in each)
