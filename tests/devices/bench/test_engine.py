"""The engine that takes turns, and the request that it is given."""

import dataclasses
import json

import numpy as np
import pytest
from edgestill.devices.bench import inspection, ratio_text
from edgestill.devices.bench.engine import Turn, take
from edgestill.devices.bench.journal import slugs
from edgestill.devices.bench.request import Request, own_feed, prepare
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.bench.stopping import Until
from edgestill.devices.onboard.measure.job import (
    MeasureJob,
)
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import UsageError
from fake_place import FakePlace
from flat_options import flat_job, flat_settings
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT


def _dense(path, width=8, rows="n", weight=0.01):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [("x", FLOAT, [rows, width])], [("y", FLOAT, [rows, width])]
    return save(path, nodes, *ends, [("w", np.full((width, width), weight, np.float32))])


@pytest.fixture
def dense(tmp_path):
    return _dense(tmp_path / "dense.onnx")


def _settings(**options):
    return flat_settings(**{"processes": 2, "seconds": 0.05, "warmup_seconds": 0.1, **options})


def test_turns_are_all_taken_in_each_repetition_before_the_next(dense, tmp_path):
    def turn(variant):
        return Turn(
            "m",
            variant,
            lambda samples, _: flat_job(
                MeasureJob,
                str(dense),
                str(samples),
                seconds=1e-9,
                min_queries=1,
                warmup_seconds=0.01,
            ),
        )

    order = []
    request = Request(
        [Subject("m", dense)],
        _settings(processes=3),
        tmp_path,
        on_process=lambda *progress: order.append(progress),
    )
    taken = take([turn("a"), turn("b")], prepare(request), lambda *_: ((), ()), metered=False)
    records = json.loads((tmp_path / "processes.json").read_text())
    assert [one["repetition"] for one in records] == [0, 0, 1, 1, 2, 2]
    assert all({one["variant"] for one in records[i : i + 2]} == {"a", "b"} for i in (0, 2, 4))
    assert [len(taken.processes["m", variant]) for variant in "ab"] == [3, 3]
    assert order == [(done, 6, "m") for done in range(1, 7)]


def test_a_name_becomes_a_file_name_that_is_its_own_and_cannot_escape():
    names = slugs(["a/b", "a b", "../x", "", "a-b"])
    assert names == {"a/b": "a_b", "a b": "a_b-1", "../x": "_x", "": "model", "a-b": "a-b"}


def test_the_fewest_processes_are_known_before_the_first_one(dense, tmp_path):
    place, totals = FakePlace({"dense.onnx": lambda n: 1000 + n}), []
    request = Request(
        [Subject("m", dense)],
        Settings(processes=3),
        tmp_path / "o",
        place=place,
        on_start=lambda total: totals.append((total, len(place.jobs))),
    )
    prepared = prepare(request)
    turn = Turn("m", "", lambda samples, _: prepared.closed_loop(request.subjects[0], samples))
    take([turn], prepared, lambda *_: ((), ()), metered=False)
    assert totals == [(3, 0)]
    assert len(place.jobs) == 3
    assert sorted(path.name for path in (tmp_path / "o/samples").iterdir()) == [
        f"m-{n}.npy" for n in range(3)
    ]


def test_a_model_that_nothing_waits_for_is_not_measured_again(dense, tmp_path):
    place, other = FakePlace({"dense.onnx": lambda n: 1000 + n}), tmp_path / "o"
    rule = Until(lambda *_: False, 60.0, 13, unfinished=lambda *_: frozenset({"b"}))
    request = Request(
        [Subject("a", dense), Subject("b", dense)], Settings(), other, place=place, until=rule
    )
    prepared = prepare(request)
    turns = [
        Turn(one.name, "", lambda samples, _, one=one: prepared.closed_loop(one, samples))
        for one in request.subjects
    ]
    taken = take(turns, prepared, lambda *_: ((), ()), metered=False)
    assert {name: len(found) for (name, _), found in taken.processes.items()} == {"a": 9, "b": 13}
    assert taken.repetitions == 13


def test_a_feed_has_the_shapes_of_its_own_model_and_the_batch_where_the_first_axis_is_open():
    feed = Feed(shapes={"x": (1, 7), "y": (1, 3), "other": (9,)})
    ports = (Input("x", "tensor(float)", ("n", "t")), Input("y", "tensor(float)", (1, "t")))
    assert own_feed(feed, ports).shapes == {"x": (1, 7), "y": (1, 3)}
    assert own_feed(feed, ports, 4) == Feed(batch=4, shapes={"x": (4, 7), "y": (1, 3)})


def test_the_shape_of_an_input_that_no_model_has_is_refused(dense, tmp_path):
    settings = Settings(feed=Feed(shapes={"y": (1, 8)}))
    with pytest.raises(UsageError, match="a shape for 'y', expected one of 'x'"):
        prepare(Request([Subject("m", dense)], settings, tmp_path / "o"))


def test_what_was_inspected_before_is_not_inspected_again(dense, tmp_path, monkeypatch):
    request = Request([Subject("m", dense)], Settings(), tmp_path / "o")
    known = prepare(request).inspections["m"]
    monkeypatch.setattr(inspection, "run", None)
    again = dataclasses.replace(request, inspections={dense: known})
    assert prepare(again).inspections["m"] is known


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        ((1.27, 1.25, 1.28), "1.27× the latency of fp32 (1.25 to 1.28)"),
        ((0.98, 0.95, 1.02), "0.98× the latency of fp32 (0.95 to 1.02, no difference shown)"),
        ((0.98, None, None), "0.98× the latency of fp32 (no interval: 2 processes)"),
    ],
)
def test_a_ratio_is_stated_in_one_way(ratio, text):
    estimate = Estimate(*ratio, "m", 9, None if ratio[1] else "2 processes", "ratio", "measured")
    assert ratio_text.stated(estimate, "latency", "fp32") == text
