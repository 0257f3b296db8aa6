"""Measurements whose truth is known: noise within and between processes, and bursts of neighbours.

    outcomes(400, "max_p90_ms", budget=1.0, noise=Noise())      # {'undecided': 396, 'ready': 2, …}

Every figure goes through the code that judges real ones: looks, intervals, budgets, the gate.
"""

import dataclasses
from collections import Counter

import numpy as np
import report_example
from edgestill.devices.bench.stopping import Looks, Until
from edgestill.devices.onboard.stats.processes import median_over_processes, ratio_over_processes
from edgestill.pipeline.commands import compare as comparison
from edgestill.pipeline.judge.benchmark import CONFIDENCE
from edgestill.pipeline.judge.budgets import decided
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate

QUERIES = 80
"""Of a process; 64 allow a p90."""
PERCENTILES = {"max_p50_ms": 50.0, "max_p90_ms": 90.0}


@dataclasses.dataclass(frozen=True)
class Noise:
    """Log-normal factors, and bursts that slow a part of a process's queries.

    Attributes:
        between: deviation of a process's own factor, in logarithms.
        within: deviation of a query's.
        bursts: share of the processes that a neighbour disturbs.
        slower: the factor of disturbed queries, at the most.
        stays: chance that the neighbour is still there at the next process.
    """

    between: float = 0.05
    within: float = 0.03
    bursts: float = 0.3
    slower: float = 3.0
    stays: float = 0.0

    def latencies(self, random, processes):
        """Milliseconds, float64 [processes, QUERIES]; 1 where nothing disturbs."""
        shape = (processes, QUERIES)
        logs = random.normal(0, self.between, (processes, 1)) + random.normal(0, self.within, shape)
        there = random.random(processes) < self.bursts
        kept = random.random(processes) < self.stays
        for i in range(1, processes):
            there[i] = there[i - 1] if kept[i] else there[i]
        part = random.random(processes)[:, None]
        hit = there[:, None] & (np.arange(QUERIES) / QUERIES < part)
        return np.exp(logs) * np.where(hit, random.uniform(1.0, self.slower, (processes, 1)), 1.0)

    def truth(self, percentile, processes=200_000):
        """The median over all processes there could be of their own percentile."""
        random, each = np.random.default_rng(99), []
        for _ in range(processes // 10_000):
            drawn = self.latencies(random, 10_000)
            each.append(percentiles(drawn, percentile))
        return float(np.median(np.concatenate(each)))


def percentiles(drawn, percentile):
    """Of each process, as ``stats.percentile_over_processes`` takes it."""
    return np.percentile(drawn, percentile, axis=1, method="inverted_cdf")


def outcomes(trials, key, budget, noise, *, looks=Looks, most=60.0, seed=0):
    """How the gate judges one variant, trial by trial; a repetition takes a second.

    Args:
        trials: how many builds.
        key: of the budget, in ``PERCENTILES``.
        budget: in milliseconds.
        noise: of this machine.
        looks: what decides how long to go on and at which confidence.
        most: seconds until time is up.
        seed: of all trials.
    """
    report, gate = report_example.report(), Gate(**{key: budget})
    fp32 = report.quality.variants[0]
    quality = report.quality.model_copy(update={"variants": (fp32,)})
    model = next(one for one in report.measured.benchmark.models if one.name == fp32.name)
    found = Counter()
    for trial in range(trials):
        drawn = noise.latencies(np.random.default_rng([seed, trial]), int(most))
        each, done = percentiles(drawn, PERCENTILES[key]), []

        def conclude(confidence, each=each, done=done):
            figure = median_over_processes(each[: len(done)], confidence)
            return [dataclasses.replace(model, **{key.removeprefix("max_"): figure})], []

        rule = Until(lambda models, _: decided(gate.budgets(), models), most)
        watch = looks(9, CONFIDENCE, rule, clock=lambda done=done: float(len(done)))
        for _ in watch.repetitions(conclude):
            done.append(1)  # noqa: PERF401 - the clock counts what is done so far
        models, _ = conclude(watch.confidence)
        measured = dataclasses.replace(report.measured.benchmark, models=tuple(models))
        found[
            judge(gate, quality, report.measured.model_copy(update={"benchmark": measured})).outcome
        ] += 1
    return dict(found)


def found_different(trials, true_ratio, noise, *, most=200.0, seed=0):
    """In how many trials ``compare`` calls two models different; a pair takes a second.

    The two of a pair are neighbours in time, in an order that a coin decides.
    """
    found = 0
    for trial in range(trials):
        random, done = np.random.default_rng([seed, trial]), []
        drawn = np.percentile(noise.latencies(random, 2 * int(most)), 10, axis=1).reshape(-1, 2)
        turned = random.random(len(drawn)) < 0.5
        drawn[turned] = drawn[turned, ::-1]

        def ratio(confidence, drawn=drawn, done=done):
            a, b = drawn[: len(done)].T
            return ratio_over_processes(true_ratio * b, a, confidence)

        rule = Until(lambda _, ratios: comparison.known(ratios[0], None), most)
        watch = Looks(9, comparison.CONFIDENCE, rule, clock=lambda done=done: float(len(done)))
        for _ in watch.repetitions(lambda confidence, ratio=ratio: ([], [ratio(confidence)])):
            done.append(1)  # noqa: PERF401 - the clock counts what is done so far
        found += bool(comparison.differs(ratio(watch.confidence)))
    return found
