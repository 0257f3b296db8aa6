"""Models of unknown origin: shapes that are given, shared, asked for, and looked at once."""

import numpy as np
import pytest
from edgestill.devices.bench import inspection
from edgestill.errors import UsageError
from edgestill.pipeline.commands.query_options import feed_of
from edgestill.pipeline.finished.inspected import inspected, subjects_of
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT


@pytest.fixture
def pair(tmp_path):
    """Two inputs that share the symbol of their length."""
    nodes = [
        helper.make_node("Mul", ["x", "mask"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    ports = [("x", FLOAT, ["n", "length", 4]), ("mask", FLOAT, ["n", "length", 1])]
    weights = [("w", np.ones((4, 4), np.float32))]
    return save(tmp_path / "m.onnx", nodes, ports, [("y", FLOAT, ["n", "length", 4])], weights)


@pytest.fixture
def looks(monkeypatch):
    seen, run = [], inspection.run
    monkeypatch.setattr(inspection, "run", lambda job, **how: seen.append(job) or run(job, **how))
    return seen


def test_a_symbol_that_one_shape_gives_holds_in_every_input_and_costs_no_second_look(pair, looks):
    models = inspected(subjects_of([pair]), feed_of(("x=1,6,4",)), None)
    assert models.feed.shapes == {"x": (1, 6, 4), "mask": (1, 6, 1)}
    assert models.inspections[pair].cost.macs == 6 * 4 * 4
    assert len(looks) == 1


def test_an_extent_is_asked_for_once_and_the_operations_are_counted_with_it(pair, looks):
    questions = []

    def ask(question):
        questions.append(question)
        return "5"

    models = inspected(subjects_of([pair]), feed_of(batch=2), ask)
    assert questions == ["extent of axis 1 ('length') of 'x'"]
    assert models.feed.shapes == {"x": (2, 5, 4), "mask": (2, 5, 1)}
    assert models.inspections[pair].cost.macs == 2 * 5 * 4 * 4
    assert len(looks) == 2
    assert models.own_feed(models.subjects[0], 3).shapes["x"] == (3, 5, 4)


@pytest.mark.parametrize(
    ("shapes", "answer", "words"),
    [
        ((), None, "dynamic axis 1 .'length'. of 'x'"),
        ((), "many", "'many', expected a whole number above 0"),
        (("z=1",), None, "a shape for 'z'"),
        (("x=0",), None, "INPUT=1,3,224,224"),
    ],
)
def test_a_shape_that_is_missing_or_wrong_is_refused(pair, shapes, answer, words):
    ask = None if answer is None else lambda _: answer
    with pytest.raises(UsageError, match=words):
        inspected(subjects_of([pair]), feed_of(shapes), ask)
