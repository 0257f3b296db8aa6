"""Check that a tag may become a release, and print its section of the changelog.

    python tests/tools/release_notes.py v0.1.0 > notes.md

The tag, version.py, CITATION.cff and CHANGELOG.md must agree, and nothing may be left under
"Unreleased". Python alone is needed: it is the first thing that the workflow of a release runs.
"""

import re
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINKS = re.compile(r"^\[[^\]]+\]: ", re.MULTILINE)
"""Where the addresses of a Keep a Changelog begin."""


def notes(tag: str, root: Path = ROOT) -> str:
    """The section of a tag's version, without its heading.

    Args:
        tag: ``v`` and the version.
        root: with the files that are compared.

    Raises:
        ValueError: what must be mended first, a line a problem.
    """
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = _sections(changelog)
    code = (root / "version.py").read_text(encoding="utf-8")
    version = _of(r'^__version__ = "([^"]+)"$', code)
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    day, text = sections.get(tag.removeprefix("v"), ("", ""))
    problems = [
        (tag != f"v{version}", f"the tag is {tag}, and version.py has {version}"),
        (not text, f"CHANGELOG.md says nothing of {tag.removeprefix('v')}"),
        (bool(text) and not _is_date(day), f"its section has no date, but {day!r}"),
        (bool(sections.get("Unreleased", ("", ""))[1]), "changes are left under [Unreleased]"),
        (
            (cited := _of(r"^version: (.+)$", citation)) != version,
            f"CITATION.cff has version {cited}, and version.py {version}",
        ),
        (
            (released := _of(r"^date-released: (.+)$", citation)) != day,
            f"CITATION.cff says that it was released on {released}, and CHANGELOG.md on {day}",
        ),
    ]
    if found := [words for wrong, words in problems if wrong]:
        raise ValueError("\n".join(found))
    return text


def _sections(changelog: str) -> dict[str, tuple[str, str]]:
    """What stands behind the name of each version in its heading, and its text."""
    parts = re.split(r"^## \[([^\]]+)\](.*)$", _LINKS.split(changelog)[0], flags=re.MULTILINE)[1:]
    return {
        name: (rest.removeprefix(" - ").strip(), text.strip())
        for name, rest, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def _of(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip("\"'") if found else "none"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def main() -> int:
    """Print the section, or what is wrong."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: release_notes.py TAG\n")
        return 2
    try:
        text = notes(sys.argv[1])
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
