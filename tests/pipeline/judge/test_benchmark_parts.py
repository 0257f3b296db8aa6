"""Parts of the benchmark stage: what is counted and timed of a file, and for how many queries."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import measured_example
import numpy as np
import pytest
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.onboard.settings import Feed, Session
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.profiles.profile import load
from edgestill.exporters.scaled import Scaled
from edgestill.pipeline.judge import benchmark
from noted import Noted

FILES = {"fp32": "fp32.onnx", "int8-dynamic": "d.tflite", "int8-static": "s.xml"}
SUBJECTS = [Subject(name, Path(file)) for name, file in FILES.items()]


@pytest.mark.parametrize(
    ("p50_ms", "runs"), [(1.25, 200), (1.26, 198), (5.0, 50), (5.01, 49), (41.0, 6), (42.0, 5)]
)
def test_an_operator_is_timed_over_whole_queries_of_a_quarter_of_a_second(p50_ms, runs):
    assert benchmark._runs(p50_ms) == runs


def test_a_median_of_0_or_unknown_is_none():
    found = measured_example.benchmark()
    values = {"teacher": 2.0, "fp32": 0.0, "int8-dynamic": None, "int8-static": 3.0}
    models = tuple(
        dataclasses.replace(model, p50_ms=dataclasses.replace(model.p50_ms, value=value))
        for model, value in zip(found.models, values.values(), strict=True)
    )
    assert [model.name for model in models] == list(values)
    medians = benchmark._medians(dataclasses.replace(found, models=models))
    assert medians == {"teacher": 2.0, "int8-static": 3.0}


def test_instructions_of_a_runtime_with_threads_of_its_own_are_unknown(monkeypatch):
    found, progress = measured_example.benchmark(), Noted()
    counted = Estimate.exact(7.0, "a count", "instructions")
    asked = []
    monkeypatch.setattr(
        benchmark.countable,
        "count",
        lambda path, target, *, feed: (
            asked.append((path, target, feed)) or SimpleNamespace(estimate=counted)
        ),
    )
    subjects, feed = [Subject("teacher", Path("t.onnx")), *SUBJECTS], Feed(seed=3)
    host = load("host")
    made = benchmark._counted(found, subjects, host, feed, progress)
    unknown = {
        "teacher": "only what may ship is counted",
        "int8-static": "not counted: openvino, which computes in threads of its own",
    }
    assert {model.name: model.instructions for model in made.models} == {
        "fp32": counted,
        "int8-dynamic": counted,  # a .tflite file
        **{
            name: Estimate.unknown(reason, "instructions", unit="instructions")
            for name, reason in unknown.items()
        },
    }
    assert asked == [(Path(FILES[name]), host, feed) for name in ("fp32", "int8-dynamic")]
    assert (progress.begun, progress.told) == ([("instructions", 3)], list(FILES))
    assert made.models[1].p50_ms == found.models[1].p50_ms


def test_operators_of_a_file_of_another_runtime_are_not_timed(monkeypatch):
    progress, asked = Noted(), []
    monkeypatch.setattr(
        benchmark, "profiled", lambda name, path, here, **given: asked.append((name, path, here))
    )
    settings = Settings(session=Session(), feed=Feed())
    records = benchmark._operators(
        measured_example.benchmark(), SUBJECTS, settings, "no figures", progress
    )
    assert asked == [("fp32", Path("fp32.onnx"), "no figures")]
    assert (len(records), progress.begun, progress.told) == (1, [("operators", 1)], ["fp32"])


def test_measuring_has_its_time_and_looks_when_a_tenth_more_processes_than_needed_are_there():
    until = benchmark.until_decided({"max_p99_ms": 1.0, "max_p50_ms": 1.0}, 0.99, 60.0)
    tail = benchmark.fewest_processes(99.0, 0.99)
    assert until.max_seconds == 60.0
    assert until.counts == (-(-11 * tail // 10), benchmark.fewest_processes(50.0, 0.99))


def test_a_file_that_takes_integers_is_queried_with_the_same_samples_as_integers(tmp_path):
    samples = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    np.savez(tmp_path / benchmark.INPUTS, input=samples)
    takes = Scaled("int8", (1, 3), 0.02, 5)

    def of(takes):
        packages = (SimpleNamespace(input=takes),)
        return benchmark._integers(tmp_path, SimpleNamespace(name="a@b", packages=packages))

    assert of(None) is None
    path = of(takes)
    with np.load(path) as stored:
        assert stored["input"].dtype == np.int8
        np.testing.assert_array_equal(stored["input"], takes.as_taken(samples))
    feed = Feed("others.npz", 4, pad=1)
    assert Subject("a", Path("a.tflite"), inputs=path).feed(feed) == Feed(str(path), 4, pad=1)
    assert Subject("a", Path("a.tflite")).feed(feed) == feed
