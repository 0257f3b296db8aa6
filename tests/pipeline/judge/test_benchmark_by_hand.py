"""The benchmark stage: what it measures, how, and what it makes of it; nothing is timed here."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import measured_example
import numpy as np
import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.operators.roofline import Bounds, Machine
from edgestill.devices.profiles.profile import load
from edgestill.errors import HostError, MeasureError
from edgestill.exporters.interface import INPUT
from edgestill.pipeline.judge import benchmark
from edgestill.pipeline.judge.inputs import BenchmarkInputs
from edgestill.pipeline.recipe.benchmark import Benchmark
from edgestill.pipeline.records import OperatorsRecord, OperatorTime
from noted import Noted

MACHINE = Machine("board", fp32_op_s=10e9, int8_op_s=40e9, byte_s=4e9, cores=4, clock_hz=1e9)
FILES = ("teacher", "fp32", "int8-dynamic", "int8-static")
X = np.arange(600, dtype=np.float32).reshape(300, 2)


def operators(name):
    conv = OperatorTime(
        name="c", op="Conv", family="Conv", fused=(), calls=1.0, us=9.0, share=1.0, type="float32",
        macs=1000, operations=2000, parameters=1, bytes=500, roof_us=None,
    )  # fmt: skip
    return OperatorsRecord(
        name=name, runtime="r", threads=1, runs=9, query_us=1.0, p50_us=1.0, profiled_us=1.0,
        operators=(conv,), unplaced_macs=0, roof=None, roof_missing="x",
    )  # fmt: skip


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Runs the stage, of which measuring, counting and profiling are replaced and keep the asks."""
    asked = SimpleNamespace(profiled=[], counted=[], here=0)
    for folder in ("files", "data", "out"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "data" / "x_test.npy", X)
    np.save(tmp_path / "data" / "y_test.npy", np.zeros(len(X), np.int64))

    def measure(request, *, prices, references):
        asked.request, asked.prices, asked.references = request, prices, references
        request.on_process(1, 2, "fp32")
        found = measured_example.benchmark()
        slow = dataclasses.replace(found.models[1].p50_ms, value=25.0)  # fp32 takes 25 ms
        models = (found.models[0], dataclasses.replace(found.models[1], p50_ms=slow))
        return dataclasses.replace(found, models=(*models, *found.models[2:]))

    def here(profile):
        assert profile is None
        asked.here += 1
        return Bounds(MACHINE, MACHINE, MACHINE)

    def profiled(name, path, figures, **given):
        asked.profiled.append((name, path.name, figures, given))
        if name == "int8-static":
            raise MeasureError("it died")
        return operators(name)

    def count(path, target, *, feed):
        asked.counted.append((path.name, target.name, feed))
        found = Estimate.exact(float(len(path.name)), "a count", "instructions")
        return SimpleNamespace(estimate=found)

    for name, fake in {"measure": measure, "figures_here": here, "profiled": profiled}.items():
        monkeypatch.setattr(benchmark, name, fake)
    monkeypatch.setattr(benchmark.countable, "missing", lambda target: None)
    monkeypatch.setattr(benchmark.countable, "count", count)

    def run(*, budgets=None, target="host", teacher=True, data=None, **recipe):
        report = report_example.report()
        variants = report.variants
        if not teacher:
            variants = variants.model_copy(update={"teacher": None})
        given = BenchmarkInputs(
            benchmark=Benchmark(**{"batch": 2, "operators": False, **recipe}),
            variants=SimpleNamespace(record=variants, path=tmp_path / "files"),
            data=SimpleNamespace(record=data or report.data, path=tmp_path / "data"),
            device=load("host"),
            target=load(target),
            on_target=target == "host",
            budgets=budgets or {},
            prices="prices",
            seed=5,
        )
        asked.progress = Noted()
        asked.out = tmp_path / "out"
        return benchmark.benchmark(asked.out, asked.progress, given), asked

    return run


def test_every_file_is_measured_as_the_recipe_says(stage, tmp_path):
    record, asked = stage(threads=3, spinning=True, seconds=0.7, max_queries=500, processes=11)
    request, settings = asked.request, asked.request.settings
    assert [subject.name for subject in request.subjects] == list(FILES)
    for subject, file in zip(request.subjects, report_example.report().variants.files, strict=True):
        assert subject.path == tmp_path / "files" / file.file
    assert (settings.session.threads, settings.session.spinning) == (3, True)
    assert (settings.timing.seconds, settings.timing.max_queries) == (0.7, 500)
    assert settings.timing.min_queries == 64
    assert (settings.processes, settings.seed, settings.footprint) == (11, 5, True)
    assert settings.guarded
    # One promise of 1 % for three files: a third each.
    assert settings.confidence == pytest.approx(1.0 - 0.01 / 3)
    assert (settings.feed.batch, settings.feed.seed, settings.feed.pad) == (2, 5, None)
    assert (request.out, request.until) == (asked.out, None)
    assert isinstance(request.place, benchmark.Local)
    assert (asked.prices, asked.references) == ("prices", ["teacher", "fp32"])
    assert ("benchmark", 44) in asked.progress.begun
    assert "fp32" in asked.progress.told
    assert record.benchmark.host == measured_example.benchmark().host
    assert (record.measured_on, record.target, record.on_target) == ("host", "host", True)
    assert (record.operators, record.predicted, asked.here) == ((), (), 0)
    assert asked.counted == asked.profiled == []


