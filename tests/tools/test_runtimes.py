"""Students in every runtime: what is built, and what is taken from the verify stage."""

import pytest
import tiny
import toolchain_tools
from edgestill.errors import ModelError, RecipeError
from edgestill.pipeline.recipe.files import load
from edgestill.toolchains import TOOLCHAINS
from tools import runtimes, runtimes_page
from tools.runtimes import STUDENTS, VARIANTS, Student, measured


@pytest.mark.parametrize("name", STUDENTS)
def test_every_recipe_takes_its_overrides(name):
    student = STUDENTS[name]
    recipe = load(student.recipe, student.overrides)
    assert recipe.distill.seeds == 1


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A perceptron, and a folder to build it in."""
    monkeypatch.setattr(runtimes, "ARTIFACTS", tmp_path / "artifacts")
    return Student("three clouds", tiny.write(tmp_path)), tmp_path / "artifacts"


@pytest.mark.slow
def test_figures_are_those_of_the_verify_stage(small):
    for name in ("litert", "openvino"):
        toolchain_tools.python_of(name)
    student, artifacts = small
    found = measured(student, ("onnx", "ort", "litert", "openvino"), artifacts)
    files = {(each["format"], each["variant"]): each for each in found["files"]}
    assert set(files) >= {
        *((format_, variant) for format_ in ("onnx", "ort", "litert") for variant in VARIANTS),
        *(("openvino", "fp32"), ("openvino", "int8-static")),
    }
    for format_ in ("onnx", "ort", "litert", "openvino"):
        assert 0 <= files[format_, "fp32"]["share"] < 1e-4
        assert files[format_, "int8-static"]["agreement"] > 0.9
    assert files["onnx", "fp32"]["drop"] == 0
    assert files["litert", "int8-static"]["score"] > 0.5
    assert "score" not in files["ort", "int8-static"]
    assert {"onnx", "litert", "openvino"} == set(found["runtimes"])
    assert found["runtimes"]["litert"].startswith("litert 2.")
    assert (found["samples"], found["metric"], found["refused"]) == (72, "accuracy", {})
    # OpenVINO does not read what ONNX quantizes at each query, and says so.
    told = {*found["not_carried"], *(f"{v}@{f}" for f, v in files)}
    assert "int8-dynamic@openvino" in told


def test_a_format_that_cannot_carry_a_student_has_the_words_of_the_build(small, monkeypatch):
    def stage(student, formats, until, artifacts):
        if "ncnn" in formats:
            raise RecipeError("'ncnn' for texts", expected="floats")
        if "coreml" in formats:
            raise ModelError("cannot be converted to .mlpackage.zip (uint8)")
        if "litert" in formats:
            raise ModelError("no space")

    monkeypatch.setattr(runtimes, "_stage", stage)
    student, artifacts = small
    carried, refused = runtimes._carried(student, ("onnx", "ncnn", "coreml"), artifacts)
    assert carried == ("onnx",)
    assert refused == {
        "ncnn": "'ncnn' for texts, expected floats",
        "coreml": "cannot be converted to .mlpackage.zip (uint8)",
    }
    with pytest.raises(ModelError, match="no space"):
        runtimes._carried(student, ("onnx", "litert"), artifacts)


FOUND = {
    "files": [{"format": "onnx", "variant": "fp32", "share": 2e-3, "agreement": 1.0}],
    "runtimes": {},
}


@pytest.mark.parametrize("ready", [True, False])
def test_a_missed_mark_ends_with_1_and_nothing_is_kept_without_all_toolchains(
    ready, small, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(runtimes_page, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(runtimes, "STUDENTS", {"three": small[0]})
    monkeypatch.setattr(runtimes, "measured", lambda _, formats: FOUND | {"formats": [*formats]})
    own = {"openvino": "python"} | (dict.fromkeys(TOOLCHAINS, "python") if ready else {})
    monkeypatch.setattr(runtimes.toolchains, "python_of", own.get)
    assert runtimes.run(["three"]) == 1
    printed = capsys.readouterr().out
    assert "MISSED three: fp32 differs from PyTorch by at most 0.002" in printed
    kept = runtimes_page.kept()
    if ready:
        assert set(kept["three"]["formats"]) == set(runtimes.EXPORTERS)
    else:
        assert kept == {}
        assert "skipped: formats of litert, and nothing is kept; run: edgestill" in printed


def test_a_student_without_its_data_is_skipped(small, monkeypatch, capsys):
    (small[0].recipe.parent / "tiny.npz").unlink()
    monkeypatch.setattr(runtimes, "STUDENTS", {"three": small[0]})
    assert runtimes.run(["three"]) == 0
    assert "skipped: three, no tiny.npz" in capsys.readouterr().out


def test_report_says_whether_the_page_is_current(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runtimes_page, "PAGE", tmp_path / "page.md")
    assert runtimes.report(check=True) == 1
    assert "docs/runtimes.md is not current" in capsys.readouterr().err
    assert runtimes.report(check=False) == 0
    assert runtimes.report(check=True) == 0
