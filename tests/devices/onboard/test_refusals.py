"""Errors as JSON: the four kinds that cross to the parent, and what becomes of another."""

import pytest
from edgestill.devices.onboard.refusals import answer_or_refusal, as_json, from_json, raise_refusal
from edgestill.errors import DataError, HostError, MeasureError, ModelError, UsageError


@pytest.mark.parametrize("kind", [UsageError, DataError, ModelError, MeasureError])
def test_an_error_is_the_same_after_it_crossed(kind):
    error = kind("-1", expected="a number above 0", where="m.onnx", fix="give another")
    crossed = from_json(as_json(error))
    assert type(crossed) is kind
    assert str(crossed) == str(error)


def test_an_error_of_another_kind_becomes_a_measure_error():
    assert type(from_json(as_json(HostError("no valgrind")))) is MeasureError


def test_work_that_fails_is_answered_with_its_refusal():
    def refused():
        raise DataError("no rows", where="x.npz")

    def large():
        raise MemoryError

    def out_of_memory():
        return ModelError("a model that needs more than 5 bytes")

    assert answer_or_refusal(lambda: {"queries": 3}, out_of_memory) == {"queries": 3}
    with pytest.raises(DataError, match="no rows"):
        raise_refusal(answer_or_refusal(refused, out_of_memory))
    with pytest.raises(ModelError, match="more than 5 bytes"):
        raise_refusal(answer_or_refusal(large, out_of_memory))
    raise_refusal({"queries": 3})
