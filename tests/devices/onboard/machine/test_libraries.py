"""The libraries of a runtime that a process has in memory."""

import sys
from types import SimpleNamespace

import pytest
from edgestill.devices.onboard.machine.libraries import loaded_from


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with libraries in its folder and in one beside it; a list of what is mapped."""
    own, beside, other = (tmp_path / name for name in ("engine", "engine.libs", "other"))
    sizes = {
        own / "core.so": 5,
        own / "unused.so": 100,
        beside / "libx-1.so.2": 7,
        other / "o.so": 9,
    }
    for file, size in sizes.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(size))
    (own / "data.bin").write_bytes(bytes(3))
    module = SimpleNamespace(__file__=str(own / "__init__.py"))
    monkeypatch.setitem(sys.modules, "engine", module)
    maps = tmp_path / "maps"
    mapped = [own / "core.so", own / "core.so", beside / "libx-1.so.2", other / "o.so"]
    lines = [f"7f00-7f10 r-xp 00000000 08:01 12    {file}" for file in (*mapped, own / "data.bin")]
    maps.write_text("\n".join(["7f10-7f20 rw-p 00000000 00:00 0", *lines]) + "\n")
    return maps


def test_each_library_of_the_package_that_is_mapped_counts_once(installed):
    assert loaded_from("engine", installed) == {"core.so": 5, "libx-1.so.2": 7}


def test_without_the_kernels_list_or_the_package_nothing_is_known(installed, tmp_path):
    assert loaded_from("engine", tmp_path / "none") is None
    assert loaded_from("no_such_package", installed) is None


def test_onnxruntime_is_one_library_of_some_megabytes():
    import onnxruntime

    found = loaded_from(onnxruntime.__name__)
    assert any(name.startswith("onnxruntime_pybind11_state") for name in found)
    assert sum(found.values()) > 5 * 2**20
