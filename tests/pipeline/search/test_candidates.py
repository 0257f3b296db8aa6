"""Few candidates are measured, and the largest that fit are among them."""

import math
from dataclasses import replace

import measured_example
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import BenchmarkRecord, Cost
from edgestill.pipeline.search.candidates import Candidates

GATE = Gate(min_accuracy=0.5, max_p50_ms=1.0)


def family(model, widths, macs_of=lambda width: width * width):
    return [
        Cost(model=model, width=width, parameters=10 * width, macs=macs_of(width))
        for width in widths
    ]


def costs(*families):
    return sorted((cost for each in families for cost in each), key=lambda cost: cost.macs)


def record(p50_ms, kib=1.0):
    """A measurement of fp32 and of int8, which is half as fast again."""
    whole = measured_example.benchmark()
    fp32 = next(model for model in whole.models if model.name == "fp32")

    def file(name, p50, size):
        p50 = Estimate(p50, None, None, "", 5, "few processes", "ms", "measured")
        return replace(fp32, name=name, p50_ms=p50, file_bytes=round(size * 1024))

    models = (file("fp32", p50_ms, kib), file("int8-static", p50_ms / 1.5, kib / 4))
    return BenchmarkRecord(
        benchmark=replace(whole, models=models),
        measured_on="host",
        target="host",
        on_target=True,
    )


def searched(candidates, truth, finalists=3):
    """Measure what is asked for; how many that were."""
    asked = []
    while (cost := candidates.to_measure(finalists)) is not None:
        assert cost not in asked
        asked.append(cost)
        candidates.add(cost, record(truth(cost)))
    return asked


def test_without_a_budget_of_resources_nothing_is_measured_and_all_fit():
    every = costs(family("resnet8", (8, 16)))
    candidates = Candidates(every, Gate(min_accuracy=0.9))
    assert candidates.to_measure(3) is None
    assert candidates.fitting() == every[::-1]


@pytest.mark.parametrize("seed", range(6))
def test_the_largest_that_fit_are_found_with_few_measurements(seed):
    # Each model has a speed of its own, as on a real device.
    models = ("resnet8", "resnet14", "mobilenet3", "mobilenet6")
    widths = (8, 12, 16, 24, 32, 48, 64, 96)
    speed = dict(zip(models, (1.0, 0.8, 0.4, 0.35), strict=True))
    limit = 3.0 + seed

    def truth(cost):
        return (0.2 + cost.macs / (1000 * speed[cost.model])) / limit * 1.5

    every = costs(*(family(model, widths) for model in models))
    candidates = Candidates(every, GATE)
    asked = searched(candidates, truth)
    # int8 is 1.5 times as fast, and has to be inside by 5 %.
    fit = [cost for cost in reversed(every) if truth(cost) / 1.5 < 0.95]
    assert candidates.fitting()[0] == fit[0]
    assert set(candidates.fitting()[:3]) <= set(fit)
    assert all(map(candidates.is_measured, candidates.fitting()[:3]))
    assert len(asked) <= len(every) / 2


def test_where_none_fits_the_smallest_was_measured_and_the_closest_is_known():
    every = costs(family("resnet8", (8, 16, 32)))
    candidates = Candidates(every, GATE)
    searched(candidates, lambda cost: 100.0 + cost.macs)
    assert candidates.fitting() == []
    assert candidates.is_measured(every[0])
    assert candidates.closest() == every[0]
    records = candidates.records({}, every[0])
    assert [one.fits for one in records] == [False] * 3
    assert records[0].misses[0].key == "max_p50_ms"
    assert records[0].variant == "int8-static"


def test_a_record_says_what_was_measured_and_what_follows_from_others():
    every = costs(family("resnet8", (8, 16, 32, 64, 128)))
    candidates = Candidates(every, GATE)
    searched(candidates, lambda cost: cost.macs / 1000, finalists=1)
    chosen = candidates.fitting()[0]
    records = candidates.records({chosen: 0.75}, chosen)
    assert {one.cost.width for one in records if one.chosen} == {chosen.width}
    kinds = {one.measured: one.figures["max_p50_ms"].kind for one in records}
    assert kinds == {True: "measured", False: "predicted"}
    assert [one.short_score for one in records if one.chosen] == [0.75]


def test_a_file_that_one_candidate_lacks_is_predicted_from_those_that_have_it():
    every = costs(family("resnet8", (8, 16, 32)))
    candidates = Candidates(every, GATE)
    lone = record(0.9)
    models = lone.benchmark.models[:1]
    lone = lone.model_copy(update={"benchmark": replace(lone.benchmark, models=models)})
    candidates.add(every[0], lone)
    candidates.add(every[1], record(1.2))
    assert candidates.fits(every[2]) is not None
    assert not math.isnan(candidates.records({}, None)[2].figures["max_p50_ms"].value)
