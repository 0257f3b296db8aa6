"""What makes the answers of a file meaningless."""

import pytest
from edgestill.pipeline.records.steadiness import ALONE_FP16, SEVERAL_WAYS, Steadiness


def steady(again=0.0, session=0.0, alone=0.0, **more):
    return Steadiness(samples=8, again=again, session=session, alone=alone, **more)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (steady(again=0.5, session=0.4, alone=0.3), "asked again, an output differs by 0.5 of"),
        (steady(session=0.4, alone=0.3), "in another session, an output differs by 0.4 of"),
        (steady(alone=0.3), "alone, an output differs by 0.3 of"),
    ],
)
def test_the_first_way_in_which_answers_differ_is_the_fault(found, says):
    (fault,) = found.faults
    assert says in fault
    assert fault.startswith(SEVERAL_WAYS) == ("alone" not in says)


@pytest.mark.parametrize(
    "found",
    [
        steady(),
        steady(again=9e-6, session=9e-6),
        steady(alone=9e-4),
        steady(alone=None),
        steady(alone=9e-3, alone_tolerance=ALONE_FP16),
    ],
)
def test_what_rounding_explains_is_no_fault(found):
    assert found.faults == ()
