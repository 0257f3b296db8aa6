"""Arrays that users give in memory, as files."""

import numpy as np
import pytest
from edgestill.errors import DataError, StorageError
from edgestill.pipeline.api.given import FOLDER, arrays_of, as_file, kept, samples_of

X, Y = np.eye(4, dtype=np.float32), np.arange(4)


def test_the_same_arrays_are_one_file_and_others_another(tmp_path):
    first = kept(tmp_path, {"x": X, "y": Y})
    assert first.parent == tmp_path / FOLDER
    assert kept(tmp_path, {"y": Y, "x": X.copy()}) == first
    others = ({"x": X + 1, "y": Y}, {"x": X, "z": Y}, {"x": X.astype(float), "y": Y})
    assert len({kept(tmp_path, other) for other in others} | {first}) == 4
    assert len(list((tmp_path / FOLDER).iterdir())) == 4
    with np.load(first) as stored:
        assert np.array_equal(stored["y"], Y)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        kept(tmp_path / "file", {"x": X})


def test_samples_are_a_pair_or_arrays_by_name():
    assert samples_of((X, Y)).keys() == {"x", "y"}
    assert samples_of({"x_train": X, "x_test": X}).keys() == {"x_train", "x_test"}
    for wrong in (X, (X, Y, Y), "x.npz"):
        with pytest.raises(DataError, match=r"expected \(x, y\), or a dict"):
            samples_of(wrong)


def test_tensors_lists_and_texts_become_arrays():
    torch = pytest.importorskip("torch")
    weights = torch.ones(2, 3, requires_grad=True)
    found = arrays_of({"x": weights, "y": [0, 1], "labels": np.array(["a", "b"], object)}, "data")
    assert found["x"].dtype == np.float32
    assert found["y"].tolist() == [0, 1]
    assert found["labels"].dtype.kind == "U"


@pytest.mark.parametrize("wrong", [[[1], [1, 2]], np.array([{}], object)])
def test_what_is_no_array_is_refused_by_its_name(wrong):
    with pytest.raises(DataError, match=r"data\['x'\]"):
        arrays_of({"x": wrong}, "data")


def test_a_bare_array_is_refused_where_a_name_is_needed():
    refused = pytest.raises(DataError, match="calibration: found a ndarray")
    with refused, as_file(X, "calibration"):
        pass
    with as_file(None, "inputs") as path:
        assert path is None
