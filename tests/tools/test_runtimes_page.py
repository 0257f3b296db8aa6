"""The page of runtimes: tables by the code, marks by the figures."""

import pytest
from edgestill.exporters import EXPORTERS
from tools import runtimes_page
from tools.runtimes_page import in_ci, is_current, keep, kept, marks, page, reason_against

FILES = [
    {"format": "onnx", "variant": "fp32", "share": 1e-7, "agreement": 1.0}
    | {"score": 0.9, "drop": 0.0},
    {"format": "onnx", "variant": "int8-static", "agreement": 0.995, "score": 0.9, "drop": 0.0},
    {"format": "litert", "variant": "fp32", "share": 2e-6, "agreement": 1.0}
    | {"score": 0.9, "drop": 0.0},
    {"format": "litert", "variant": "int8-static", "agreement": 0.9875}
    | {"score": 0.895, "drop": 0.005},
    {"format": "coreml", "variant": "fp32", "missing": "it takes an Apple system"},
]
STUDENT = {
    "day": "2026-01-02",
    "title": "small images",
    "kernels": "AVX2",
    "samples": 2000,
    "metric": "accuracy",
    "files": FILES,
    "refused": {"ncnn": "it takes floats"},
    "not_carried": {
        "int8-dynamic@openvino": "no such operator",
        "int8-static@coreml": "it runs the model",
    },
    "runtimes": {"onnx": "onnxruntime 1.32.0", "litert": "litert 2.3.0"},
}


@pytest.fixture(autouse=True)
def _results(tmp_path, monkeypatch):
    monkeypatch.setattr(runtimes_page, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(runtimes_page, "PAGE", tmp_path / "page.md")


@pytest.mark.parametrize(
    ("format_", "variant", "reason"),
    [
        ("onnx", "int8-mixed", None),
        ("openvino", "fused", None),
        ("litert", "int8-qat", None),
        ("litert", "pruned", None),
        ("litert", "fused", "LiteRT has no fused: it is made in ONNX"),
        ("executorch", "int8-weights", "only with int8 activations"),
        ("ncnn", "fp16", None),
        ("ncnn", "int8-static", "brings no quantizer"),
        ("ncnn", "int8-qat", "brings no quantizer"),
        ("coreml", "int8-static", "takes an Apple system"),
        ("tflite-micro", "int8-qat", None),
        ("tflite-micro", "fp32", "microcontrollers take int8-static"),
    ],
)
def test_what_a_format_carries_is_what_its_exporter_says(format_, variant, reason):
    found = reason_against(format_, variant)
    assert found is None if reason is None else reason in found


def test_ci_runs_the_formats_whose_toolchains_it_sets_up():
    run = [format_ for format_ in EXPORTERS if in_ci(format_)]
    assert run == ["onnx", "ort", "litert", "openvino"]


def test_marks_are_held_by_the_worst_file():
    first, second, third = marks("cifar10", STUDENT)
    assert "at most 2e-06 of the range of the outputs (fp32 in litert; wanted" in first.text
    assert "at least 98.75 % of test as fp32 does (int8-static in litert; wanted" in second.text
    assert "loses 0.50 points of accuracy (wanted at most 0.30)" in third.text
    assert (first.met, second.met, third.met) == (True, True, False)
    # the drop is a mark of one student
    assert marks("digits", STUDENT) == [first, second]


@pytest.mark.parametrize(("key", "value", "at"), [("share", 2e-3, 0), ("agreement", 0.97, 1)])
def test_a_file_outside_a_mark_misses_it(key, value, at):
    files = [*FILES, {**FILES[3], key: value}]
    assert not marks("digits", STUDENT | {"files": files})[at].met


def test_the_page_has_a_row_for_each_file_and_the_reasons_of_others():
    keep({"small": STUDENT})
    drawn = page()
    assert "### small\n\nSmall images; 2,000 samples of test; 2026-01-02.\n" in drawn
    assert "| `litert` | `int8-static` |  | 98.75 % | 89.50 % | 0.50 |" in drawn
    assert "| `onnx` | `fp32` | 1.0e-07 | 100.00 % | 90.00 % | 0.00 |" in drawn
    assert "| `coreml` | `fp32` | converted, not run: it takes an Apple system |" in drawn
    assert "\nNot measured: `ort`, `openvino`, `tflite-micro`, `executorch`.\n" in drawn
    assert "- `ncnn`: it takes floats.\n- `int8-dynamic@openvino`: no such operator.\n" in drawn
    # what the first table says is not said again
    assert "it runs the model" not in drawn
    assert "| `litert` | litert 2.3.0 | `litert` | yes | yes |" in drawn
    assert "| `ort` | onnxruntime 1.32.0 | none | yes | yes |" in drawn
    assert "| `coreml` | nothing here | `executorch` | no | converted, not run |" in drawn
    assert "| onnxruntime-node 1." in drawn
    assert "int8 ran on AVX2 kernels." in drawn


def test_what_was_measured_earlier_is_kept_and_the_page_is_held_against_it():
    keep({"small": STUDENT})
    keep({"other": STUDENT})
    assert list(kept()) == ["other", "small"]
    assert not is_current()
    runtimes_page.PAGE.write_text(page(), encoding="utf-8")
    assert is_current()
    keep({"other": STUDENT | {"samples": 3}})
    assert not is_current()
