"""The notebooks: what they print is of their cells, and they run."""

import copy
import json

import pytest
import tool_scripts

notebooks = tool_scripts.load("notebooks")
PATHS = sorted(notebooks.FOLDER.glob("*.ipynb"))


def outputs(notebook):
    return [one for cell in notebook["cells"] for one in cell.get("outputs", ())]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_what_a_notebook_prints_is_of_its_cells(path):
    notebook = notebooks.read(path)
    assert notebooks.is_current(notebook), "make notebooks runs it"
    changed = copy.deepcopy(notebook)
    changed["cells"][-1]["source"] = ["another"]
    assert not notebooks.is_current(changed)
    assert not [one for one in outputs(notebook) if one["output_type"] == "error"]
    text = json.dumps(outputs(notebook))
    assert "/tmp/" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_page_has_the_cells_and_the_small_tables_of_results(path):
    notebook = notebooks.read(path)
    page = notebooks.page(notebook, path.stem)
    assert page.startswith("# ")
    for cell in notebook["cells"]:
        assert "".join(cell["source"]) in page
    assert page.count("<div><p><strong>") >= 3
    assert "<script" not in page
    assert f"notebooks/{path.stem}.ipynb" in page


def test_html_of_others_is_shown_as_text():
    def shown(data):
        cell = {"cell_type": "code", "source": ["f()"], "outputs": [{"data": data}]}
        return notebooks.page({"cells": [cell, cell]}, "n")

    assert "<script" not in shown({"text/html": ["<script>"], "text/plain": ["a frame"]})
    assert "```text\na frame\n```" in shown({"text/html": ["<script>"], "text/plain": ["a frame"]})
    assert "<div><p><strong>READY" in shown({"text/html": ["<div><p><strong>READY"]})


def test_a_check_names_notebooks_with_outputs_of_other_cells(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    notebook = notebooks.read(PATHS[0])
    notebooks.write(notebook, tmp_path / "a.ipynb")
    assert notebooks.main(["check"]) == 0
    notebook["cells"][0]["source"] = ["another"]
    notebooks.write(notebook, tmp_path / "a.ipynb")
    assert notebooks.main(["check"]) == 1
    assert "a.ipynb: its outputs are not of its cells" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    notebook, took_s = notebooks.run(path, tmp_path)
    assert notebooks.is_current(notebook)
    results = [one for one in outputs(notebook) if "text/html" in one.get("data", {})]
    assert len(results) >= 3
    print(f"{path.name}: {took_s:.0f} s")  # 44 s of CPU time; less than a minute on two idle cores
