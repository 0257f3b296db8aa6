"""Energy of a query over many processes, and its ratio."""

import pytest
from edgestill.devices.energy.figures import missing, over_idle, ratio_over_idle
from edgestill.devices.energy.query_energy import QueryEnergy


def answers(*energies, less=0.0, more=0.0):
    return [
        QueryEnergy(
            uj=energy,
            missing=None if energy is not None else "no counter",
            less_uj=less,
            more_uj=more,
            method="measured: a meter",
        )
        for energy in energies
    ]


def test_energy_is_the_median_widened_by_what_idle_leaves_open():
    found = over_idle(answers(10, 11, 12, 13, 14, 15, less=2.0, more=3.0), 0.95)
    assert (found.low, found.value, found.high) == (8.0, 12.5, 18.0)
    assert (found.unit, found.kind) == ("uJ", "measured")
    assert found.method.startswith("measured: a meter; median over processes")


def test_energy_below_the_idle_machines_or_missing_in_one_process_is_unknown():
    assert over_idle(answers(-1.0, -2.0, -3.0), 0.95).value is None
    incomplete = answers(1.0, None, 2.0)
    assert missing(incomplete) == "no counter"
    assert over_idle(incomplete, 0.95).missing == "no counter"
    assert missing(answers(1.0, 2.0)) is None


def test_a_ratio_covers_both_ends_of_the_idle_power():
    exact = ratio_over_idle(answers(*[2.0] * 6), answers(*[4.0] * 6), 0.95)
    assert (exact.low, exact.value, exact.high) == (0.5, 0.5, 0.5)
    pair = answers(*[2.0] * 6, less=1.0, more=1.0), answers(*[4.0] * 6, less=1.0, more=1.0)
    open_ended = ratio_over_idle(*pair, 0.95)
    assert (open_ended.low, open_ended.high) == pytest.approx((1 / 3, 3 / 5))
    assert open_ended.value == 0.5
    unknown = ratio_over_idle(answers(1.0, less=2.0), answers(4.0), 0.95)
    assert "idle machine, in one process" in unknown.missing
