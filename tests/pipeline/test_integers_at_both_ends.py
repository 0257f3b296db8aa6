"""A build whose static int8 .tflite file takes and gives int8: judged, timed and handed over."""

import json
import subprocess
import sys

import numpy as np
import pytest
import small_builds
import toolchain_tools
from edgestill.exporters.scaled import Scales
from edgestill.pipeline.finished.verify_run import check
from edgestill.pipeline.handover import verify
from edgestill.pipeline.handover.write import write

pytestmark = pytest.mark.slow
NAME = "int8-static@litert"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    toolchain_tools.python_of("litert")
    folder = tmp_path_factory.mktemp("integers")
    x, y = small_builds.points()
    np.savez(folder / "data.npz", x=x, y=y)
    return small_builds.build(
        folder,
        'compress.variants=["fp32","int8-static"]',
        'export.formats=["onnx","litert"]',
        "export.litert_io=int8",
        'export.inside=["normalize","softmax"]',
    )


@pytest.fixture(scope="module")
def package(done):
    (variant,) = (one for one in done.report.variants.variants if one.name == NAME)
    return variant.packages[0]


def test_scales_stand_in_the_report_and_beside_the_file(done, package):
    assert (package.input.dtype, package.output.dtype) == ("int8", "int8")
    assert (package.output.scale, package.output.zero_point) == (1 / 256, -128)
    file = done.run / "variants" / package.model.name
    assert Scales.read(file) == Scales(package.input, package.output)
    floats = [v.packages[0].input for v in done.report.variants.variants if v.name != NAME]
    assert floats == [None] * 3


def test_it_is_scored_by_numbers_and_timed_by_integers(done, package):
    quality = {one.name: one for one in done.report.quality.variants}
    assert quality[NAME].score.value >= quality["fp32"].score.value - 0.05
    models = {one.name: one for one in done.report.measured.benchmark.models}
    assert models[NAME].queries > 0
    store = next((done.run.parents[2] / "store").glob(f"*/inputs-{NAME}.npz"))
    with np.load(store) as own, np.load(store.with_name("inputs.npz")) as numbers:
        assert own["input"].dtype == np.int8
        np.testing.assert_array_equal(own["input"], package.input.as_taken(numbers["input"]))
    assert check(done.run).faults == ()


def test_a_bundle_has_the_scales_and_golden_samples_as_integers(done, package, tmp_path):
    folder = tmp_path / "bundle"
    write(done.run, folder, formats=("litert",), inspection=True)
    told = {p["variant"]: p for p in json.loads((folder / "bundle.json").read_text())["packages"]}
    own = told[NAME]
    assert own["input"]["scale"] == package.input.scale
    assert own["output"]["zero_point"] == package.output.zero_point
    with np.load(folder / own["golden"]["file"]) as golden:
        assert golden["input_integers"].dtype == golden["output_integers"].dtype == np.int8
        found = package.output.as_numbers(golden["output_integers"])
        np.testing.assert_array_equal(found, golden["output"])
    card = (folder / "README.md").read_text().replace("\\", "")
    assert f"a number is {package.input.scale!r} * (integer - {package.input.zero_point})" in card
    checked = verify.check(folder)
    assert (checked.faults, checked.not_run) == ((), ())


def test_the_bundles_python_program_makes_integers_and_the_others_are_of_float_files(
    done, tmp_path
):
    folder = tmp_path / "bundle"
    write(done.run, folder, formats=("litert",), inspection=True)
    python = str(toolchain_tools.python_of("litert"))
    script = str(folder / "snippets" / "run.py")
    ended = subprocess.run([python, "-P", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("agrees") == 2
    assert 'kModel = "models/fp32.tflite"' in (folder / "snippets" / "litert.cc").read_text()


def test_the_export_command_makes_it_again(done, package, tmp_path):
    words = ["-m", "edgestill", "export", str(done.run), "--variant", "int8-static"]
    words += ["--to", "litert", "--out", str(tmp_path), "--json"]
    ended = subprocess.run(
        [sys.executable, "-P", *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (made,) = (path for path in tmp_path.iterdir() if path.suffix == ".tflite")
    assert Scales.read(made) == Scales(package.input, package.output)
