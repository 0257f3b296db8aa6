"""Real inputs that would fill the memory, or that lie about their arrays, are refused unread."""

import io
import zipfile

import numpy as np
import pytest
from edgestill.devices.onboard.model.inflation import MOST, require_ratio, size_text
from edgestill.devices.onboard.model.inputs import read_arrays
from edgestill.errors import DataError


def test_zeros_that_deflate_a_thousandfold_are_refused_and_the_same_unpacked_are_read(tmp_path):
    zeros = np.zeros((1 << 20, 8), np.float32)
    np.savez_compressed(tmp_path / "bomb.npz", x=zeros)
    with pytest.raises(DataError, match=r"32 MiB once unpacked, 1,0\d\d times the file"):
        read_arrays(tmp_path / "bomb.npz")
    np.savez(tmp_path / "plain.npz", x=zeros)
    assert read_arrays(tmp_path / "plain.npz")["x"].shape == zeros.shape
    np.savez_compressed(tmp_path / "small.npz", x=zeros[:1024])
    assert read_arrays(tmp_path / "small.npz")["x"].shape == (1024, 8)


def test_a_ratio_is_refused_beyond_the_bound_and_above_a_size():
    packed = 1 << 20
    require_ratio(packed, MOST * packed, "d.npz")
    with pytest.raises(DataError, match=f"at most {MOST} times"):
        require_ratio(packed, MOST * packed + 1, "d.npz")
    require_ratio(0, 16 << 20, "d.npz")
    assert (size_text(3 << 20), size_text(3 << 30)) == ("3 MiB", "3.0 GiB")


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.zeros(10))
    whole = stream.getvalue()
    lying = whole.replace(b"(10,), }  ", b"(9999,), }")
    assert lying != whole
    for name, content in (("more", lying), ("less", whole[:-8])):
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w") as file:
            file.writestr("x.npy", content)
        with pytest.raises(DataError, match=r"'x' of shape .* as many as its header says"):
            read_arrays(tmp_path / f"{name}.npz")


def test_a_member_that_is_no_array_and_one_of_objects_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as file:
        file.writestr("readme.txt", "no array")
    with pytest.raises(DataError, match="cannot be read"):
        read_arrays(tmp_path / "text.npz")
    np.savez(tmp_path / "objects.npz", x=np.array(["a", 1], object))
    with pytest.raises(DataError, match="'x' of Python objects"):
        read_arrays(tmp_path / "objects.npz")
