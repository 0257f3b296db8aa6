"""The programs in a bundle: no name ends its string, and those that can be run here agree."""

import ast
import json
import shutil
import zipfile

import bare_python
import node_tools
import numpy as np
import pytest
from edgestill.exporters.scaled import Scaled
from edgestill.pipeline.handover.manifest import parse
from edgestill.pipeline.handover.snippets import (
    NODE,
    SNIPPETS,
    WEB,
    c_literal,
    kotlin_literal,
    swift_literal,
    write,
)
from run_example import NASTY

TRIGRAPH = "a??/b"


@pytest.mark.parametrize("text", [NASTY, TRIGRAPH, 'x"+system("id")+"', "1\\", "ä😀", "\x00"])
def test_a_literal_of_c_gives_the_bytes_back(text):
    literal = c_literal(text)
    assert literal.isascii()
    assert "??" not in literal
    # Python reads octal escapes as C does.
    assert ast.literal_eval(f"b{literal}") == text.encode()


def test_in_a_literal_of_kotlin_no_template_begins():
    literal = kotlin_literal(NASTY)
    assert "\\$(id)" in literal
    assert "\\${id}" in literal
    assert literal.isascii()
    assert json.loads(literal.replace("\\$", "$"))


def test_in_a_literal_of_swift_nothing_is_interpolated():
    literal = swift_literal(NASTY)
    assert "\\\\(id)" in literal
    assert "\\u{A}" in literal
    assert literal.isascii()
    inner = literal[1:-1].replace("\\\\", "").replace('\\"', "")
    assert '"' not in inner
    assert "\\(" not in inner


def manifest_of(folder):
    return parse((folder / "bundle.json").read_bytes(), "here")


def test_there_is_a_program_for_every_runtime_in_the_bundle(folder):
    found = {path.name for path in (folder / "snippets").iterdir()}
    fitting = [one for one in SNIPPETS if "onnxruntime" in one.runtimes]
    assert found == {file for one in fitting for file in (one.file, *one.parts)}


def test_another_runtime_has_programs_of_its_own(folder, tmp_path):
    manifest = manifest_of(folder)
    first = manifest.packages[0].model_copy(update={"runtime": "litert"})
    (tmp_path / "other").mkdir()
    written = write(tmp_path / "other", manifest.model_copy(update={"packages": (first,)}))
    files = [one.snippet.file for one in written]
    assert files == ["run.py", "web.html", "litert.cc", "LiteRt.kt", "LiteRt.swift"]
    page = (tmp_path / "other" / "snippets" / "web.html").read_text()
    assert f"npm install --ignore-scripts --prefix .. {WEB['litert']}\n" in page


def test_programs_with_constants_are_of_files_that_take_numbers(folder, tmp_path):
    manifest = manifest_of(folder)
    scaled = Scaled("int8", (1, 8, 8), 0.5, -3)
    whole = {"runtime": "litert", "input": scaled, "output": scaled, "model": "models/i.tflite"}
    integers = manifest.packages[0].model_copy(update=whole)
    floats = manifest.packages[0].model_copy(
        update={"runtime": "litert", "model": "models/f.tflite"}
    )
    for name, packages, files in (
        ("one", (integers,), ["run.py"]),
        (
            "both",
            (integers, floats),
            ["run.py", "web.html", "litert.cc", "LiteRt.kt", "LiteRt.swift"],
        ),
    ):
        (tmp_path / name).mkdir()
        written = write(tmp_path / name, manifest.model_copy(update={"packages": packages}))
        assert [one.snippet.file for one in written] == files
        assert written[0].models == tuple(package.model for package in packages)
    assert {one.models for one in written[1:]} == {("models/f.tflite",)}


def test_a_runtime_without_tensors_of_the_input_s_type_has_no_program(folder, tmp_path):
    manifest = manifest_of(folder)
    first = manifest.packages[0]
    tensor = first.golden.input.model_copy(update={"dtype": "int16"})
    golden = first.golden.model_copy(update={"input": tensor})
    changed = first.model_copy(update={"golden": golden})
    (tmp_path / "other").mkdir()
    written = write(tmp_path / "other", manifest.model_copy(update={"packages": (changed,)}))
    assert "OnnxRuntime.swift" not in {one.snippet.file for one in written}
    assert "INT16" in (tmp_path / "other" / "snippets" / "onnxruntime.cc").read_text()


