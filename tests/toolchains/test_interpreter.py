"""Which interpreter has a package, and how a module of ours starts in it."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import platformdirs.macos
import pytest
from edgestill.errors import HostError
from edgestill.toolchains import (
    TOOLCHAINS,
    command,
    environment_of,
    folder,
    interpreter,
    missing,
    python_with,
)
from edgestill.toolchains.interpreter import STAMP, digest, python_of, state
from edgestill.toolchains.table import Toolchain


@pytest.fixture
def absent(monkeypatch):
    """A toolchain whose module this Python lacks."""
    row = Toolchain("openvino", "a runtime", ("a_module_that_nobody_has",), 1)
    monkeypatch.setitem(TOOLCHAINS, "openvino", row)
    return row


def finished(toolchain, base, requirements_sha256=None):
    place = environment_of(toolchain, base)
    place.mkdir(parents=True)
    known = {"requirements_sha256": requirements_sha256 or digest(toolchain)}
    (place / STAMP).write_text(json.dumps(known))
    return place


def test_what_this_python_can_import_is_taken_from_it(tmp_path):
    assert python_with("numpy", tmp_path) == Path(sys.executable)


def test_a_module_that_nobody_brings_has_no_interpreter(tmp_path):
    assert python_with("a_module_that_nobody_has", tmp_path) is None
    assert "pip install a_module" in str(missing("m.x", "a_module_that_nobody_has", tmp_path))


def test_a_toolchain_counts_when_it_is_finished_for_the_present_requirements(tmp_path, absent):
    assert state(absent, tmp_path) == "absent"
    assert python_of("openvino", tmp_path) is None
    environment_of(absent, tmp_path).mkdir(parents=True)
    assert state(absent, tmp_path) == "unfinished"
    environment_of(absent, tmp_path).rmdir()
    place = finished(absent, tmp_path)
    assert state(absent, tmp_path) == "ready"
    assert python_with("a_module_that_nobody_has", tmp_path) == place / "bin" / "python"


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [('{"requirements_sha256": "another"}', "outdated"), ("{", "unfinished"), ("[]", "unfinished")],
)
def test_another_stamp_is_not_ready_and_the_message_says_how_to_mend_it(
    tmp_path, absent, stamp, expected
):
    place = finished(absent, tmp_path)
    (place / STAMP).write_text(stamp)
    assert state(absent, tmp_path) == expected
    error = missing("model.xml", "a_module_that_nobody_has", tmp_path)
    assert isinstance(error, HostError)
    assert "edgestill toolchains setup openvino" in str(error)


def test_the_folder_follows_the_variables(tmp_path):
    assert folder({"EDGESTILL_TOOLCHAINS": "/a"}) == Path("/a")
    assert folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/edgestill/toolchains")


def test_a_module_of_ours_runs_in_an_environment_without_us(tmp_path):
    """Nothing of this environment is seen from there, and the package is found all the same."""
    venv.create(tmp_path / "bare", with_pip=False)
    words = command(tmp_path / "bare" / "bin" / "python", "edgestill.version")
    # What needs one of our packages finds itself, and not that package.
    words = command(tmp_path / "bare" / "bin" / "python", "edgestill.pipeline.commands.cli")
    ended = subprocess.run([*words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "No module named 'click'" in ended.stderr


def test_ours_runs_a_module_by_its_name():
    words = command(Path(sys.executable), "edgestill.x", "a")
    assert words == (sys.executable, "-P", "-m", "edgestill.x", "a")


@pytest.mark.parametrize("toolchain", TOOLCHAINS.values(), ids=lambda one: one.name)
def test_requirements_are_pinned_and_name_no_place(toolchain):
    lines = toolchain.requirements.read_text().split("\n")
    for line in filter(None, lines):
        assert line.count("==") == 1, line
        assert not set(line) & set(" /@:"), line


def test_caches_lie_where_the_system_keeps_them(monkeypatch, tmp_path):
    """platformdirs knows; on Linux it is as it was before it was asked."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert folder({}) == tmp_path / ".cache" / "edgestill" / "toolchains"
    mac = platformdirs.macos.MacOS("edgestill", appauthor=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: mac.user_cache_path)
    assert folder({}) == tmp_path / "Library/Caches/edgestill/toolchains"


def test_an_interpreter_without_our_libraries_imports_it():
    """Converters run in a toolchain's own Python, and some of them import this module."""
    code = (
        "import sys; sys.modules['platformdirs'] = None\n"
        "from edgestill.toolchains import interpreter; print(interpreter.STAMP)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert found.stdout.decode().strip() == interpreter.STAMP, found.stderr
