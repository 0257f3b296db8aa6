"""Which runtimes and models have the abilities that only some have."""

from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.devices.onboard.runtimes import load, onnxruntime, tracing_runtime_of
from edgestill.devices.onboard.runtimes.contract import OPTIMIZED, Binding, TracingRuntime
from edgestill.devices.onboard.settings import DEFAULT_SESSION
from onnx_files import dense


@pytest.fixture
def path(tmp_path):
    return dense(tmp_path / "m.onnx", layers=1, width=8)


def test_an_object_without_the_methods_of_a_protocol_does_not_satisfy_it():
    assert isinstance(onnxruntime, TracingRuntime)
    assert not isinstance(SimpleNamespace(NAME="plain", load=load), TracingRuntime)
    assert not isinstance(SimpleNamespace(query=print, answer=print), Binding)


def test_a_bound_query_runs_into_the_same_outputs_each_time(path):
    model = load(path)
    assert isinstance(model, Binding)
    feed = {"x": np.ones((2, 8), np.float32)}
    answered = model.answer(feed)
    assert np.allclose(answered[0], 0.08)
    query = model.bind(feed, answered)
    query()
    query()
    assert np.allclose(model.answer(feed)[0], answered[0])


def test_a_traced_model_writes_down_the_graph_that_runs_and_its_profile(path, tmp_path):
    model = tracing_runtime_of(path).load_traced(path, DEFAULT_SESSION, tmp_path)
    assert (tmp_path / OPTIMIZED).exists()
    model.answer({"x": np.ones((1, 8), np.float32)})
    assert '"MatMul"' in model.end_profiling()
