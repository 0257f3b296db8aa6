"""The calibration samples that a converter reads, in queries of the model's batch."""

import numpy as np
import pytest
from edgestill.exporters.converters.samples import queries_of


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "calibration.npz", x=np.arange(10, dtype=np.float32).reshape(5, 2))
    return tmp_path


def test_samples_come_in_order_and_what_does_not_fill_a_query_is_left_out(folder):
    found = queries_of(folder, 2)
    assert [query[:, 0].tolist() for query in found] == [[0.0, 2.0], [4.0, 6.0]]
    assert [query.shape for query in queries_of(folder, 1)] == [(1, 2)] * 5
    assert len(queries_of(folder, 5)) == 1


def test_fewer_samples_than_a_query_takes_are_one_repeated(folder):
    (query,) = queries_of(folder, 6)
    assert query.tolist() == [[0.0, 1.0]] * 6
