"""Draw which part imports which, as Mermaid text inside docs/architecture.md.

    python tests/tools/diagram.py            # write the pictures
    python tests/tools/diagram.py --check    # fail when they are not current

A part is a folder, or a module that stands beside folders. An arrow points from a part to one that
it imports. Arrows that follow from others are left out: where a imports b, and b imports c, no
arrow shows that a imports c as well.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = "edgestill"
FOLDERS = (PACKAGE, f"{PACKAGE}.pipeline", f"{PACKAGE}.devices", f"{PACKAGE}.devices.onboard")
Edges = Mapping[str, frozenset[str]]
"""By the name of a part, the names of the parts that it imports."""


def imports(graph: grimp.ImportGraph, folder: str) -> Edges:
    """The imports between the children of a folder.

    Args:
        graph: modules and their imports.
        folder: a package, such as ``edgestill.pipeline``.

    Returns:
        By the name of a child, the names of the children that it imports.
    """
    children = graph.find_children(folder)
    inside = {child: {child, *graph.find_descendants(child)} for child in children}
    home = {module: child for child, modules in inside.items() for module in modules}
    edges = {}
    for child, modules in inside.items():
        targets = {t for m in modules for t in graph.find_modules_directly_imported_by(m)}
        edges[_short(child)] = frozenset(
            _short(home[t]) for t in targets if t in home and home[t] != child
        )
    return edges


def reduced(edges: Edges) -> Edges:
    """The same order with the arrows left out that follow from others; `edges` hold no circle."""
    below: dict[str, frozenset[str]] = {}

    def reached(part: str) -> frozenset[str]:
        if part not in below:
            below[part] = edges[part].union(*map(reached, edges[part]))
        return below[part]

    return {
        part: frozenset(t for t in targets if not any(t in reached(o) for o in targets - {t}))
        for part, targets in edges.items()
    }


def mermaid(edges: Edges) -> str:
    """A flow chart, from the top down."""
    lines = ["```mermaid", "flowchart TD"]
    lines += [f"    {_id(part)}[{part}]" for part in sorted(edges)]
    lines += [
        f"    {_id(part)} --> {_id(target)}"
        for part in sorted(edges)
        for target in sorted(edges[part])
    ]
    return "\n".join([*lines, "```"])


def drawn(text: str, pictures: Mapping[str, str]) -> str:
    """The page with its pictures replaced, each between its two marks.

    Raises:
        SystemExit: the page lacks the marks of a picture.
    """
    for folder, picture in pictures.items():
        begin, end = f"<!-- imports of {folder} -->\n", "<!-- end -->"
        if begin not in text:
            raise SystemExit(f"{PAGE}: no line {begin!r}; add it, and {end!r} behind it")
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text = pattern.sub(lambda _, p=picture, b=begin, e=end: f"{b}{p}\n{e}", text, count=1)
    return text


def current(folders: Iterable[str] = FOLDERS) -> dict[str, str]:
    """The pictures of this state of the code, by folder."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    return {folder: mermaid(reduced(imports(graph, folder))) for folder in folders}


def main() -> int:
    """Write the pictures, or say that they are not current."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    before = PAGE.read_text(encoding="utf-8")
    after = drawn(before, current())
    if check and after != before:
        print(f"{PAGE.relative_to(ROOT)}: the pictures differ from the imports; run make diagram")
        return 1
    if not check:
        PAGE.write_text(after, encoding="utf-8")
    return 0


def _short(module: str) -> str:
    return module.rpartition(".")[2]


def _id(part: str) -> str:
    return f"{part.strip('_')}_part"


if __name__ == "__main__":
    sys.exit(main())
