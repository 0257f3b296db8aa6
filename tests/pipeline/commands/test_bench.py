"""Benchmarks of real models in real processes, small ones."""

import json
from dataclasses import replace

import numpy as np
import pytest
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.bench.stopping import Until
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.scenarios.figures import Benchmark
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import ModelError, StorageError, UsageError
from flat_options import flat_settings
from onnx import TensorProto, helper, numpy_helper
from pydantic import TypeAdapter

QUICK = {"seconds": 0.01, "min_queries": 64, "max_queries": 64, "warmup_seconds": 0.25}


def _dense(path, width=8, weight=0.01):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", width])],
        [numpy_helper.from_array(np.full((width, width), weight, np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    )
    return path


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Two models, six processes each: the fewest that give intervals."""
    folder = tmp_path_factory.mktemp("bench")
    subjects = [
        Subject("small/../<b>", _dense(folder / "a.onnx")),
        Subject("wide", _dense(folder / "b.onnx", 256)),
    ]
    inputs_seen = []
    result = measure(
        Request(
            subjects,
            flat_settings(processes=6, **QUICK),
            folder / "out",
            on_process=lambda *told: inputs_seen.append(told),
        )
    )
    return result, folder / "out", inputs_seen


def test_every_model_has_every_figure_with_its_interval(found):
    result, _, _ = found
    for model in result.models:
        ours = (model.p50_ms, model.early_stopping_p90_ms, model.load_ms, model.first_inference_ms)
        for figure in ours:
            assert 0 < figure.low <= figure.value <= figure.high
            assert figure.n == 6
        # Six processes may have missed a slow one in ten: a p90 has its lower end only.
        assert model.p90_ms.low <= model.p90_ms.value <= model.early_stopping_p90_ms.high
        assert (model.p90_ms.high, model.p90_ms.n) == (None, 6)
        assert model.queries == 6 * 64
        assert model.energy_uj.value > 0


def test_a_percentile_beyond_the_queries_is_unknown_with_its_reason(found):
    p99 = found[0].models[0].p99_ms
    assert p99.value is None
    assert p99.missing == "p99 takes at least 662 queries, there were 384"


def test_the_operations_are_counted(found):
    small, wide = found[0].models
    assert (small.macs, small.parameters, small.weight_bytes) == (64, 64, 256)
    assert wide.macs == 256 * 256


@pytest.mark.slow
def test_every_other_model_is_compared_with_the_first(found):
    (ratio,) = found[0].ratios
    assert (ratio.of, ratio.over) == ("wide", "small/../<b>")
    assert ratio.p50.low <= ratio.p50.value <= ratio.p50.high
    assert ratio.size.value == found[0].models[1].file_bytes / found[0].models[0].file_bytes
    assert ratio.energy.value > 1


def test_ratios_are_medians_of_those_of_each_repetitions_pair(found):
    result, out, _ = found
    (ratio,) = result.ratios
    for figure, percentile in ((ratio.p50, 50), (ratio.p10, 10)):
        times = [
            [np.percentile(np.load(out / "samples" / f"{stem}-{n}.npy"), percentile)
             for n in range(6)]
            for stem in ("wide", "small_.._b_")
        ]  # fmt: skip
        pairs = np.divide(*times)
        assert figure.value == pytest.approx(np.median(pairs))
        assert (figure.low, figure.high) == pytest.approx((pairs.min(), pairs.max()))


def test_raw_latencies_and_processes_are_kept_under_names_that_cannot_escape(found):
    _, out, _ = found
    names = sorted(path.name for path in (out / "samples").iterdir())
    assert names == sorted(f"{stem}-{n}.npy" for stem in ("small_.._b_", "wide") for n in range(6))
    processes = json.loads((out / "processes.json").read_text())
    assert len(processes) == 12
    for one in processes:
        assert np.load(out / one["samples"]).shape == (one["queries"],)


def test_each_repetition_measures_every_model_once_in_an_order_that_varies(found):
    _, out, told = found
    assert [done for done, _, _ in told] == list(range(1, 13))
    assert {total for _, total, _ in told} == {12}
    processes = json.loads((out / "processes.json").read_text())
    pairs = [tuple(one["subject"] for one in processes[i : i + 2]) for i in range(0, 12, 2)]
    assert all(len(set(pair)) == 2 for pair in pairs)
    assert len(set(pairs)) == 2
    assert [one["repetition"] for one in processes] == [n // 2 for n in range(12)]


@pytest.mark.slow
def test_a_measurement_goes_on_until_it_is_enough_and_says_so_where_time_was_up(tmp_path):
    path, told = _dense(tmp_path / "m.onnx"), []
    subjects = [Subject("a", path), Subject("b", path)]
    settings = flat_settings(processes=2, confidence=0.6, **QUICK)

    def seen(models, ratios):
        told.append((models[0].p50_ms.n, models[1].p50_ms.low is not None, ratios[0].p50.n))
        return len(told) == 2

    found = measure(Request(subjects, settings, tmp_path / "out", until=Until(seen, 60.0)))
    # An interval at the first look's 80 % takes 4 processes; a third more of 4 are 6.
    assert told == [(4, True, 4), (6, True, 6)]
    assert (found.processes, found.looks, found.enough) == (6, 2, True)
    assert len(list((tmp_path / "out" / "samples").iterdir())) == 12
    assert not any("time was up" in said for said in found.warnings)
    short = measure(
        Request(subjects, settings, tmp_path / "b", until=Until(lambda *_: False, 1e-9))
    )
    assert (short.processes, short.looks, short.enough) == (2, 1, False)
    assert "time was up after 2 processes a model" in short.warnings[0]


def test_a_benchmark_goes_through_json_and_back(found):
    adapter = TypeAdapter(Benchmark)
    assert adapter.validate_json(adapter.dump_json(found[0])) == found[0]


def test_too_few_processes_have_figures_without_intervals(tmp_path):
    path = _dense(tmp_path / "m.onnx")
    result = measure(
        Request(
            [Subject("a", path), Subject("b", path)],
            flat_settings(processes=2, **QUICK),
            tmp_path / "out",
        )
    )
    for estimate in (result.models[0].p50_ms, result.ratios[0].p50):
        assert estimate.value > 0
        assert estimate.low is None
        assert "at least 6" in estimate.missing


def test_a_model_that_fails_leaves_what_was_measured_before_it(tmp_path):
    good, bad = _dense(tmp_path / "good.onnx"), _dense(tmp_path / "bad.onnx", weight=np.nan)
    # With this seed the good one comes first.
    with pytest.raises(ModelError, match="not finite"):
        measure(
            Request(
                [Subject("good", good), Subject("bad", bad)],
                flat_settings(processes=6, seed=_seed_that_starts_with(0), **QUICK),
                tmp_path / "out",
            )
        )
    processes = json.loads((tmp_path / "out" / "processes.json").read_text())
    assert [one["subject"] for one in processes] == ["good"]
    assert (tmp_path / "out" / "samples" / "good-0.npy").is_file()


def _seed_that_starts_with(index):
    return next(
        seed for seed in range(100) if np.random.default_rng([seed, 0]).permutation(2)[0] == index
    )


def test_an_ort_file_takes_its_operations_from_the_graph_it_was_made_of(tmp_path):
    path = _dense(tmp_path / "m.onnx")
    twin = _dense(tmp_path / "twin.onnx", 16)
    result = measure(
        Request(
            [Subject("m", path, graph=twin)], flat_settings(processes=1, **QUICK), tmp_path / "out"
        )
    )
    assert result.models[0].macs == 256
    assert result.models[0].file_bytes == path.stat().st_size


def test_real_inputs_reach_the_model(tmp_path):
    path, inputs = _dense(tmp_path / "m.onnx"), tmp_path / "inputs.npz"
    np.savez(inputs, x=np.full((3, 8), np.nan, np.float32))
    with pytest.raises(ModelError, match="not finite"):
        measure(
            Request(
                [Subject("m", path)],
                flat_settings(processes=1, inputs=inputs, **QUICK),
                tmp_path / "out",
            )
        )


def test_real_inputs_say_what_the_open_axes_are(tmp_path):
    path, inputs = tmp_path / "m.onnx", tmp_path / "inputs.npz"
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "length", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "length", 4])],
        [numpy_helper.from_array(np.ones((8, 4), np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    np.savez(inputs, x=np.ones((3, 5, 8), np.float32))
    quick = flat_settings(processes=1, batch=2, **QUICK)
    real = replace(quick, feed=Feed(str(inputs), batch=2))
    result = measure(Request([Subject("m", path)], real, tmp_path / "out"))
    assert result.settings.feed == Feed("inputs.npz", batch=2)
    assert result.models[0].macs == 2 * 5 * 8 * 4
    with pytest.raises(UsageError, match="no extent for axis 1"):
        measure(Request([Subject("m", path)], quick, tmp_path / "out"))


def test_names_and_references_are_checked_before_anything_runs(tmp_path):
    path = _dense(tmp_path / "m.onnx")
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="no model"):
        measure(Request([], Settings(), out))
    with pytest.raises(UsageError, match="two models named 'm'"):
        measure(Request([Subject("m", path), Subject("m", path)], Settings(), out))
    with pytest.raises(UsageError, match="references: found 'x', expected one of m"):
        measure(Request([Subject("m", path)], Settings(), out), references=["x"])
    with pytest.raises(ModelError, match="no such file"):
        measure(Request([Subject("m", tmp_path / "absent.onnx")], Settings(), out))
    assert not out.exists()


def test_a_folder_that_cannot_be_written_fails_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        measure(
            Request(
                [Subject("m", _dense(tmp_path / "m.onnx"))], Settings(), tmp_path / "file" / "out"
            )
        )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("threads", 0),
        ("threads", -1),
        ("batch", 0),
        ("processes", 0),
        ("seconds", 0.0),
        ("seconds", float("nan")),
        ("timeout_s", float("inf")),
        ("min_queries", 20_000),
        ("confidence", 95.0),
        ("seed", -1),
        ("cores", (-1,)),
        ("memory_mib", 0),
    ],
)
def test_settings_that_no_run_could_honour_are_refused(option, value):
    with pytest.raises(UsageError, match=option):
        flat_settings(**{option: value})


def test_more_threads_than_cores_are_warned_of(tmp_path):
    cores = describe().available_cores
    result = measure(
        Request(
            [Subject("m", _dense(tmp_path / "m.onnx"))],
            flat_settings(processes=1, threads=cores + 1, **QUICK),
            tmp_path / "out",
        )
    )
    assert f"{cores + 1} threads were run on {cores} cores" in result.warnings
