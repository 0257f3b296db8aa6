"""The wheel holds every package and data file of ours, and no test."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("devices", "exporters", "pipeline", "toolchains")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


def folders_of_packages():
    for folder in FOLDERS:
        for init in sorted((ROOT / folder).rglob("__init__.py")):
            yield init.parent.relative_to(ROOT).as_posix()


def test_pyproject_lists_every_package():
    wanted = {f"edgestill.{folder.replace('/', '.')}": folder for folder in folders_of_packages()}
    assert SETUPTOOLS["package-dir"] == {"edgestill": ".", **wanted}
    assert sorted(SETUPTOOLS["packages"]) == sorted(["edgestill", *wanted])


def test_every_folder_with_code_is_a_package():
    bare = {
        path.parent.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if not (path.parent / "__init__.py").exists()
    }
    assert bare == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names of the files in a wheel that is built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "tools", source / "tests" / "tools")
    for path in (*ROOT.glob("*.py"), *ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "py.typed"):
        shutil.copy(path, source)
    shutil.copy(ROOT / "pyproject.toml", source)
    (source / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "edgestill.1", source / "docs")
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=source, check=True, capture_output=True
    )
    (path,) = folder.glob("edgestill-*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_module_and_data_file(wheel):
    wanted = {f"edgestill/{path.name}" for path in (*ROOT.glob("*.py"), ROOT / "py.typed")}
    for folder in FOLDERS:
        wanted |= {
            f"edgestill/{path.relative_to(ROOT).as_posix()}"
            for path in (ROOT / folder).rglob("*.*")
            if path.is_file() and path.suffix != ".pyc"
        }
    suffixes = {".c", ".jinja", ".py", ".toml", ".txt", ".typed"}
    assert {Path(name).suffix for name in wanted} == suffixes
    assert wanted - wheel == set()


def test_the_wheel_installs_the_manual_page(wheel):
    assert [name for name in wheel if name.endswith("data/share/man/man1/edgestill.1")]


def test_the_wheel_holds_nothing_else(wheel):
    others = {name for name in wheel if not name.startswith("edgestill/")}
    assert {Path(name).parts[0].partition("-")[0] for name in others} == {"edgestill"}
    inside = {Path(name).parts[1] for name in wheel - others}
    assert inside == {*FOLDERS, *(path.name for path in ROOT.glob("*.py")), "py.typed"}
