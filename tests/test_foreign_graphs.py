"""The graphs that others may have written are what they say: they load, run and give numbers."""

import foreign_graphs
import numpy as np
import pytest
from edgestill.devices.onboard.runtimes import load
from edgestill.devices.onboard.settings import Session
from edgestill.errors import ModelError
from foreign_graphs.building import SAMPLES

UNRUNNABLE = {"newer_than_the_runtime", "custom_operator"}
NOT_FINITE = {"not_a_number_out"}


def one_run(foreign):
    """The feeds of one query: the samples that a fixed first axis takes, else all."""
    fixed = {
        value.name: value.type.tensor_type.shape.dim[0].dim_value
        for value in foreign.model.graph.input
        if value.name in foreign.feeds and value.type.tensor_type.shape.dim
    }
    return {
        name: array[: fixed[name]]
        if fixed.get(name, 0) > 0 and name not in foreign.batch_axis
        else array
        for name, array in foreign.feeds.items()
    }


@pytest.mark.parametrize("name", foreign_graphs.GRAPHS)
def test_runs_as_it_is_meant(name, tmp_path):
    foreign = foreign_graphs.GRAPHS[name]()
    path, samples = foreign_graphs.write(foreign, tmp_path, name)
    assert np.load(samples).files == list(foreign.feeds)
    if name in UNRUNNABLE:
        with pytest.raises(ModelError):
            load(path, Session(optimization="none"))
        return
    outputs = load(path, Session(optimization="none")).answer(one_run(foreign))
    arrays = [o for o in outputs if isinstance(o, np.ndarray) and o.dtype.kind == "f" and o.size]
    assert name in NOT_FINITE or all(np.isfinite(array).all() for array in arrays)
    if name != "not_a_number_out":
        assert any(array.std() > 1e-3 for array in outputs if isinstance(array, np.ndarray))


def test_each_is_another_and_has_a_sentence():
    made = {name: graph() for name, graph in foreign_graphs.GRAPHS.items()}
    texts = {foreign.model.SerializeToString() for foreign in made.values()}
    assert len(texts) >= len(made) - 1  # external data are what is written, not what is built
    assert all(graph.__doc__ for graph in foreign_graphs.GRAPHS.values())
    for name, foreign in made.items():
        for tensor, array in foreign.feeds.items():
            axis = foreign.batch_axis.get(tensor, 0)
            assert axis is None or array.shape[axis] == SAMPLES, (name, tensor)
    assert len(made) > 70
