"""A tag becomes a release only where version, changelog and citation agree."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tool_scripts
from edgestill.version import __version__

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(__file__).with_name("release_notes.py")
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-02-03

### Added

- A thing.

## [1.1.0] - 2026-01-02

- An older thing.

[1.2.0]: the-address-of-it
"""


@pytest.fixture(scope="module")
def notes():
    return tool_scripts.load("release_notes").notes


@pytest.fixture
def root(tmp_path):
    """The three files of a release that agree."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "version.py").write_text('"""It."""\n\n__version__ = "1.2.0"\n')
    (tmp_path / "CITATION.cff").write_text('version: "1.2.0"\ndate-released: 2026-02-03\n')
    return tmp_path


def change(root, file, old, new):
    path = root / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_section_of_the_tag_is_given_and_no_other(notes, root):
    assert notes("v1.2.0", root) == "### Added\n\n- A thing."


def test_the_last_section_ends_before_the_addresses(notes, root):
    change(root, "CHANGELOG.md", "## [1.1.0] - 2026-01-02\n\n- An older thing.\n", "")
    assert notes("v1.2.0", root) == "### Added\n\n- A thing."


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("version.py", "1.2.0", "1.3.0", "the tag is v1.2.0, and version.py has 1.3.0"),
        ("CHANGELOG.md", "[1.2.0] -", "[1.2.1] -", "CHANGELOG.md says nothing of 1.2.0"),
        ("CHANGELOG.md", "2026-02-03", "soon", "its section has no date, but 'soon'"),
        ("CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n\n- Else.\n", "left under"),
        ("CITATION.cff", "1.2.0", "1.1.0", "CITATION.cff has version 1.1.0"),
        ("CITATION.cff", "2026-02-03", "2026-02-02", "released on 2026-02-02"),
    ],
)
def test_what_disagrees_is_said(notes, root, file, old, new, said):
    change(root, file, old, new)
    with pytest.raises(ValueError, match=re.escape(said)):
        notes("v1.2.0", root)


def test_a_tag_without_its_v_is_refused(notes, root):
    with pytest.raises(ValueError, match=r"the tag is 1\.2\.0"):
        notes("1.2.0", root)


def test_all_that_disagrees_is_said_at_once_by_a_python_without_packages(root):
    tool = root / "tests" / "tools" / TOOL.name
    tool.parent.mkdir(parents=True)
    shutil.copy(TOOL, tool)
    change(root, "version.py", "1.2.0", "9.9.9")
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(tool), "v1.3.0"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 4
    assert "Traceback" not in ended.stderr


def test_our_own_files_agree_but_for_what_is_not_released_yet(notes, tmp_path):
    for name in ("version.py", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.sub(r"(?s)(## \[Unreleased\]\n).*?(?=## \[)", r"\1\n", changelog)
    (tmp_path / "CHANGELOG.md").write_text(released, encoding="utf-8")
    assert notes(f"v{__version__}", tmp_path).startswith("### ")
