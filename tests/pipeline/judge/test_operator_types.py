"""Operators added up by type; one unknown part makes a sum unknown."""

import dataclasses

import pytest
from edgestill.pipeline.judge.operator_types import by_type, slowest, total
from edgestill.pipeline.records import OperatorTime


def operator(op, us, macs=100):
    return OperatorTime(
        name=op, op=op, family=op, fused=(), calls=1.0, us=us, share=us / 10.0, type="float32",
        macs=macs, operations=2 * us, parameters=1, bytes=10, roof_us=us / 2,
    )  # fmt: skip


OPERATORS = (operator("Conv", 2.0), operator("Gemm", 5.0, macs=None), operator("Conv", 3.0))


def test_types_are_added_up_and_the_slowest_comes_first():
    conv, gemm = by_type(OPERATORS)
    assert (conv.op, conv.count, conv.us, conv.macs, conv.attained) == ("Conv", 2, 5.0, 200, 0.5)
    assert (gemm.op, gemm.macs) == ("Gemm", None)
    assert [one.us for one in slowest(OPERATORS, 2)] == [5.0, 3.0]


def test_a_sum_with_an_unknown_part_is_unknown():
    assert total([1, 2]) == 3
    assert total([1, None]) is None


def test_every_part_of_a_type_is_the_sum_of_its_operators():
    (conv,) = by_type((operator("Conv", 2.0), operator("Conv", 3.0, macs=50)))
    assert (conv.count, conv.us, conv.share) == (2, 5.0, pytest.approx(0.5))
    assert (conv.macs, conv.operations, conv.parameters, conv.bytes) == (150, 10, 2, 20)
    assert conv.roof_us == pytest.approx(2.5)
    assert (conv.intensity, conv.gop_s, conv.attained) == (0.5, 10 / 5.0 / 1e3, 0.5)


@pytest.mark.parametrize("field", ["macs", "operations", "bytes", "roof_us"])
def test_one_operator_whose_part_is_unknown_leaves_that_of_its_type_unknown(field):
    known, unknown = operator("Conv", 2.0), operator("Conv", 3.0).model_copy(update={field: None})
    for both in ((known, unknown), (unknown, known)):
        (conv,) = by_type(both)
        assert getattr(conv, field) is None
        assert conv.us == 5.0


def test_a_rate_needs_both_of_its_parts_and_0_of_the_roof_is_attained_as_0():
    (conv,) = by_type([operator("Conv", 2.0)])

    def rates(**changes):
        kind = dataclasses.replace(conv, **changes)
        return kind.intensity, kind.gop_s, kind.attained

    assert rates(operations=None) == rates(operations=0) == (None, None, 0.5)
    assert rates(bytes=None) == rates(bytes=0) == (None, 0.002, 0.5)
    assert rates(us=0.0) == (0.4, None, None)
    assert rates(roof_us=None) == (0.4, 0.002, None)
    assert rates(roof_us=0.0) == (0.4, 0.002, 0.0)


def test_the_slowest_type_is_first_whichever_operator_is():
    kinds = by_type((operator("A", 4.0), operator("B", 3.0), operator("B", 3.0)))
    assert [kind.op for kind in kinds] == ["B", "A"]
    assert slowest(OPERATORS, 9) == (OPERATORS[1], OPERATORS[2], OPERATORS[0])
    assert slowest(OPERATORS, 0) == ()
    assert total([]) == 0
