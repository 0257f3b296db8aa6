"""Operators added up by type; one unknown part makes a sum unknown."""

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
