"""A function of the user's: how it is found, and what its fingerprint follows."""

import subprocess
import sys

import pytest
from edgestill.errors import DataError, ModelError, RecipeError
from edgestill.pipeline.recipe.user_function import fingerprint, load


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, on a Python path that is as before afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_function_is_found_in_the_current_folder(folder):
    write(folder / "reference_found.py", "def make(): return 7")
    assert load("reference_found:make", "here", DataError)() == 7


def test_a_function_is_found_below_a_package(folder):
    write(folder / "reference_package/inner.py", "def make(): return 8")
    assert load("reference_package.inner:make", "here", DataError)() == 8


@pytest.mark.parametrize("error", [DataError, ModelError, RecipeError])
def test_what_cannot_be_loaded_is_refused_as_the_caller_asks(error, folder):
    write(folder / "reference_broken.py", "1 / 0")
    write(folder / "reference_leaves.py", "raise SystemExit(2)")
    write(folder / "reference_garbled.py", "def (")
    for name, said in (
        ("reference_broken:make", "cannot be loaded (ZeroDivisionError: division by zero)"),
        ("reference_leaves:make", "cannot be loaded (SystemExit: 2)"),
        ("reference_garbled:make", "cannot be loaded (SyntaxError: "),
        ("reference_absent:make", "cannot be loaded (No module named 'reference_absent')"),
        ("math:make", "cannot be loaded (module 'math' has no attribute 'make')"),
    ):
        with pytest.raises(error) as refused:
            load(name, "student.model", error)
        assert str(refused.value).startswith(f"student.model: {said}")


# --- fingerprint ------------------------------------------------------------------------------


def test_a_fingerprint_follows_the_modules_source_and_runs_none_of_it(folder):
    write(folder / "own_a.py", "raise RuntimeError")
    first = fingerprint("own_a:make")
    assert len(first) == 64
    assert fingerprint("own_a:make") == first
    write(folder / "own_a.py", "raise ValueError")
    assert fingerprint("own_a:make") != first
    write(folder / "own_a.py", "raise RuntimeError")
    assert fingerprint("own_a:make") == first
    assert "own_a" not in sys.modules


def test_a_fingerprint_follows_every_source_of_a_package_and_nothing_else(folder):
    write(folder / "own_b/__init__.py", "")
    write(folder / "own_b/net.py", "raise RuntimeError")
    write(folder / "own_b/parts/layers.py", "one = 1")
    first = fingerprint("own_b.net:make")
    for name in ("notes.txt", ".venv/lib.py", "__pycache__/net.pyc"):
        write(folder / "own_b" / name, "a")
    assert fingerprint("own_b.net:make") == first
    write(folder / "own_b/parts/layers.py", "one = 2")
    assert fingerprint("own_b.net:make") != first


def test_a_fingerprint_follows_the_users_modules_that_the_module_imports(folder):
    write(
        folder / "own_c.py",
        "import torch, own_d, os, sys, math, json, own_absent\nfrom numpy import array",
    )
    write(folder / "own_d.py", "def deep():\n    from own_e.net import layer")
    write(folder / "own_e/net.py", "import own_c\nlayer = 1")
    first = fingerprint("own_c:make")
    write(folder / "own_f.py", "nobody imports it")
    assert fingerprint("own_c:make") == first
    write(folder / "own_e/net.py", "import own_c\nlayer = 2")
    assert fingerprint("own_c:make") != first


def test_a_fingerprint_does_not_depend_on_where_the_source_lies(folder, monkeypatch):
    found = []
    for place in ("here", "there"):
        write(folder / place / "own_g/net.py", "import own_h")
        write(folder / place / "own_h.py", "layer = 1")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "path", [str(folder / place), *sys.path])
            found.append(fingerprint("own_g.net:make"))
    assert found[0] == found[1]


def test_where_a_file_lies_in_its_package_changes_the_fingerprint(folder):
    write(folder / "own_i/a.py", "x = 1")
    first = fingerprint("own_i:make")
    for name in ("b.py", "deep/a.py"):
        write(folder / "own_i" / name, "x = 1")
        (folder / "own_i/a.py").unlink(missing_ok=True)
        assert fingerprint("own_i:make") != first
        (folder / "own_i" / name).rename(folder / "own_i/a.py")
    assert fingerprint("own_i:make") == first


def test_a_source_that_cannot_be_read_has_no_fingerprint(folder):
    (folder / "own_l.py").symlink_to("/proc/self/mem")
    with pytest.raises(ModelError, match=r"cannot be read \(OSError"):
        fingerprint("own_l:make")


def test_a_source_that_cannot_be_parsed_has_a_fingerprint_still(folder):
    write(folder / "own_j.py", "def (")
    assert fingerprint("own_j:make")


@pytest.mark.parametrize("module", ["numpy", "math", "json", "os", "sys", "torch.nn"])
def test_what_is_installed_goes_by_its_version(module):
    assert fingerprint(f"{module}:make") == fingerprint(f"{module}:other")
    assert fingerprint(f"{module}:make") != fingerprint("sklearn:make")


def test_a_module_that_is_not_there_has_no_fingerprint(folder):
    with pytest.raises(
        DataError, match=r"^here: cannot be loaded \(no module named 'own_z'\); put"
    ):
        fingerprint("own_z.net:make", "here", DataError)
    with pytest.raises(ModelError):
        fingerprint("own_z.net:make")


def test_torch_is_not_imported_for_a_fingerprint(folder):
    write(folder / "own_k.py", "import torch")
    code = (
        "import sys; from edgestill.pipeline.recipe.user_function import fingerprint; "
        "fingerprint('own_k:make'); fingerprint('torch:make'); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
