"""How far the tensors of a ``.tflite`` file reach: by samples, by a type, by what was learned."""

import numpy as np
import pytest
from edgestill.exporters.converters.litert_ranges import Calibration
from edgestill.exporters.learned_ranges import LearnedRanges

SIGNATURE = "serving_default"
SAMPLES = np.random.default_rng(0).normal(size=(8, 2, 3)).astype(np.float32)


def calibrate(query):
    """Of a file that takes the axes the other way round, doubles, clips below, and has a weight."""
    (x,) = query.values()
    doubled = 2 * x
    tensors = {f"{SIGNATURE}_x:0": x, "doubled": doubled, "clipped": np.maximum(doubled, 0)}
    found = {
        name: {"min": np.full((1, 1), values.min()), "max": np.full((1, 1), values.max())}
        for name, values in tensors.items()
    }
    return found | {"weight": {}}


def turned(query):
    return query.transpose(0, 2, 1)


def calibration(batch=1, **more):
    queries = [turned(SAMPLES[i : i + batch]) for i in range(0, 8 - batch + 1, batch)]
    return Calibration("x", queries, turned, **more)


def learned(samples=SAMPLES[:5]):
    """Of the doubled values, and of some that the file does not have."""
    flat = samples.reshape(len(samples), -1)
    doubled = np.stack((2 * flat.min(1), 2 * flat.max(1)), axis=1)
    extremes = np.stack((doubled * (1 + 1e-6), doubled * 1.01))
    return LearnedRanges(samples, extremes, np.array([[-1.5, 1.25], [-9.0, 9.0]]))


def ends(ranges, name):
    return [float(ranges[name][end].item()) for end in ("min", "max")]


@pytest.mark.parametrize("batch", [1, 3])
def test_ranges_hold_every_sample(batch):
    found = calibration(batch).ranges(calibrate, SIGNATURE)
    seen = SAMPLES[: 8 // batch * batch]
    assert ends(found, "doubled") == [2 * seen.min(), 2 * seen.max()]
    assert found["weight"] == {}


def test_the_input_has_the_limits_of_its_type():
    found = calibration(limits=(0.0, 255.0)).ranges(calibrate, SIGNATURE)
    assert ends(found, f"{SIGNATURE}_x:0") == [0.0, 255.0]


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_tensor_with_the_extremes_of_an_activation_has_what_was_learned_of_it(batch):
    """Of five samples the last query is filled up from the first ones."""
    plain = calibration(batch).ranges(calibrate, SIGNATURE)
    own = calibration(batch, learned=learned())
    found = own.ranges(calibrate, SIGNATURE)
    assert own.found == 1
    assert ends(found, "doubled") == [-1.5, 1.25]
    for name in (f"{SIGNATURE}_x:0", "clipped"):
        assert ends(found, name) == ends(plain, name)


def test_a_tensor_that_is_not_known_again_keeps_the_extremes_of_samples():
    other = learned()
    unknown = LearnedRanges(other.samples, other.extremes[1:], other.ranges[1:])
    own = calibration(learned=unknown)
    assert own.ranges(calibrate, SIGNATURE) == calibration().ranges(calibrate, SIGNATURE)
    assert own.found == 0
