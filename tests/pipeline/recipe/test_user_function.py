"""A function of the user's: how it is found, and what its fingerprint follows."""

import subprocess
import sys

import pytest
from edgestill.errors import DataError, ModelError, RecipeError
from edgestill.pipeline.recipe import files, user_function
from edgestill.pipeline.recipe.user_function import check, fingerprint, load


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, on a Python path that is as before afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(user_function, "_added", [])
    monkeypatch.setattr(user_function, "_beside", None)
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
        (
            "reference_absent:make",
            f"no module 'reference_absent' in {folder} or on",
        ),
        ("math:make", "no function 'make' in "),
    ):
        with pytest.raises(error) as refused:
            load(name, "student.model", error)
        assert str(refused.value).startswith(f"student.model: {said}")


def test_a_module_beside_the_recipe_is_taken_before_the_current_folder_and_the_path(folder):
    write(folder / "reference_three.py", "def make(): return 'here'")
    write(folder / "path/reference_three.py", "def make(): return 'on the path'")
    sys.path.insert(0, str(folder / "path"))
    assert load("reference_three:make", "here", DataError)() == "here"
    of_here = fingerprint("reference_three:make")
    write(folder / "recipes/reference_three.py", "def make(): return 'beside'")
    user_function.look_beside(folder / "recipes")
    assert fingerprint("reference_three:make") != of_here
    assert load("reference_three:make", "here", DataError)() == "beside"
    user_function.look_beside(None)
    assert load("reference_three:make", "here", DataError)() == "here"
    assert str(folder / "recipes") not in sys.path


def test_a_recipe_that_is_read_says_where_modules_are_looked_up(folder):
    text = files.bundled("digits").read_text()
    write(folder / "recipes/r.toml", text.replace('"resnet8"', '"reference_of_recipe:make"'))
    files.load(folder / "recipes/r.toml")
    assert user_function.folders() == (folder / "recipes", folder)
    files.load(files.bundled("digits"))
    assert user_function.folders() == (folder,)


def test_two_recipes_with_modules_of_one_name_get_each_its_own_and_what_it_imports(folder):
    for name in ("a", "b"):
        write(folder / name / "reference_same.py", "from reference_part import VALUE as make")
        write(folder / name / "reference_part.py", f"def VALUE(): return {name!r}")
    for name in ("a", "b", "a"):
        user_function.look_beside(folder / name)
        assert load("reference_same:make", "here", DataError)() == name


def test_an_edited_module_is_loaded_again_as_its_fingerprint_says(folder):
    write(folder / "reference_edited.py", "def make(): return 1")
    before, first = load("reference_edited:make", "x", DataError), fingerprint("reference_edited:m")
    assert load("reference_edited:make", "x", DataError) is before
    write(folder / "reference_edited.py", "def make(): return 22")
    assert load("reference_edited:make", "x", DataError)() == 22
    assert fingerprint("reference_edited:m") != first


def test_what_is_not_found_is_told_with_where_it_was_looked_for(folder):
    write(folder / "reference_needy.py", "import no_such_library")
    write(folder / "reference_near.py", "def make_student(): ...")
    user_function.look_beside(folder / "recipes")
    told = {}
    for name in ("reference_absent:make", "reference_needy:make", "reference_near:make_studnet"):
        with pytest.raises(ModelError) as refused:
            load(name, "student.model", ModelError)
        told[name.partition(":")[0]] = str(refused.value)
    assert told["reference_absent"] == (
        f"student.model: no module 'reference_absent' in {folder}/recipes and {folder} or on the "
        f"Python path; put reference_absent.py in {folder}/recipes, with make() in it"
    )
    assert (
        "reference_needy cannot be imported (No module named 'no_such_library')"
        in (told["reference_needy"])
    )
    assert "install no_such_library" in told["reference_needy"]
    assert told["reference_near"] == (
        f"student.model: no function 'make_studnet' in {folder}/reference_near.py; "
        "did you mean 'make_student'?"
    )
    with pytest.raises(ModelError, match=f"no module 'reference_absent' in {folder}/recipes"):
        fingerprint("reference_absent:make")


def test_a_function_that_the_source_lacks_is_refused_without_an_import(folder):
    write(folder / "own_m/__init__.py", "")
    write(
        folder / "own_m/net.py",
        "import os\nfrom json import loads as read\nif os:\n    other = read\nraise RuntimeError\n"
        "def make(): inside = 1\nclass Net: deep = 2\n",
    )
    for name in ("make", "Net", "read", "other"):
        check(f"own_m.net:{name}", "here", DataError)
    for name in ("inside", "deep", "mak"):
        with pytest.raises(DataError, match=f"^here: no function '{name}' in .*own_m/net.py"):
            check(f"own_m.net:{name}", "here", DataError)
    assert not {"own_m", "own_m.net"} & set(sys.modules)


def test_what_only_an_import_can_tell_is_not_refused(folder):
    for number, text in enumerate(
        ("from math import *", "def __getattr__(name): ...", "globals()['make'] = 1", "def (")
    ):
        write(folder / f"own_n{number}.py", text)
        check(f"own_n{number}:make", "here", DataError)
    for name in ("math:nothing", "torch.nn:nothing"):
        check(name, "here", DataError)


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


@pytest.mark.linux("/proc/self/mem")
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
        DataError,
        match=rf"^here: no module 'own_z' in {folder} or on the Python path; put",
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