def test_constants_are_those_of_the_golden_samples(folder):
    text = (folder / "snippets" / "onnxruntime.cc").read_text()
    assert 'kModel = "models/fp32.onnx";' in text
    assert "kSamples = 16;" in text
    assert "kSampleBytes = 256;" in text
    assert "kQueryShape[] = { 1, 8, 8 };" in text


def test_a_hostile_model_file_stays_a_constant(folder, tmp_path):
    manifest = manifest_of(folder)
    named = manifest.packages[0].model_copy(update={"model": f"models/{NASTY}"})
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", manifest.model_copy(update={"packages": (named,)}))
    for path in (tmp_path / "other" / "snippets").iterdir():
        plain = (folder / "snippets" / path.name).read_text(encoding="utf-8").splitlines()
        found = path.read_text(encoding="utf-8").splitlines()
        assert len(found) == len(plain), path.name
        changed = [line for line, was in zip(found, plain, strict=True) if line != was]
        assert len(changed) <= 1, path.name


def unzipped(bundle, tmp_path):
    """The files of a bundle in an empty folder, by way of a zip."""
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", bundle)
    target = tmp_path / "empty"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target)
    return target


def spoil(folder, model):
    """Other recorded outputs of one model."""
    packages = json.loads((folder / "bundle.json").read_text())["packages"]
    golden = next(one["golden"] for one in packages if one["model"] == model)
    recorded = dict(np.load(folder / golden["file"]))
    recorded["output"] = recorded["output"][:, ::-1] + 1.0
    np.savez(folder / golden["file"], **recorded)
    recorded["output"].tofile(folder / golden["output"]["file"])


def test_python_runs_it_in_an_empty_folder_with_numpy_and_the_runtime_alone(real, tmp_path):
    folder = unzipped(real[0], tmp_path)
    site = {"site": tmp_path / "site", "packages": ["numpy", "onnxruntime"]}
    code, said = bare_python.run("snippets/run.py", cwd=folder, **site)
    assert (code, said.count("agrees")) == (0, 6), said
    spoil(folder, "models/fp32.onnx")
    code, said = bare_python.run("snippets/run.py", cwd=folder, **site)
    assert (code, said.count("agrees"), said.count("DIFFERS")) == (1, 5, 1), said
    code, said = bare_python.run("snippets/run.py", "models/fp32.ort", cwd=folder, **site)
    assert (code, said.count("agrees")) == (0, 1), said


def test_python_without_a_runtime_says_what_to_install(real, tmp_path):
    site = {"site": tmp_path / "site", "packages": ["numpy"]}
    code, said = bare_python.run("snippets/run.py", cwd=real[0], **site)
    assert code == 2
    assert said.endswith("nothing was run: install onnxruntime, ai-edge-litert or openvino\n")


@pytest.mark.parametrize("package", [NODE, WEB["onnxruntime"]])
def test_node_runs_it_natively_and_in_webassembly(real, tmp_path, package):
    modules = node_tools.modules_with(package)
    folder = unzipped(real[0], tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    words = ["snippets/run.mjs", package.partition("@")[0]]
    code, said = node_tools.run(*words, folder=folder)
    assert (code, said.count("agrees")) == (0, 6), said
    assert said.count("alike in 16 of 16") == 6, said
    spoil(folder, "models/fp32.onnx")
    code, said = node_tools.run(*words, folder=folder)
    assert (code, said.count("DIFFERS")) == (1, 1), said


def test_labels_that_a_terminal_would_obey_are_shown_escaped(real, tmp_path):
    folder = unzipped(real[0], tmp_path)
    path = folder / "preprocessing.json"
    preprocessing = json.loads(path.read_text())
    preprocessing["labels"] = [NASTY] * 3
    path.write_text(json.dumps(preprocessing))
    site = {"site": tmp_path / "site", "packages": ["numpy", "onnxruntime"]}
    code, said = bare_python.run("snippets/run.py", cwd=folder, **site)
    assert code == 0
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert f"the first sample: {NASTY!a}" in said
