"""When an exported file counts as the same answer."""

from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.pipeline.finished.export_check import check
from edgestill.pipeline.judge.across_runtimes import Answered

ROWS = np.random.default_rng(0).normal(size=(100, 1, 10)).astype(np.float32)


def answered(rows, name="y"):
    return Answered(SimpleNamespace(), {name: list(rows)}, (1,) * len(rows), "fake 1.0")


def held(other, *, reduced, least=1.0):
    return check(answered(ROWS), answered(other), reduced=reduced, least=least).holds


def test_a_float_model_gives_the_same_numbers():
    span = float(np.ptp(ROWS))
    assert held(ROWS + 0.0009 * span, reduced=False)
    assert not held(ROWS + 0.0011 * span, reduced=False)


def test_a_class_that_changed_is_no_matter_of_float_numbers_that_are_near():
    near = ROWS.copy()
    order = np.argsort(near[0, 0])
    near[0, 0, order[-2]] = near[0, 0, order[-1]] - 1e-4
    original = answered(near)
    swapped = near.copy()
    swapped[0, 0, order[-2]] += 2e-4
    assert check(original, answered(swapped), reduced=False, least=1.0).holds


@pytest.mark.parametrize(("changed", "holds"), [(2, True), (3, False)])
def test_of_fewer_bits_98_of_100_classes_agree(changed, holds):
    other = ROWS.copy()
    other[:changed] = -other[:changed]
    assert held(other, reduced=True) is holds
    assert not held(other, reduced=False)


def test_a_format_may_ask_for_less_agreement_and_never_for_more():
    other = ROWS.copy()
    other[:5] = -other[:5]
    assert held(other, reduced=True, least=0.95)
    assert check(answered(ROWS), answered(ROWS), reduced=True, least=1.0).least == 0.98


def test_numbers_of_fewer_bits_are_near():
    rows = ROWS[:, :, :1]
    span = float(np.ptp(rows))
    for share, holds in ((0.049, True), (0.051, False)):
        found = check(answered(rows), answered(rows + share * span), reduced=True, least=1.0)
        assert found.holds is holds


def test_a_destroyed_output_never_holds():
    rows = np.full((10, 1, 1), 100.0, np.float32) + ROWS[:10, :, :1]
    other = np.full_like(rows, np.nan)
    assert not check(answered(rows), answered(other), reduced=True, least=0.0).holds


def test_another_number_of_outputs_cannot_be_compared():
    two = Answered(SimpleNamespace(), {"y": list(ROWS), "z": list(ROWS)}, (1,) * 100, "fake 1.0")
    found = check(answered(ROWS), two, reduced=False, least=1.0)
    assert found.missing == "1 and 2 outputs"
    assert not found.holds


def test_outputs_of_other_names_are_paired_in_order():
    assert check(answered(ROWS), answered(ROWS, "z"), reduced=False, least=1.0).holds
