"""A build of images with channels first whose .tflite files take them last: judged and handed over.

The order is that of `edgestill.exporters.axes`.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import small_builds
import toolchain_tools
from edgestill.errors import RecipeError
from edgestill.exporters.axes import NHWC, ordered
from edgestill.exporters.scaled import Scales
from edgestill.pipeline.finished.verify_run import check
from edgestill.pipeline.handover import verify
from edgestill.pipeline.handover.write import write
from edgestill.pipeline.recipe.export import Export
from pydantic import ValidationError

LAST = "export.litert_layout=nhwc"


def channels_first(folder):
    small_builds.images(folder)
    with np.load(folder / "data.npz") as stored:
        x, y = stored["x"].transpose(0, 3, 1, 2), stored["y"]
    np.savez(folder / "data.npz", x=x, y=y)


def test_only_samples_with_channels_first_are_turned():
    last = Export(litert_layout="nhwc")
    assert {each: last.axes_of(each) for each in ("chw", "hwc")} == {"chw": NHWC, "hwc": None}
    assert Export().axes_of("chw") is None
    assert ordered((1, 3, 8, 9), NHWC) == (1, 8, 9, 3)
    assert ordered((1, 3, 8, 9), None) == (1, 3, 8, 9)


def test_what_has_no_channels_or_no_such_file_is_refused(tmp_path, monkeypatch):
    with pytest.raises((RecipeError, ValidationError), match="is about no other files"):
        small_builds.recipe(tmp_path, LAST)
    monkeypatch.setattr("edgestill.pipeline.preflight._toolchains_are_set_up", lambda recipe: None)
    x, y = small_builds.points()
    np.savez(tmp_path / "data.npz", x=x, y=y)
    formats = 'export.formats=["onnx","litert"]'
    with pytest.raises(RecipeError, match="'nhwc' for samples of the layout 'table'"):
        small_builds.until(tmp_path, "student", formats, LAST)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    toolchain_tools.python_of("litert")
    folder = tmp_path_factory.mktemp("last")
    channels_first(folder)
    return small_builds.build(
        folder,
        *("student.model=resnet8", "student.width=4"),
        *("teacher.batch_size=8", "distill.batch_size=8", "distill.epochs=2"),
        'compress.variants=["fp32","int8-static"]',
        'export.formats=["onnx","litert"]',
        LAST,
    )


@pytest.mark.slow
def test_it_is_scored_and_timed_by_images_with_their_channels_last(done):
    variants = {one.name: one for one in done.report.variants.variants}
    assert variants["fp32"].packages[0].input is None
    for name in ("fp32@litert", "int8-static@litert"):
        package = variants[name].packages[0]
        assert (package.input.shape, package.input.axes) == ((1, 8, 8, 3), NHWC)
        assert (package.input.dtype, package.input.scale) == ("uint8", None)
        file = done.run / "variants" / package.model.name
        assert Scales.read(file) == Scales(package.input, package.output)
        models = {one.name: one for one in done.report.measured.benchmark.models}
        assert models[name].queries > 0
    changed = {one.name: one.answers_changed_vs_fp32 for one in done.report.quality.variants}
    assert changed["fp32@litert"] == 0
    assert check(done.run).faults == ()


@pytest.mark.slow
def test_a_bundle_says_so_and_its_programs_give_it_such_images(done, tmp_path):
    folder = tmp_path / "bundle"
    write(done.run, folder, formats=("litert",), inspection=True)
    (own, *_) = json.loads((folder / "bundle.json").read_text())["packages"]
    golden = own["golden"]
    assert own["input"]["axes"] == list(NHWC)
    assert golden["input"]["shape"][1:] == [8, 8, 3]
    bare = np.fromfile(folder / golden["input"]["file"], np.uint8).reshape(golden["input"]["shape"])
    with np.load(folder / golden["file"]) as stored:
        np.testing.assert_array_equal(bare, stored["input"].transpose(NHWC))
    told = json.loads((folder / "preprocessing.json").read_text())["input"]
    assert told["sample_shape"] == [3, 8, 8]
    assert told["in_other_formats"] == {
        "litert": {
            "dtype": "uint8",
            "sample_shape": [8, 8, 3],
            "axes": "samples, height, width, channels",
        }
    }
    assert "axes (0, 2, 3, 1)" in (folder / "README.md").read_text().replace("\\", "")
    assert "1, 8, 8, 3" in (folder / "snippets" / "LiteRt.kt").read_text()
    checked = verify.check(folder)
    assert (checked.faults, checked.not_run, checked.models) == ((), (), 2)
    python = str(toolchain_tools.python_of("litert"))
    script = str(folder / "snippets" / "run.py")
    ended = subprocess.run([python, "-P", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("agrees") == 2


@pytest.mark.slow
def test_the_export_command_makes_it_again(done, tmp_path):
    words = ["-m", "edgestill", "export", str(done.run), "--variant", "fp32"]
    words += ["--to", "litert", "--out", str(tmp_path), "--json"]
    ended = subprocess.run(
        [sys.executable, "-P", *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (made,) = (path for path in tmp_path.iterdir() if path.suffix == ".tflite")
    assert Scales.read(made).input.axes == NHWC
