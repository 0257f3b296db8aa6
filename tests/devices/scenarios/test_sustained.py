"""Minutes of one query after the other: drift, clock and heat."""

import numpy as np
import pytest
from edgestill.devices.bench.engine import ProcessResult
from edgestill.devices.onboard.measure.answer import Window
from edgestill.devices.scenarios import sustained as endurance
from fake_answers import sustained_answer


def _minutes(p50s, mhz=None):
    return ProcessResult(
        sustained_answer(
            [Window(i, 1, p50, None, mhz, None) for i, p50 in enumerate(p50s)], queries=10
        ),
        np.empty((0, 2), np.int64),
    )


def test_with_several_processes_the_drift_is_resampled_over_them():
    grown = [np.linspace(1e6, 1e6 * (1 + share), 12) for share in (0.0, 0.1, 0.2, 0.1, 0.1, 0.1)]
    found = endurance.lasted("m", [_minutes(one) for one in grown], 0.95)
    assert found.drift.n == 6
    assert found.drift.low == pytest.approx(0.0)
    assert found.drift.value == pytest.approx(0.1 / 1.05)
    assert found.windows[0].p50_ms == pytest.approx(1.0)


def test_clocks_that_cannot_be_read_are_unknown_and_not_zero():
    found = endurance.lasted("m", [_minutes([1e6] * 12)], 0.95)
    assert found.clock.value is None
    assert found.clock.missing
    assert found.throttled is None
    assert endurance.about(found) == []