def test_a_device_is_measured_where_its_profile_leads(stage, monkeypatch):
    there = object()
    monkeypatch.setattr(benchmark, "place_of", lambda device: there)
    record, asked = stage(operators=True)
    assert asked.request.place is there
    # The operators of another machine are not those of this one.
    assert (record.operators, asked.here) == ((), 0)


def test_queries_take_samples_of_test_at_random_in_their_order(stage):
    _, asked = stage(batch=3)
    with np.load(asked.request.settings.feed.inputs) as stored:
        assert list(stored) == [INPUT]
        rows = stored[INPUT][:, 0] / 2
    assert len(rows) == 3 * benchmark.BATCHES
    assert set(rows) <= set(range(len(X)))
    assert (np.diff(rows) > 0).all()


def test_without_a_teachers_file_fp32_is_the_only_reference(stage):
    _, asked = stage(teacher=False)
    assert asked.references == ["fp32"]
    assert [subject.name for subject in asked.request.subjects] == list(FILES[1:])


def test_measuring_goes_on_until_the_budgets_are_decided_or_time_is_up(stage):
    _, asked = stage(budgets={"max_p99_ms": 0.01}, max_seconds=77.0, processes=3)
    until = asked.request.until
    assert until.max_seconds == 77.0
    models = measured_example.benchmark().models
    open_ = Estimate(0.01, 0.001, 1.0, "t", 9, kind="measured")
    ours = [dataclasses.replace(model, p99_ms=open_) for model in models]
    assert not until.enough(ours, ())
    assert until.unfinished(ours, ()) == set(FILES[1:])
    assert asked.request.settings.timing.min_queries == 221, "662 for three processes"


def test_instructions_of_what_may_ship_are_counted_and_of_the_teacher_never(stage):
    record, asked = stage(instructions=True)
    by_name = {model.name: model.instructions for model in record.benchmark.models}
    names = {file.name: Path(file.file).name for file in report_example.report().variants.files}
    assert [one[0] for one in asked.counted] == [names[name] for name in FILES[1:]]
    assert {one[1] for one in asked.counted} == {"host"}
    assert all(one[2] == asked.request.settings.feed for one in asked.counted)
    assert all(by_name[name].value == len(names[name]) for name in FILES[1:])
    assert by_name["teacher"].value is None
    assert by_name["teacher"].unit == "instructions"
    assert ("instructions", 3) in asked.progress.begun
    assert asked.progress.told[-3:] == list(FILES[1:])


def test_instructions_that_cannot_be_counted_are_refused_before_anything_is_measured(
    stage, monkeypatch
):
    refusals = {"host": HostError("no valgrind")}
    monkeypatch.setattr(benchmark.countable, "missing", lambda target: refusals[target.name])
    monkeypatch.setattr(benchmark, "measure", None)
    with pytest.raises(HostError, match="no valgrind"):
        stage(instructions=True)


def test_operators_are_timed_and_one_model_that_fails_is_a_warning(stage):
    record, asked = stage(operators=True)
    assert [one.name for one in record.operators] == list(FILES[:3])
    assert [one[0] for one in asked.profiled] == list(FILES)
    settings = asked.request.settings
    medians = {one.name: one.p50_ms.value for one in record.benchmark.models}
    for name, _, figures, given in asked.profiled:
        assert figures.value == MACHINE
        assert (given["session"], given["feed"]) == (settings.session, settings.feed)
        assert given["runs"] == benchmark._runs(medians[name])
        assert (given["runs"] == 10) == (name == "fp32")
    assert ("operators", 4) in asked.progress.begun
    assert asked.progress.told[-4:] == list(FILES)
    (warning,) = asked.progress.warned
    assert warning.startswith("the operators of int8-static were not timed: it died")
    assert (record.predicted, asked.here) == ((), 1)


def test_latency_on_another_target_is_predicted_whatever_the_recipe_says(stage):
    record, asked = stage(target="raspberry-pi-4", operators=False)
    assert (record.measured_on, record.target, record.on_target) == (
        "host", "raspberry-pi-4", False,
    )  # fmt: skip
    assert [one.name for one in record.predicted] == list(FILES)
    assert {one.target for one in record.predicted} == {"raspberry-pi-4"}
    assert asked.here == 1


@pytest.mark.parametrize(("layout", "pad"), [("table", None), ("tokens", 9)])
def test_texts_are_measured_without_padding(stage, layout, pad):
    data = report_example.report().data.model_copy(update={"layout": layout, "pad": 9})
    _, asked = stage(data=data)
    assert asked.request.settings.feed.pad == pad
