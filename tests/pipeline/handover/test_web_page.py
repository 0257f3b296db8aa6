"""The page of a bundle in a browser, and the same code in node: what they answer and show."""

import json
from contextlib import contextmanager
from types import SimpleNamespace

import digits_bundle
import node_tools
import numpy as np
import pytest
import toolchain_tools
from browser_tools import served, visited
from edgestill.pipeline.handover.snippets import NODE, WEB
from run_example import NASTY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

PAGE = "bundle/snippets/web.html"
DONE = "/^(PASS|FAIL|NOTHING)/.test(document.title)"
ROWS = "document.querySelectorAll('tbody tr')"
CELLS = f"[...{ROWS}].map((row) => [...row.cells].map((cell) => cell.innerText))"
MANY = 400
"""Samples for a share of decisions."""


@pytest.fixture(scope="module")
def onnx_files(tmp_path_factory):
    return digits_bundle.made(tmp_path_factory.mktemp("onnx"), "onnx")


@pytest.fixture(scope="module")
def all_files(tmp_path_factory):
    toolchain_tools.python_of("litert")
    return digits_bundle.made(tmp_path_factory.mktemp("both"), "onnx", "litert")


@pytest.fixture
def bundle(onnx_files, tmp_path):
    """The bundle of .onnx files, with its runtime beside it."""
    beside(tmp_path, WEB["onnxruntime"])
    return digits_bundle.bundle(onnx_files, tmp_path)


def beside(folder, *packages):
    """Put the packages where `npm install --prefix ..` puts them."""
    (folder / "node_modules").symlink_to(node_tools.modules_with(*packages))


@contextmanager
def browsed(folder):
    """The page of the bundle in a folder, once it has come to its end."""
    with served(folder) as address, visited(f"{address}/{PAGE}", folder / "profile") as page:
        page.wait_for(DONE)
        rows = {row[0]: row[1:] for row in page.evaluate(CELLS)}
        asked = [url.removeprefix(address) for url in page.requested]
        assert all(url.startswith("/") for url in asked), asked
        title = page.evaluate("document.title")
        yield SimpleNamespace(page=page, verdict=title, rows=rows, asked=asked)


def test_it_passes_and_asks_for_nothing_but_the_bundle_and_the_runtime_beside_it(bundle):
    with browsed(bundle.parent) as seen:
        assert seen.verdict == "PASS: 2 of 2 models answer as recorded"
        assert {name: cells[:2] for name, cells in seen.rows.items()} == {
            "models/fp32.onnx": ["onnxruntime", "agrees"],
            "models/int8-static.onnx": ["onnxruntime", "agrees"],
        }
        assert {cells[5] for cells in seen.rows.values()} == {"16 of 16"}
        used = [url for url in seen.asked if "/node_modules/" in url]
        assert used
        assert all(url.startswith("/node_modules/onnxruntime-web/") for url in used)
        assert any(url.endswith(".wasm") for url in used)
        files = (bundle.parent / url[1:] for url in dict.fromkeys(used))
        size = sum(file.stat().st_size for file in files)
        sizes = seen.page.evaluate("document.getElementById('sizes').textContent")
        assert f"onnxruntime-web {size:,} bytes" in sizes


def test_a_sample_is_checked_run_and_decoded(bundle):
    labels = json.loads((bundle / "preprocessing.json").read_text())["labels"]
    recorded = np.load(bundle / "golden" / "fp32.onnx.npz")
    classes = recorded["output"].argmax(1)
    place = int(np.flatnonzero(classes != classes[0])[0])
    numbers = recorded["input"][place].ravel().tolist()

    def answer(page, text):
        page.evaluate(f"document.getElementById('sample').value = {json.dumps(text)}")
        page.evaluate("document.getElementById('answer').value = ''")
        page.evaluate("document.querySelector('button').click()")
        page.wait_for("document.getElementById('answer').value !== ''")
        return page.evaluate("document.getElementById('answer').value")

    with browsed(bundle.parent) as seen:
        for comma in (" ", ",\n"):
            assert answer(seen.page, comma.join(map(str, numbers))) == labels[classes[place]]
        assert answer(seen.page, "x " * 64) == "no numbers"
        assert answer(seen.page, "1 2") == "2 numbers; a sample has 64, [1,8,8]"


