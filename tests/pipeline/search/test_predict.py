"""Figures of candidates that were not measured."""

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.records import Cost
from edgestill.pipeline.search.predict import predicted


def cost(macs, model="mlp1", parameters=None):
    return Cost(model=model, width=8, parameters=parameters or macs, macs=macs)


def point(macs, p50, model="mlp1", size=1.0):
    p50 = Estimate(p50, None, None, "", 5, "few processes", "ms", "measured")
    size = Estimate.exact(size, "file size", "KiB")
    return cost(macs, model), {"max_p50_ms": p50, "max_size_kib": size}


KEYS = ("max_p50_ms", "max_size_kib")


def p50_at(macs, measured, model="mlp1"):
    return predicted(cost(macs, model), measured, KEYS)["max_p50_ms"]


def test_between_two_that_were_measured_a_figure_is_on_the_line_through_both():
    measured = [point(100, 1.0), point(300, 2.0)]
    found = p50_at(200, measured)
    assert found.value == pytest.approx(1.5)
    assert found.kind == "predicted"
    assert found.unit == "ms"
    assert found.low is None
    assert "no interval" in found.missing


def test_beyond_them_it_goes_on_and_is_never_below_nothing_nor_flat_upwards():
    measured = [point(100, 1.0), point(300, 3.0)]
    assert p50_at(500, measured).value == pytest.approx(5.0)
    assert p50_at(1, [point(100, 0.1), point(300, 3.0)]).value == 0.0
    noise = [point(100, 1.01), point(110, 1.0)]
    assert p50_at(110_000, noise).value > 400.0


def test_one_alone_tells_by_proportion():
    assert p50_at(300, [point(100, 1.0)]).value == pytest.approx(3.0)


def test_candidates_of_its_own_model_count_alone_where_there_are_two():
    others = [point(100, 50.0, "resnet8"), point(300, 90.0, "resnet8")]
    own = [point(100, 1.0), point(300, 2.0)]
    assert p50_at(200, [*others, *own]).value == pytest.approx(1.5)
    assert p50_at(200, others).value == pytest.approx(70.0)


def test_size_follows_parameters_and_time_follows_operations():
    small, large = point(100, 1.0, size=10.0), point(300, 2.0, size=30.0)
    asked = cost(100, parameters=200)
    found = predicted(asked, [small, large], KEYS)
    assert found["max_size_kib"].value == pytest.approx(20.0)
    assert found["max_p50_ms"].value == pytest.approx(1.0)


def test_a_figure_that_no_candidate_has_stays_unknown():
    found = predicted(cost(5), [point(100, 1.0)], ("max_energy_uj",))
    assert found["max_energy_uj"].value is None
    assert found["max_energy_uj"].missing


def test_the_arena_follows_the_width_of_the_layers():
    def known(width):
        return {"max_arena_kib": Estimate.exact(2.0 + width, "counted", "KiB")}

    measured = [(cost(width * width), known(width)) for width in (4, 8)]
    found = predicted(cost(16 * 16), measured, ("max_arena_kib",))
    assert found["max_arena_kib"].value == pytest.approx(18.0)
