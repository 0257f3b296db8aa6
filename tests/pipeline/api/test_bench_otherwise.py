"""Operators, instructions and arenas from Python: what would be ignored is refused."""

import pytest
from edgestill.errors import UsageError
from edgestill.pipeline.api.bench_arena import bench_arena
from edgestill.pipeline.api.bench_instructions import bench_instructions
from edgestill.pipeline.api.bench_operators import bench_operators


def test_what_would_be_ignored_is_refused(workplace):
    del workplace
    with pytest.raises(UsageError, match="device with another profile"):
        bench_operators("model.onnx", device="a", predict_on="b", progress=False)
    with pytest.raises(UsageError, match="timed one query after the other"):
        bench_operators("model.onnx", scenario="server", rate=10.0, progress=False)
    with pytest.raises(UsageError, match="update_baseline without baseline"):
        bench_instructions("model.onnx", update_baseline=True, progress=False)
    with pytest.raises(UsageError, match="which microcontrollers run"):
        bench_arena(["model.onnx"], progress=False)


def test_a_scenario_times_the_operators_of_every_condition(workplace):
    del workplace
    found = bench_operators("model.onnx", scenario="offline", batches=(1, 3), progress=False)
    assert [one.name for one in found.models] == ["model.onnx (batch-1)", "model.onnx (batch-3)"]
