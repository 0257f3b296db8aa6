"""A file that would fill the disk, or that lies about its arrays, is refused by its headers."""

import io
import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.errors import DataError, StorageError
from edgestill.pipeline.data import archive, columns, inflation
from edgestill.pipeline.recipe.data import Data


def unpack(path, folder, **names):
    return archive.unpacked(path, folder, lambda _: names, "fix")


def scratch_of(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_zeros_that_deflate_a_thousandfold_are_refused_before_they_are_unpacked(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros((1 << 22, 8), np.float32), y=np.arange(4))
    assert (tmp_path / "bomb.npz").stat().st_size < 200_000
    scratch = scratch_of(tmp_path)
    says = r"128 MiB once unpacked, [\d,]+ times the file.*at most 200 times.*numpy\.savez"
    with pytest.raises(DataError, match=says):
        unpack(tmp_path / "bomb.npz", scratch, x="x")
    assert list(scratch.iterdir()) == []
    with pytest.raises(DataError, match=says):
        columns.read(tmp_path / "bomb.npz", scratch, ["x"])
    assert not [file for file in scratch.rglob("*") if file.is_file()]
    # The same numbers as they are, and a small member of the bomb, are no harm.
    np.savez(tmp_path / "plain.npz", x=np.zeros((1 << 20, 8), np.float32))
    assert unpack(tmp_path / "plain.npz", scratch, x="x")["x"].shape == (1 << 20, 8)
    assert unpack(tmp_path / "bomb.npz", scratch, y="y")["y"].shape == (4,)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack_are_judged_alike(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "b.npz", "w", compression) as file:
        stream = io.BytesIO()
        np.save(stream, np.zeros(1 << 25, np.uint8))
        file.writestr("x.npy", stream.getvalue())
    with pytest.raises(DataError, match="32 MiB once unpacked"):
        unpack(tmp_path / "b.npz", scratch_of(tmp_path), x="x")


def lying(path, shape, dtype="<f8", held=80):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(118 - 1) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(held)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", content)


@pytest.mark.parametrize("shape", ["(1000000000000, 9)", "(11,)", "(9223372036854775807, 9)"])
def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path, shape):
    lying(tmp_path / "l.npz", shape)
    with pytest.raises(DataError, match=r"'x' of shape .*in 80 bytes.*as its header says"):
        unpack(tmp_path / "l.npz", scratch_of(tmp_path), x="x")


def test_python_objects_are_refused_by_name_with_the_way_out(tmp_path):
    np.savez(tmp_path / "o.npz", x=np.ones((2, 2)), y=np.array(["a", "b"], object))
    with pytest.raises(DataError, match=r"'y' of Python objects.*y\.astype\(str\) for text"):
        unpack(tmp_path / "o.npz", scratch_of(tmp_path), x="x", y="y")


def test_what_does_not_fit_on_the_disk_is_refused_by_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    with pytest.raises(StorageError, match=r"2 MiB once unpacked, and 0\.0 GiB free"):
        inflation.require_plausible(1 << 20, 2 << 20, "d.npz", tmp_path)
    inflation.require_plausible(1 << 20, 1 << 19, "d.npz", tmp_path)


def test_a_column_of_parquet_that_repeats_one_number_a_million_times_is_refused(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra 'table'")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    parquet.write_table(arrow.table({"a": np.zeros(4_000_000), "y": np.zeros(4_000_000)}), path)
    with pytest.raises(DataError, match="times the file"):
        columns.read(path, scratch_of(tmp_path))
    assert Data(source="table:p.parquet").table.missing == "refuse"
