"""Samples for formats that take floats alone, and what is said of it."""

import numpy as np
import pytest
from edgestill.exporters.as_floats import about_floats, as_floats, of_floats, ports_of_floats
from edgestill.exporters.package import Finished, Job
from edgestill.exporters.scaled import Scaled


def job(tmp_path, kind, **more):
    samples = np.arange(12).reshape(2, 6).astype(kind)
    return Job(tmp_path, (Finished("fp32", tmp_path / "fp32.onnx"),), calibration=samples, **more)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_numbers_are_the_same_as_float32(kind, tmp_path):
    given = job(tmp_path, kind)
    found = of_floats(given).calibration
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, given.calibration)


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_token_ids_stay_as_they_are(kind):
    ids = np.zeros((2, 3), kind)
    assert as_floats(ids) is ids


def test_what_a_file_takes_is_said_where_it_is_not_the_samples_type(tmp_path):
    ports = ports_of_floats(job(tmp_path, np.uint8, batch=4), (4, 10))
    assert ports.input == Scaled("float32", (4, 6), None, None)
    assert ports.output == Scaled("float32", (4, 10), None, None)
    assert "float32, for its format takes no uint8" in about_floats(job(tmp_path, np.uint8), ports)
    for kind in (np.float32, np.int32):
        assert ports_of_floats(job(tmp_path, kind), (1, 10)) is None
        assert about_floats(job(tmp_path, kind), None) == ""
    assert of_floats(Job(tmp_path, ())).calibration is None
