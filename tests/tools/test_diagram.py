"""The pictures of docs/architecture.md are those of the code."""

import grimp
import pytest
from tools.diagram import PAGE, current, drawn, imports, mermaid, reduced


def test_the_pictures_in_the_docs_are_current():
    text = PAGE.read_text(encoding="utf-8")
    assert drawn(text, current()) == text


def test_parts_are_folders_and_the_modules_beside_them():
    graph = grimp.ImportGraph()
    for module in ("a", "a.build", "a.data", "a.data.csv", "a.engine", "a.engine.store"):
        graph.add_module(module)
    graph.add_import(importer="a.build", imported="a.data.csv")
    graph.add_import(importer="a.data.csv", imported="a.engine.store")
    graph.add_import(importer="a.data", imported="a.data.csv")
    assert imports(graph, "a") == {
        "build": frozenset({"data"}),
        "data": frozenset({"engine"}),
        "engine": frozenset(),
    }


def test_an_arrow_that_follows_from_others_is_left_out():
    edges = {
        "build": frozenset({"data", "engine"}),
        "data": frozenset({"engine"}),
        "engine": frozenset(),
    }
    assert reduced(edges)["build"] == {"data"}
    assert mermaid(reduced(edges)).splitlines()[-3:] == [
        "    build_part --> data_part",
        "    data_part --> engine_part",
        "```",
    ]


def test_a_page_without_the_place_for_a_picture_is_an_error():
    with pytest.raises(SystemExit, match="imports of edgestill"):
        drawn("text", {"edgestill": "picture"})
    text = "a\n<!-- imports of edgestill -->\nold\n<!-- end -->\nb"
    assert drawn(text, {"edgestill": "new"}) == text.replace("old", "new")
