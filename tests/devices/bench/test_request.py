"""A request: checked, its folder opened, each model inspected once; no process is started here."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from edgestill.devices.bench import request as module
from edgestill.devices.bench.request import Request, own_feed, prepare
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.onboard.measure.job import MeasureJob, ScenarioJob
from edgestill.devices.onboard.model.cost import Cost
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import Feed, Session, Timing
from edgestill.devices.place.place import Local
from edgestill.errors import ModelError, StorageError, UsageError
from fake_place import FakePlace
from inspected import inspected

SETTINGS = Settings(
    session=Session(threads=2),
    feed=Feed(batch=3, shapes={"x": (1, 7)}),
    timing=Timing(seconds=0.5),
    seed=11,
    timeout_s=7.0,
    cores=(1, 3),
)
OPEN = Input("x", "tensor(float)", ("n", "t"))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"a model")
    return path


def request_of(model, tmp_path, settings=SETTINGS, **fields):
    known = {model: inspected(model, (OPEN,))}
    subjects = [Subject("a/b", model)]
    return Request(subjects, settings, tmp_path / "o", **{"inspections": known, **fields})


def test_what_is_prepared_has_host_inspections_file_names_and_feeds(model, tmp_path):
    place = FakePlace({})
    request = request_of(model, tmp_path, place=place)
    prepared = prepare(request)
    assert prepared.request is request
    assert prepared.host == place.describe()
    assert prepared.inspections == {"a/b": inspected(model, (OPEN,))}
    assert prepared.slugs == {"a/b": "a_b"}
    assert prepared.feeds == {"a/b": SETTINGS.feed}
    assert (tmp_path / "o/processes.json").read_text() == "[]"


def test_a_request_measures_this_machine_unless_it_says_another(model, tmp_path):
    assert isinstance(Request([], Settings(), tmp_path).place, Local)


def test_a_closed_loop_has_model_samples_session_feed_and_timing(model, tmp_path):
    prepared = prepare(request_of(model, tmp_path))
    (subject,) = prepared.request.subjects
    job = prepared.closed_loop(subject, Path("s.npy"))
    assert job == MeasureJob(str(model), "s.npy", SETTINGS.session, SETTINGS.feed, SETTINGS.timing)
    wider = prepared.closed_loop(subject, Path("s.npy"), batch=5)
    assert wider == dataclasses.replace(job, feed=Feed(batch=5, shapes={"x": (5, 7)}))


def test_a_load_has_the_seed_and_what_it_takes_besides(model, tmp_path):
    prepared = prepare(request_of(model, tmp_path))
    (subject,) = prepared.request.subjects
    job = prepared.load(subject, Path("s.npy"), "server", rate_per_s=5.0, poisson=False)
    assert job == ScenarioJob(
        str(model),
        "server",
        "s.npy",
        SETTINGS.session,
        SETTINGS.feed,
        SETTINGS.timing,
        rate_per_s=5.0,
        poisson=False,
        seed=11,
    )


@pytest.mark.parametrize(("mib", "limit"), [(None, None), (3, 3 * 1_048_576)])
def test_a_job_runs_on_the_measured_machine_within_the_limits(model, tmp_path, mib, limit):
    class Noting(FakePlace):
        def run(self, job, **limits):
            return job, limits

    settings = dataclasses.replace(SETTINGS, memory_mib=mib)
    prepared = prepare(request_of(model, tmp_path, settings, place=Noting({})))
    job = prepared.closed_loop(prepared.request.subjects[0], Path("s.npy"))
    limits = {"timeout_s": 7.0, "memory_limit_bytes": limit, "cores": (1, 3)}
    assert prepared.run(job) == (job, limits)


def test_no_model_two_of_one_name_and_one_that_is_missing_are_refused(model, tmp_path):
    def error(kind, *subjects):
        with pytest.raises(kind) as refused:
            prepare(Request(subjects, Settings(), tmp_path / "o"))
        assert not (tmp_path / "o").exists()
        return str(refused.value)

    assert error(UsageError) == "found no model, expected at least one model to measure"
    twice = error(UsageError, Subject("a", model), Subject("a", model))
    assert twice == "found two models named 'a', expected unique names"
    missing = error(ModelError, Subject("a", model), Subject("b", tmp_path))
    assert missing == f"{tmp_path}: found a folder, expected a file; name a file in it"


def test_a_folder_that_cannot_be_written_is_said_before_a_model_is_looked_at(model, tmp_path):
    request = request_of(model, tmp_path, inspections={})
    with pytest.raises(StorageError, match="Not a directory"):
        prepare(dataclasses.replace(request, out=model / "o"))


def test_the_shape_of_an_input_that_no_model_has_is_refused(model, tmp_path):
    other = tmp_path / "n.onnx"
    other.write_bytes(b"another")
    known = {model: inspected(model), other: inspected(other, (Input("z", "tensor(float)", ()),))}
    subjects = [Subject("m", model), Subject("n", other)]
    settings = Settings(feed=Feed(shapes={"z": (), "y": (1, 8), "w": (1,)}))
    with pytest.raises(UsageError) as refused:
        prepare(Request(subjects, settings, tmp_path / "o", inspections=known))
    assert str(refused.value) == "shapes: found a shape for 'w', expected one of 'x', 'z'"


def test_a_model_with_inputs_of_its_own_is_inspected_and_queried_with_them(
    model, tmp_path, monkeypatch
):
    asked = {}
    other = tmp_path / "n.onnx"
    other.write_bytes(b"another model")
    monkeypatch.setattr(
        module,
        "inspect",
        lambda path, *, feed, **_: asked.update({path: feed}) or inspected(path, (OPEN,)),
    )
    np.savez(tmp_path / "own.npz", x=np.zeros((4, 3), np.float32))
    feed = Feed(batch=2)
    subjects = [Subject("a", model, inputs=tmp_path / "own.npz"), Subject("b", other)]
    feeds = prepare(Request(subjects, Settings(feed=feed), tmp_path / "o")).feeds
    own = dataclasses.replace(feed, inputs=str(tmp_path / "own.npz"))
    assert asked == {model: own, other: feed}
    assert (feeds["a"].inputs, feeds["b"].inputs) == (own.inputs, None)


def test_no_file_is_inspected_twice_and_one_that_was_before_not_at_all(
    model, tmp_path, monkeypatch
):
    graph = tmp_path / "graph.onnx"
    graph.write_bytes(b"its graph")
    counted, asked = Cost({"float32": 64}, 64, 256, 96), []

    def inspect(path, **limits):
        asked.append((path, limits))
        return inspected(path, cost=counted if path == graph else None, cost_missing="why")

    monkeypatch.setattr(module, "inspect", inspect)
    settings = Settings(feed=Feed(batch=2), timeout_s=9.0)
    subjects = [Subject("a", model), Subject("b", model, graph), Subject("c", graph)]
    request = Request(subjects, settings, tmp_path / "o")
    found = prepare(request).inspections
    limits = {"feed": settings.feed, "timeout_s": 9.0}
    assert asked == [(model, limits), (graph, limits)]
    assert found["a"].cost is None
    # Operations are counted in the graph, all else is the model's own.
    counts = {"cost": counted, "cost_missing": "why"}
    assert found["b"] == dataclasses.replace(found["a"], **counts)
    assert found["c"] == inspected(graph, **counts)
    asked.clear()
    known = {model: inspected(model, file_bytes=9)}
    again = dataclasses.replace(request, subjects=subjects[:1], inspections=known)
    assert prepare(again).inspections == {"a": known[model]}
    assert (asked, again.inspections) == ([], known)


def test_a_feed_has_the_shapes_of_its_own_model_and_the_batch_where_the_first_axis_is_open():
    feed = Feed(shapes={"x": (1, 7), "y": (1, 3), "other": (9,)})
    ports = (OPEN, Input("y", "tensor(float)", (1, "t")), Input("z", "tensor(float)", ("n",)))
    assert own_feed(feed, ports).shapes == {"x": (1, 7), "y": (1, 3)}
    assert own_feed(feed, ports, 4) == Feed(batch=4, shapes={"x": (4, 7), "y": (1, 3)})


def test_a_feed_keeps_its_batch_and_the_axes_of_its_own_model():
    axes = {"x": 1, "y": None, "other": 1, "": 0}
    feed = Feed(batch=6, shapes={"x": (5, 1, 7), "y": (1, 3)}, batch_axes=axes, seed=2)
    ports = (
        Input("x", "tensor(float)", ("s", "n", "t")),
        Input("y", "tensor(float)", ("n", "t")),
    )
    own = {"x": 1, "y": None, "": 0}
    assert own_feed(feed, ports) == dataclasses.replace(feed, batch_axes=own)
    # Samples lie along the second axis of x, and y is the same in each query.
    wider = own_feed(feed, ports, 4)
    assert wider == dataclasses.replace(
        feed, batch=4, batch_axes=own, shapes={"x": (5, 4, 7), "y": (1, 3)}
    )


def beside(model, tmp_path, session, suffix):
    """A model of ONNX Runtime and one of another runtime, in one request."""
    other = tmp_path / f"m{suffix}"
    other.write_bytes(b"a model")
    known = {path: inspected(path, (OPEN,)) for path in (model, other)}
    settings = dataclasses.replace(SETTINGS, session=session)
    subjects = [Subject("a", model), Subject("b", other)]
    return Request(subjects, settings, tmp_path / "o", place=FakePlace({}), inspections=known)


def test_an_option_reaches_the_runtimes_that_have_it_and_is_said_of_the_others(model, tmp_path):
    session = Session(threads=2, spinning=True, precise=True)
    request = beside(model, tmp_path, session, ".tflite")
    prepared = prepare(request)
    jobs = [prepared.closed_loop(subject, Path("s.npy")) for subject in request.subjects]
    assert [job.session for job in jobs] == [session, Session(threads=2)]
    assert prepared.load(request.subjects[1], Path("s"), "server").session == Session(threads=2)
    why = "b: ai_edge_litert has no option {0}, so it was measured without {0} = True"
    assert prepared.unheeded() == [why.format("spinning"), why.format("precise")]


def test_an_option_that_no_runtime_of_the_models_has_is_refused(model, tmp_path):
    request = beside(model, tmp_path, Session(spinning=True), ".tflite")
    alone = dataclasses.replace(request, subjects=request.subjects[1:])
    with pytest.raises(UsageError, match=r"spinning: found spinning = True, .* ai_edge_litert"):
        prepare(alone)


def test_a_runtime_of_reference_kernels_is_not_timed(model, tmp_path):
    with pytest.raises(UsageError, match=r"b, which tflite_micro runs by reference.*--arena"):
        prepare(beside(model, tmp_path, Session(), ".micro.tflite"))
