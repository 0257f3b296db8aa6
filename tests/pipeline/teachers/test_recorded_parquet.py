"""Recorded logits are read from parquet block by block, and refused with the row at fault."""

import sys

import numpy as np
import pytest
from edgestill.errors import DataError, HostError
from edgestill.pipeline.teachers import recorded_parquet

LOGITS = np.arange(10, dtype=np.float32).reshape(5, 2) / 4
IDS = [f"s{row}" for row in range(5)]


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Writes columns to a parquet file and reads it in blocks of two rows."""
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    files = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    monkeypatch.setattr(recorded_parquet, "BLOCK", 2)

    def written(labels=(), **columns):
        files.write_table(arrow.table(columns), tmp_path / "a.parquet")
        return recorded_parquet.read(tmp_path / "a.parquet", tmp_path, labels)

    return written


def test_lists_are_read_across_blocks_to_a_file_of_float32(read, tmp_path):
    ids, logits, columns, _ = read(id=IDS, logits=LOGITS.tolist())
    assert (ids.tolist(), columns) == (IDS, ())
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits, LOGITS)
    logits.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), LOGITS)


def test_columns_of_numbers_come_in_the_order_of_the_labels(read):
    columns = {"id": [7, 8, 9], "note": ["x", "y", "z"], "a": [0, 1, 2], "b": [0.5, 1.5, 2.5]}
    ids, logits, names, _ = read(**columns)
    assert (ids.tolist(), names) == ([7, 8, 9], ("a", "b"))
    assert logits.tolist() == [[0, 0.5], [1, 1.5], [2, 2.5]]
    _, logits, names, _ = read(("b", "a"), **columns)
    assert names == ("b", "a")
    assert logits.tolist() == [[0.5, 0], [1.5, 1], [2.5, 2]]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (
            {"id": IDS, "logits": [[1.0, 2.0]] * 4 + [[1.0]]},
            "lists of 1 numbers from row 4 on, expected 2",
        ),
        (
            {"id": IDS, "logits": [[1.0, 2.0]] * 3 + [[1.0], [1.0, 2.0]]},
            "a list of 1 numbers in row 3, expected 2",
        ),
        ({"id": IDS, "p": [1.0, 2.0, 3.0, None, 5.0]}, "nothing in column 'p' of row 3"),
        ({"id": [*IDS[:4], None], "p": [1.0] * 5}, "nothing in column 'id' of row 4"),
    ],
)
def test_a_fault_in_a_later_block_is_refused_with_its_row_in_the_file(read, columns, text):
    with pytest.raises(DataError, match=text):
        read(**columns)


def test_without_pyarrow_the_fix_is_the_extra_that_brings_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(HostError, match=r"pip install 'edgestill\[table\]'"):
        recorded_parquet.read(tmp_path / "a.parquet", tmp_path, ())


@pytest.mark.filterwarnings("error")
def test_numbers_outside_the_range_of_float32_become_infinity():
    converted = recorded_parquet.float32(np.array([1e300, -1e300, 0.5]))
    assert converted.dtype == np.float32
    assert converted.tolist() == [np.inf, -np.inf, 0.5]