def test_outputs_that_differ_fail_and_so_does_a_model_that_cannot_be_read(bundle):
    output = bundle / "golden" / "fp32.onnx.output.bin"
    output.write_bytes((np.fromfile(output, np.float32) + 1).tobytes())
    (bundle / "models" / "int8-static.onnx").write_bytes(b"no model")
    with browsed(bundle.parent) as seen:
        assert seen.verdict == "FAIL: 0 of 2 models answer as recorded"
        assert seen.rows["models/fp32.onnx"][1:3] == ["DIFFERS", "1.00"]
        assert seen.rows["models/int8-static.onnx"][1].startswith("FAILED: ")


def test_outputs_that_are_no_numbers_differ(bundle):
    output = bundle / "golden" / "fp32.onnx.output.bin"
    recorded = np.fromfile(output, np.float32)
    recorded[3] = np.nan
    output.write_bytes(recorded.tobytes())
    with browsed(bundle.parent) as seen:
        assert seen.rows["models/fp32.onnx"][1:3] == ["DIFFERS", "NaN"]


def test_without_its_runtime_it_says_what_to_install(bundle):
    (bundle.parent / "node_modules").unlink()
    with browsed(bundle.parent) as seen:
        said = "NOTHING WAS RUN: 0 of 2 models answer as recorded, 2 could not be run"
        assert seen.verdict == said
        why = seen.rows["models/fp32.onnx"][1]
        assert why.startswith(f"not run: {WEB['onnxruntime']} does not load: ")


def test_a_label_is_shown_as_text(bundle):
    path = bundle / "preprocessing.json"
    preprocessing = json.loads(path.read_text())
    preprocessing["labels"] = [f"<img src=x onerror=alert(1)>{NASTY}"] * 10
    path.write_text(json.dumps(preprocessing))
    with browsed(bundle.parent) as seen:
        assert "<img src=x onerror=alert(1)>" in seen.rows["models/fp32.onnx"][6]
        assert seen.page.evaluate("document.images.length") == 0
        assert not any(url.endswith("/x") for url in seen.asked)


def share(cell):
    alike, _, samples = cell.partition(" of ")
    assert int(samples) == MANY
    return int(alike) / MANY


def test_both_runtimes_answer_in_the_browser_as_torch_does(all_files, tmp_path):
    beside(tmp_path, *WEB.values())
    digits_bundle.bundle(all_files, tmp_path, samples=MANY, from_torch=True)
    with browsed(tmp_path) as seen:
        assert len(seen.rows) == 4
        for name, (runtime, said, difference, span, _, alike, _) in seen.rows.items():
            assert runtime == ("onnxruntime" if name.endswith(".onnx") else "litert")
            if "int8" in name:
                assert share(alike) >= 0.98, name
            else:
                assert (said, share(alike)) == ("agrees", 1), name
                assert float(difference) <= 1e-3 * float(span), name
        # Neither threads nor a GPU are asked for.
        assert not any("threaded_internal" in url or "jspi" in url for url in seen.asked)


def test_both_runtimes_answer_in_the_browser_as_here(all_files, tmp_path):
    beside(tmp_path, *WEB.values())
    digits_bundle.bundle(all_files, tmp_path)
    with browsed(tmp_path) as seen:
        assert seen.verdict == "PASS: 4 of 4 models answer as recorded", seen.rows


def test_webassembly_in_node_answers_as_torch_does(onnx_files, tmp_path):
    beside(tmp_path, WEB["onnxruntime"])
    folder = digits_bundle.bundle(onnx_files, tmp_path, samples=MANY, from_torch=True)
    _, said = node_tools.run("snippets/run.mjs", "onnxruntime-web", folder=folder)
    fp32, int8 = (line.split() for line in said.splitlines() if "largest difference" in line)
    assert float(fp32[2]) <= 1e-3 * float(fp32[7].strip(","))
    assert share(" ".join(fp32[-3:])) == 1
    assert share(" ".join(int8[-3:])) >= 0.98


def test_what_outputs_mean_is_said_as_in_python(onnx_files, tmp_path):
    node_tools.modules_with(NODE)
    folder = digits_bundle.bundle(onnx_files, tmp_path)
    (folder / "test.mjs").write_text(
        """import { decoded } from "./snippets/golden.mjs";
        const [labels, units] = [["a", "b"], ["mm", ""]];
        for (const decode of ["argmax", "sigmoid", "threshold", "numbers", "vector"]) {
          const how = { output: { decode, threshold: 0.5 }, labels, units };
          console.log(decoded(Float32Array.of(2, -1), how));
        }"""
    )
    code, said = node_tools.run("test.mjs", folder=folder)
    assert code == 0, said
    assert said.splitlines() == ["a", "a", "a", "a: 2 mm, b: -1", "a vector of 2 numbers"]
