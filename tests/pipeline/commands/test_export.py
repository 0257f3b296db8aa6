"""``edgestill export``: what is written, compared and refused, and that nothing half is left."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from edgestill import toolchains
from edgestill.errors import HostError, MaterialError, ModelError, UsageError
from edgestill.pipeline.commands.models import export
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.finished import export as exporting
from onnx import TensorProto, helper
from onnx_files import dense, save
from toolchain_tools import python_of


def run(*words, as_json=False):
    invocation = Invocation(json=as_json)
    ended = CliRunner().invoke(export, list(map(str, words)), obj=invocation)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return invocation.code, ended.stdout


def exported(*words):
    code, text = run(*words, as_json=True)
    document = json.loads(text)
    assert document["exit_code"] == code
    return code, {one["format"]: one for one in document["formats"]}


@pytest.fixture
def model(tmp_path):
    return dense(tmp_path / "net.onnx", layers=2, width=8)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_variant_of_a_run_is_written_and_answers_as_its_onnx_file(built, tmp_path):
    out = tmp_path / "out"
    code, formats = exported(
        built[0].run, "--variant", "int8-dynamic", "--to", "onnx,ort", "--out", out
    )
    assert code == 0
    stem = "tiny-int8-dynamic"
    operators = f"{stem}.required_operators_and_types.config"
    assert names(out) == [f"{stem}.onnx", f"{stem}.ort", operators]
    checked = formats["ort"]["checked"]
    assert checked["queries"] == 64
    assert checked["holds"]
    assert checked["reduced"]
    assert checked["outputs"][0]["agreement"] == 1.0


@pytest.mark.slow
def test_litert_is_made_of_the_students_weights_in_the_store(built, tmp_path):
    python_of("litert")
    python_of("openvino")
    code, formats = exported(
        built[0].run, "--variant", "fp32", "--to", "litert,openvino", "--out", tmp_path
    )
    assert code == 0
    assert names(tmp_path) == ["tiny-fp32.bin", "tiny-fp32.tflite", "tiny-fp32.xml"]
    for one in formats.values():
        (output,) = one["checked"]["outputs"]
        assert 0 < output["loss"]["max_abs_difference"] < output["tolerance"]
        assert one["checked"]["runtime"].startswith(one["format"])


def test_a_run_without_its_store_says_how_to_get_the_torch_module(built, tmp_path, monkeypatch):
    monkeypatch.setattr(toolchains, "python_of", lambda _: tmp_path)
    moved = tmp_path / "moved"
    shutil.copytree(built[0].run, moved)
    code, formats = exported(moved, "--variant", "fp32", "--to", "onnx,litert", "--out", tmp_path)
    assert code == MaterialError.exit_code
    assert (
        "the store that the run was built with no longer has its student"
        in (formats["litert"]["reason"])
    )
    assert f"{moved}/recipe.toml with --set 'export.formats=[…]'" in formats["litert"]["reason"]
    # Without the data it is compared on the samples that have golden outputs.
    assert formats["onnx"]["checked"]["queries"] == 16


def test_of_a_foreign_model_every_format_is_made_or_has_a_reason(model, tmp_path, monkeypatch):
    monkeypatch.setattr(toolchains, "python_of", lambda _: tmp_path)
    code, text = run(model, "--to", "ort,litert,onnx", "--out", tmp_path / "out")
    assert code == MaterialError.exit_code
    assert names(tmp_path / "out") == ["net.ort", "net.required_operators_and_types.config"]
    assert "net.ort: " in text.replace("\n", "")  # the folder's path may fill the line
    assert "the same answers" in text
    assert "litert: not exported: it is made of a torch module, which an .onnx file" in text
    assert "onnx: not exported: it is an .onnx file already" in text
    assert "compared with net.onnx on 64 generated queries" in text


def test_real_inputs_are_what_files_are_compared_on(model, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32))
    code, text = run(
        model, "--to", "ort", "--out", tmp_path / "out", "--inputs", tmp_path / "x.npz"
    )
    assert code == 0
    assert "on 5 queries" in text


def test_weights_beside_a_foreign_model_go_with_it(tmp_path):
    import onnx

    plain = dense(tmp_path / "plain.onnx", layers=2, width=8)
    model = tmp_path / "large.onnx"
    onnx.save(
        onnx.load(plain), model, save_as_external_data=True, location="w.bin", size_threshold=0
    )
    code, formats = exported(model, "--to", "ort", "--out", tmp_path / "out")
    assert code == 0
    assert formats["ort"]["checked"]["outputs"][0]["loss"]["max_abs_difference"] == 0.0


@pytest.mark.slow
def test_a_file_that_is_another_is_refused_and_nothing_is_left(model, tmp_path):
    out = tmp_path / "out"
    run(model, "--to", "ort", "--out", out)
    before = names(out)
    assert run(model, "--to", "ort", "--out", out)[0] == 0  # the same again
    (out / "net.ort").write_bytes(b"another")
    with pytest.raises(UsageError, match="a file that exists and is another"):
        run(model, "--to", "ort", "--out", out)
    assert names(out) == before
    assert (out / "net.ort").read_bytes() == b"another"


def test_nothing_is_left_of_a_model_that_does_not_run(tmp_path):
    wrong = helper.make_node("Reshape", ["x", "s"], ["y"])
    model = save(
        tmp_path / "wrong.onnx",
        [wrong],
        [("x", TensorProto.FLOAT, ["n", 8])],
        [("y", TensorProto.FLOAT, None)],
        [("s", np.array([3, 5], np.int64))],
    )
    with pytest.raises(ModelError):
        run(model, "--to", "ort", "--out", tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_other_answers_end_with_1_and_are_said(model, tmp_path, monkeypatch):
    asked = exporting.answers_of

    def changed(inspection, *rest, **more):
        found = asked(inspection, *rest, **more)
        if inspection.format == "ort":
            for blocks in found.answers.values():
                blocks[0][:] += 1.0
        return found

    monkeypatch.setattr(exporting, "answers_of", changed)
    code, text = run(model, "--to", "ort", "--out", tmp_path / "out")
    assert code == 1
    assert "OTHER ANSWERS than the .onnx file" in text


def test_a_runtime_that_is_not_here_is_said(model, tmp_path, monkeypatch):
    asked = exporting.answers_of

    def absent(inspection, *rest, **more):
        if inspection.format == "ort":
            raise HostError("the toolchain is not set up")
        return asked(inspection, *rest, **more)

    monkeypatch.setattr(exporting, "answers_of", absent)
    code, formats = exported(model, "--to", "ort", "--out", tmp_path / "out")
    assert code == 0
    assert formats["ort"]["checked"] is None
    assert formats["ort"]["reason"] == "not run here: the toolchain is not set up"


def test_options_of_the_other_kind_of_source_are_refused(built, model):
    with pytest.raises(UsageError, match="--shape, --batch or --batch-axis with a run"):
        run(built[0].run, "--to", "ort", "--batch", "2")
    with pytest.raises(UsageError, match="--variant with a model's file"):
        run(model, "--to", "ort", "--variant", "fp32")
    with pytest.raises(UsageError, match="'none', expected one of fp32"):
        run(built[0].run, "--to", "ort", "--variant", "none")


def test_only_an_onnx_file_is_exported(tmp_path):
    (tmp_path / "m.tflite").write_bytes(b"TFL3")
    with pytest.raises(ModelError, match=r"found a \.tflite file, expected an \.onnx file"):
        run(tmp_path / "m.tflite", "--to", "ort")
