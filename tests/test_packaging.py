"""The source distribution gives a wheel with every package and data file of ours, and no test."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("devices", "exporters", "pipeline", "toolchains")
BESIDE = (".ci", ".github", "docs", "tests")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_{}(sys.argv[1]))"


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


def build(what, source, folder):
    code = BUILD.format(what)
    subprocess.run(
        [sys.executable, "-c", code, folder], cwd=source, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """A source distribution of a copy of the repository, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    source = folder / "source"
    source.mkdir()
    for name in (*FOLDERS, *BESIDE):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith(".coverage"):
            shutil.copy(path, source)
    build("sdist", source, folder)
    (path,) = folder.glob("edgestill-*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    return folder / path.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The names of the files in a wheel that is built from the source distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    build("wheel", sdist, folder)
    (path,) = folder.glob("edgestill-*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_the_source_distribution_has_what_the_tests_and_the_site_need(sdist):
    wanted = {
        path.relative_to(ROOT)
        for name in (*FOLDERS, *BESIDE)
        for path in (ROOT / name).rglob("*.*")
        if path.is_file() and path.suffix != ".pyc"
    }
    wanted |= {Path(name) for name in ("CHANGELOG.md", "CITATION.cff", "Makefile", "mkdocs.yml")}
    assert {path for path in wanted if not (sdist / path).is_file()} == set()


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
