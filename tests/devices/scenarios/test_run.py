"""One engine for every scenario: what works with each, what is refused and why."""

import sys
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.bench.stopping import Until
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.onboard.stats.processes import median_over_processes
from edgestill.devices.scenarios.figures import Benchmark
from edgestill.devices.scenarios.run import completed, implementation_of, measure
from edgestill.devices.scenarios.scenario import Implementation, Procedure
from edgestill.devices.scenarios.table import OPTIONS, REQUIRED, SCENARIOS, Scenario
from edgestill.errors import UsageError
from fake_place import FakePlace
from onnx import TensorProto, helper
from onnx_files import save

QUICK_ONES = ("single-stream", "multi-stream", "offline", "threads", "cold-start")
"""Those that need neither an option nor loadgen, and run for no minutes."""


def dense(path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [("x", TensorProto.FLOAT, ["n", 8])], [("y", TensorProto.FLOAT, ["n", 8])]
    return save(path, nodes, *ends, [("w", np.ones((8, 8), np.float32))])


@pytest.fixture
def subjects(tmp_path):
    return [Subject(name, dense(tmp_path / f"{name}.onnx")) for name in "ab"]


def place(**options):
    return FakePlace({"a.onnx": lambda n: 1000 + n, "b.onnx": lambda n: 2000 + n}, **options)


@pytest.mark.parametrize("scenario", QUICK_ONES)
def test_every_scenario_takes_turns_and_stops_by_the_same_rule(subjects, tmp_path, scenario):
    seen = []

    def enough(models, _):
        seen.append([model.name for model in models])
        return len(seen) == 2

    until = Until(enough, 60.0)
    request = Request(subjects, Settings(processes=7), tmp_path / "o", place=place(), until=until)
    result = measure(request, scenario)
    assert seen == [["a", "b"], ["a", "b"]]
    # A third more than the 7 of the first look at 97.5 %.
    assert (result.scenario, result.processes, result.looks) == (scenario, 10, 2)
    assert result.enough
    assert [model.name for model in result.models] == ["a", "b"]
    for model in result.models:
        (decisive, *_) = implementation_of(scenario).decisive(model)
        assert decisive.low is not None
        assert decisive.n == 10


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline", "threads"])
def test_a_meters_log_gives_the_energy_in_every_scenario_that_times_queries(
    subjects, tmp_path, scenario, monkeypatch
):
    log = tmp_path / "log.csv"
    # Idle before the runs, then a second of 6 W in every two: 4 W over the idle machine's 2.
    monkeypatch.setattr("edgestill.devices.energy.metering._left_idle", lambda _: (1000.0, 1010.0))
    times = np.arange(1000.0, 1400.0, 0.1)
    watts = np.where(times < 1011, 2.0, 6.0)
    log.write_text(
        "time,watts\n" + "".join(f"{t:.1f},{w}\n" for t, w in zip(times, watts, strict=True))
    )
    request = Request(
        subjects[:1], Settings(processes=1), tmp_path / "o", place=place(start=1012.0), meter=log
    )
    (model,) = measure(request, scenario).models
    rows = [model, *getattr(model, "batches", ()), *getattr(model, "counts", ())]
    energies = [row.energy_uj for row in rows if hasattr(row, "energy_uj")]
    assert energies
    for energy in energies:
        assert energy.value == pytest.approx(4e6 / 64)
        assert energy.kind == "measured"


@pytest.mark.parametrize(
    ("scenario", "what", "why"),
    [
        ("cold-start", "meter", "one query is too short for samples of power"),
        ("loadgen", "meter", "loadgen decides by itself when it times"),
        ("sustained", "precision", "no share of it is a precision"),
    ],
)
def test_what_a_scenario_cannot_do_is_refused_with_the_reason(
    subjects, tmp_path, scenario, what, why
):
    given = {"meter": {"meter": tmp_path}, "precision": {"until": Until(lambda *_: True, 1.0)}}
    request = Request(subjects, Settings(), tmp_path / "o", place=place(), **given[what])
    with pytest.raises(UsageError, match=why):
        measure(request, scenario)
    assert not (tmp_path / "o").exists()


def test_a_model_that_acts_as_in_training_is_warned_of(subjects, tmp_path):
    ends = [("x", TensorProto.FLOAT, ["n", 8])], [("y", TensorProto.FLOAT, ["n", 8])]
    save(subjects[1].path, [helper.make_node("RandomNormalLike", ["x"], ["y"])], *ends)
    result = measure(
        Request(subjects, Settings(processes=1), tmp_path / "o", place=place()), "offline"
    )
    told = [text for text in result.warnings if "acts as in training" in text]
    assert told == [
        "b: RandomNormalLike 'y' acts as in training: it draws its values at random, so it answers "
        "one input in several ways"
    ]


def test_options_are_those_of_the_table_with_its_defaults():
    assert completed("offline", {})["batches"] == (1, 2, 4, 8, 16, 32)
    assert completed("multi-stream", {"streams": 3}) == {"streams": 3}
    with pytest.raises(UsageError, match="server without 'rate'"):
        completed("server", {})
    with pytest.raises(UsageError, match="'rate' in the scenario offline, expected one of batches"):
        completed("offline", {"rate": 1.0})
    with pytest.raises(UsageError, match="'burst', expected one of single-stream"):
        completed("burst", {})


def test_the_table_names_modules_that_measure_and_options_that_exist():
    for name, scenario in SCENARIOS.items():
        assert isinstance(implementation_of(name), Implementation)
        assert scenario.option is None or scenario.option in OPTIONS
        assert all(scenario.refuses.values())
    assert SCENARIOS["server"].options["rate"] is REQUIRED
    used = {option for scenario in SCENARIOS.values() for option in scenario.options}
    assert used >= OPTIONS.keys()


def test_single_stream_is_a_scenario_like_the_others(subjects, tmp_path):
    request = Request(subjects, Settings(processes=6), tmp_path / "o", place=place())
    result = measure(request, "single-stream", {"references": ["b"]})
    assert isinstance(result, Benchmark)
    (ratio,) = result.ratios
    assert (ratio.of, ratio.over) == ("a", "b")
    assert ratio.p50.value == pytest.approx(0.5, rel=0.01)


@dataclass(frozen=True)
class ToyFigures:
    name: str
    slowest_ms: Estimate


def toy():
    """A scenario of its own: the slowest query of each process, two threads at a time."""

    def prepare(prepared, options):
        del options
        return Procedure(
            jobs={"": lambda subject, samples, _: prepared.closed_loop(subject, samples)},
            figures=lambda name, variants, confidence: ToyFigures(
                name,
                median_over_processes(
                    [process.table.max() / 1e6 for process in variants[""]], confidence, "ms"
                ),
            ),
            most_threads=1,
        )

    return Implementation(
        prepare=prepare,
        decisive=lambda model: (model.slowest_ms,),
        rows=lambda model: [("slowest", model.slowest_ms)],
    )


@pytest.fixture
def toy_scenario(monkeypatch):
    """What a new scenario takes: a module, and a line of the table."""
    module = SimpleNamespace(IMPLEMENTATION=toy())
    monkeypatch.setitem(sys.modules, "edgestill.devices.scenarios.toy", module)
    monkeypatch.setitem(SCENARIOS, "toy", Scenario("toy", "the slowest query"))


@pytest.mark.usefixtures("toy_scenario")
def test_a_new_scenario_is_a_module_and_a_line(subjects, tmp_path):
    request = Request(subjects, Settings(processes=6), tmp_path / "o", place=place())
    result = measure(request, "toy")
    a, b = result.models
    assert a.slowest_ms.value < b.slowest_ms.value
    assert a.slowest_ms.low is not None
