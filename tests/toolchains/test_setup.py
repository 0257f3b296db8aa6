"""Setting up a toolchain: its steps, what is refused, what an interruption leaves."""

import shutil
from pathlib import Path

import pytest
from edgestill.errors import HostError, StorageError
from edgestill.toolchains import interpreter, setup, table
from edgestill.toolchains.table import Toolchain


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A toolchain that needs no package and brings a module of the standard library."""
    monkeypatch.setattr(table, "_REQUIREMENTS", tmp_path)
    (tmp_path / "empty.txt").write_text("")
    # This Python has the module; where a toolchain is looked for it must not count.
    monkeypatch.setattr(interpreter, "find_spec", lambda _: None)
    return Toolchain("empty", "nothing", ("colorsys",), 1)


def test_a_toolchain_is_set_up_found_again_and_removed(empty, tmp_path):
    said = []
    python = setup.setup(empty, said.append, tmp_path / "base")
    assert interpreter.state(empty, tmp_path / "base") == "ready"
    assert python.exists()
    assert [line.split()[0] for line in said] == ["creating", "installing", "importing"]
    setup.setup(empty, said.append, tmp_path / "base")
    assert "is set up" in said[-1]
    assert setup.remove(empty, tmp_path / "base") is True
    assert setup.remove(empty, tmp_path / "base") is False


@pytest.mark.slow
def test_other_requirements_are_installed_anew(empty, tmp_path):
    setup.setup(empty, lambda _: None, tmp_path / "base")
    (tmp_path / "empty.txt").write_text("# another\n")
    assert interpreter.state(empty, tmp_path / "base") == "outdated"
    setup.setup(empty, lambda _: None, tmp_path / "base")
    assert interpreter.state(empty, tmp_path / "base") == "ready"


def test_what_cannot_be_installed_is_said_and_is_not_ready(empty, tmp_path):
    (tmp_path / "empty.txt").write_text("/there/is/no/such/package.whl\n")
    with pytest.raises(HostError, match=r"setting up empty.*run edgestill toolchains setup empty"):
        setup.setup(empty, lambda _: None, tmp_path / "base")
    assert interpreter.state(empty, tmp_path / "base") == "unfinished"


def test_a_full_disk_is_said_before_anything_is_installed(empty, tmp_path, monkeypatch):
    usage = shutil._ntuple_diskusage(10 << 30, 10 << 30, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="0 MiB free, expected 1 MiB for empty"):
        setup.setup(empty, lambda _: None, tmp_path / "base")
    assert interpreter.state(empty, tmp_path / "base") == "absent"


def test_a_folder_that_cannot_be_made_is_said(empty, tmp_path):
    Path(tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        setup.setup(empty, lambda _: None, tmp_path / "file")


@pytest.mark.parametrize(("pins", "closed"), [("numpy==2.0\n", True), ("torch==2.13.0\n", False)])
def test_only_torch_may_bring_what_is_not_pinned(empty, tmp_path, monkeypatch, pins, closed):
    (tmp_path / "empty.txt").write_text(pins)
    ran = []
    monkeypatch.setattr(setup, "_run", lambda words, toolchain: ran.append(words))
    setup.setup(empty, lambda _: None, tmp_path / "base")
    assert ("--no-deps" in ran[0]) is closed


def test_a_link_to_an_environment_elsewhere_is_removed_and_what_it_names_stays(empty, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "empty").symlink_to(tmp_path / "elsewhere")
    assert setup.remove(empty, tmp_path / "base") is True
    assert (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "base" / "empty").exists()
