"""Measurements whose truth is known, through the code that judges real ones.

    machine = Machine(between=0.01, slow=0.15)
    outcomes(400, "max_p90_ms", machine.truth(90.0), machine)    # {'undecided': 399, 'ready': 1}

Looks, percentiles, intervals, budgets and the gate are the product's; every other number here (the
promise, the shape of the noise, the time a process takes) is this file's own, so that a promise
changed there is seen here.
"""

import dataclasses
import functools
import math
from collections import Counter

import numpy as np
import report_example
from edgestill.devices.bench.stopping import Looks, Until
from edgestill.devices.onboard.stats.percentiles import percentile_over_processes
from edgestill.devices.onboard.stats.processes import ratio_over_processes
from edgestill.pipeline.finished import compare as comparison
from edgestill.pipeline.judge import promise
from edgestill.pipeline.judge.benchmark import until_decided
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate

PROMISED = 0.01
"""Verdicts that may be READY though the truth is outside a budget."""
QUERIES = 80
"""Of a process."""
PROCESSES = 9
"""That a recipe asks for."""
PERCENTILES = {"max_p50_ms": 50.0, "max_p90_ms": 90.0, "max_p99_ms": 99.0}


@dataclasses.dataclass(frozen=True)
class Machine:
    """What makes the latencies of processes and of their queries; 1 ms where nothing does.

    Attributes:
        between: deviation of a process's own factor, in logarithms.
        within: deviation of a query's.
        correlation: of the factors of neighbours in time.
        slow: share of the processes that are slow as a whole.
        slower: their factor.
        drift: by how much latency has risen from the first process to the last of a minute, as a
            share; the truth is where it ends.
        tail: share of the queries, another in each process, that take three times as long.
        bursts: share of the processes of which a neighbour disturbs a part.
        stays: chance that it is still there at the next process.
    """

    between: float = 0.01
    within: float = 0.03
    correlation: float = 0.0
    slow: float = 0.0
    slower: float = 2.0
    drift: float = 0.0
    tail: float = 0.0
    bursts: float = 0.0
    stays: float = 0.0

    def latencies(self, random, processes):
        """Milliseconds, float64 [processes, QUERIES]."""
        own = random.standard_normal(processes)
        for i in range(1, processes):
            fresh = math.sqrt(1.0 - self.correlation**2) * own[i]
            own[i] = self.correlation * own[i - 1] + fresh
        shape = (processes, QUERIES)
        logs = self.between * own[:, None] + random.normal(0, self.within, shape)
        each = (
            np.exp(logs) * np.where(random.random(processes) < self.slow, self.slower, 1)[:, None]
        )
        if self.tail:
            share = random.beta(1.0, 1.0 / self.tail - 1.0, (processes, 1))
            each = each * np.where(random.random(shape) < share, 3.0, 1.0)
        if self.bursts:
            each = each * self._bursts(random, processes)
        return each * (1.0 - self.drift * np.linspace(1.0, 0.0, processes))[:, None]

    def _bursts(self, random, processes):
        there = random.random(processes) < self.bursts
        kept = random.random(processes) < self.stays
        for i in range(1, processes):
            there[i] = there[i - 1] if kept[i] else there[i]
        part = random.random(processes)[:, None]
        hit = there[:, None] & (np.arange(QUERIES) / QUERIES < part)
        return np.where(hit, random.uniform(1.0, 3.0, (processes, 1)), 1.0)

    def truth(self, percentile, processes=60_000):
        """The percentile of the queries of all processes there could be."""
        steady = dataclasses.replace(self, drift=0.0, correlation=0.0)
        drawn = steady.latencies(np.random.default_rng(99), processes)
        return float(np.percentile(drawn, percentile, method="inverted_cdf"))


def outcomes(
    trials, key, budget, machine, *, files=1, most=60, percentile=percentile_over_processes
):
    """How the gate judges one variant, trial by trial; a repetition takes a second.

    Args:
        trials: how many builds.
        key: of the budget, in ``PERCENTILES``.
        budget: in milliseconds.
        machine: what is measured on.
        files: that could ship, which all share the promise.
        most: seconds until time is up.
        percentile: makes an estimate of the samples of processes.
    """
    report, gate = report_example.report(), Gate(**{key: budget})
    fp32 = report.quality.variants[0]
    quality = report.quality.model_copy(update={"variants": (fp32,)})
    model = next(one for one in report.measured.benchmark.models if one.name == fp32.name)
    confidence = promise.confidence(files)
    found = Counter()
    for trial in range(trials):
        drawn = machine.latencies(np.random.default_rng([0, trial]), most)
        models = (decided(model, drawn, key, gate, confidence, percentile),)
        measured = dataclasses.replace(report.measured.benchmark, models=models)
        found[
            judge(gate, quality, report.measured.model_copy(update={"benchmark": measured})).outcome
        ] += 1
    return dict(found)


def decided(model, drawn, key, gate, confidence, percentile=percentile_over_processes):
    """A model with the figure it has when the benchmark stage ends.

    Args:
        model: the figures of a measured one.
        drawn: milliseconds of every process that time is there for, [processes, QUERIES].
        key: of the budget, in ``PERCENTILES``.
        gate: which sets it.
        confidence: of the verdict.
        percentile: makes an estimate of the samples of processes.
    """
    figure = functools.partial(_figure, drawn, key, model, confidence, percentile)
    (found,) = _measured(figure, gate, confidence, len(drawn))
    return found


def _figure(drawn, key, model, confidence, percentile, processes):
    """The figures of a model after so many processes."""
    found = percentile(list(drawn[:processes]), PERCENTILES[key], confidence, "ms")
    return dataclasses.replace(model, **{key.removeprefix("max_"): found})


def _measured(figure, gate, confidence, most):
    """The figures of one model when the benchmark stage ends."""
    done, known = [], functools.cache(figure)
    until = until_decided(gate.budgets(), confidence, float(most))
    watch = Looks(PROCESSES, confidence, until, clock=lambda: float(len(done)))
    for _ in watch.repetitions(lambda _: ([known(len(done))], [])):
        done.append(1)  # noqa: PERF401 - the clock counts what is done so far
    return (known(len(done)),)


def unlikely(count, trials, rate=PROMISED, chance=0.001):
    """Whether a rate gives so many or more of all trials less often than this chance."""
    terms = (math.comb(trials, i) * rate**i * (1 - rate) ** (trials - i) for i in range(count))
    return 1.0 - math.fsum(terms) < chance


def found_different(trials, true_ratio, machine, *, most=200, seed=0):
    """In how many trials ``compare`` calls two models different; a pair takes a second.

    The two of a pair are neighbours in time, in an order that a coin decides.
    """
    found = 0
    for trial in range(trials):
        random, done = np.random.default_rng([seed, trial]), []
        drawn = np.percentile(machine.latencies(random, 2 * most), 10, axis=1).reshape(-1, 2)
        turned = random.random(len(drawn)) < 0.5
        drawn[turned] = drawn[turned, ::-1]

        def ratio(confidence, drawn=drawn, done=done):
            a, b = drawn[: len(done)].T
            return ratio_over_processes(true_ratio * b, a, confidence)

        rule = Until(lambda _, ratios: comparison.known(ratios[0], None), float(most))
        watch = Looks(9, 1.0 - PROMISED, rule, clock=lambda done=done: float(len(done)))
        for _ in watch.repetitions(lambda confidence, ratio=ratio: ([], [ratio(confidence)])):
            done.append(1)  # noqa: PERF401 - the clock counts what is done so far
        found += bool(comparison.differs(ratio(watch.confidence)))
    return found
