"""A new format is a function and a line of the table: here a toy that packs the ``.onnx`` file."""

import gzip
import json
import shutil

import edgestill
import pytest
import tiny
from edgestill.errors import RecipeError
from edgestill.exporters import EXPORTERS, format_meant, onnx_file
from edgestill.exporters.package import File, Finished, Job, Package
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.finished.verify_run import check
from edgestill.pipeline.recipe.export import Export
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.recipe.search import Search
from edgestill.pipeline.runs.rejudge import judge_again
from pydantic import ValidationError

OVERRIDES = [
    *("compress.variants=['fp32']", "gate.max_size_kib=1000"),
    *("benchmark.processes=1", "benchmark.seconds=0.001"),
]
"""No latency is looked at."""


def packed(job):
    """The ``.onnx`` file, compressed; nothing of this project can run it."""

    def package(model):
        file = job.folder / f"{model.name}.onnx.gz"
        file.write_bytes(gzip.compress(model.onnx.read_bytes(), mtime=0))
        (job.folder / "unpack.txt").write_text("gunzip it")
        return Package(
            format="gz",
            title="a device that unpacks",
            suffix=".onnx.gz",
            model=File.of(file),
            beside=(File.of(job.folder / "unpack.txt"),),
            no_runtime="it has to be unpacked first",
        )

    return {model.name: package(model) for model in job.models}


def copied(job):
    """The ``.onnx`` file under another name; it runs here as on its target."""

    def package(model):
        file = job.folder / f"{model.name}-copy.onnx"
        shutil.copyfile(model.onnx, file)
        return Package(
            format="copy",
            title="ONNX Runtime",
            suffix="-copy.onnx",
            model=File.of(file),
            runtime="onnxruntime",
            answers_hold=True,
        )

    return {model.name: package(model) for model in job.models}


def built_with(formats, own_build, patch, copy=copied):
    """A build with these formats that goes on from the student of the tiny one."""
    patch.setitem(EXPORTERS, "gz", packed)
    patch.setitem(EXPORTERS, "copy", copy)
    _, recipe, artifacts = own_build
    overrides = [*OVERRIDES, f"export.formats={json.dumps(formats)}"]
    return pipeline.build(recipe, artifacts=artifacts, overrides=overrides)


@pytest.fixture(scope="module")
def done(built, tmp_path_factory):
    """A build with both formats."""
    with pytest.MonkeyPatch.context() as patch:
        own_build = tiny.copy(built, tmp_path_factory.mktemp("formats"))
        yield built_with(["onnx", "copy", "gz"], own_build, patch)


@pytest.mark.slow
def test_a_new_format_is_built_shipped_and_marked_but_never_ready_by_itself(done):
    verdict = done.report.verdict
    assert (verdict.outcome, verdict.ship) == ("ready", "fp32")
    onnx, _, toy = verdict.variants[0].packages
    assert (onnx.format, onnx.outcome) == ("onnx", "ready")
    assert (toy.format, toy.outcome) == ("gz", "undecided")
    assert "it has to be unpacked first" in toy.why
    shipped = {path.name for path in (done.run / "models").iterdir()}
    assert shipped == {
        *("tiny-fp32.onnx", "tiny-fp32-copy.onnx", "tiny-fp32.onnx.gz"),
        *("unpack.txt", "labels.txt"),
    }
    variant = done.report.variants.variants[0]
    packed_file = done.run / "models" / "tiny-fp32.onnx.gz"
    assert (
        gzip.decompress(packed_file.read_bytes())
        == (done.run / "variants" / variant.file).read_bytes()
    )
    page = (done.run / "report.md").read_text()
    assert "for a device that unpacks, was not run: it has to be unpacked first" in page


@pytest.mark.slow
def test_a_format_that_runs_here_as_on_its_target_is_judged(done):
    copy = done.report.verdict.variants[0].packages[1]
    assert (copy.outcome, copy.why) == ("undecided", "not measured for max_size_kib")
    quality = done.report.quality.variants[0].packages[0]
    assert (quality.agreement, quality.max_abs_difference) == (1.0, 0.0)
    checked = check(done.run)
    assert (checked.faults, checked.models) == ((), 4)
    gate = edgestill.pipeline.recipe.gate.Gate(min_accuracy=0.5)
    _, report = judge_again(done.run, gate)
    assert report.verdict.variants[0].packages[1].outcome == "ready"
    assert report.verdict.variants[0].packages[2].outcome == "undecided"


@pytest.mark.slow
def test_a_format_that_answers_otherwise_makes_its_variant_not_ready(own_build, monkeypatch):
    import onnx

    def broken(job):
        packages = copied(job)
        for model in job.models:
            graph = onnx.load(model.onnx)
            for tensor in graph.graph.initializer:
                values = onnx.numpy_helper.to_array(tensor)
                if values.dtype.kind == "f":
                    tensor.CopyFrom(onnx.numpy_helper.from_array(-values, tensor.name))
            onnx.save(graph, job.folder / packages[model.name].model.name)
        return packages

    done = built_with(["onnx", "copy"], own_build, monkeypatch, broken)
    variant = done.report.verdict.variants[0]
    assert variant.outcome == "not ready"
    assert ".copy differs from .onnx by" in variant.faults[0]
    assert variant.packages[1].outcome == "not ready"


@pytest.mark.parametrize("formats", [[], ["ort"], ["onnx", "onnx"], ["onnx", "tflite"]])
def test_formats_without_onnx_unknown_or_named_twice_are_refused(tmp_path, monkeypatch, formats):
    nowhere = None, tiny.write(tmp_path), tmp_path / "artifacts"
    with pytest.raises(RecipeError, match=r"export\.formats.*'onnx' first, then any of"):
        built_with(formats, nowhere, monkeypatch)


@pytest.mark.parametrize(
    ("called", "meant"),
    [
        (".tflite", "litert"),
        ("TFLite", "litert"),
        ("lite-rt", "litert"),
        ("pte", "executorch"),
        ("mlpackage", "coreml"),
        ("tflite_micro", "tflite-micro"),
        ("onnxruntime", "onnx"),
        ("open-vino", "openvino"),
    ],
)
def test_a_format_is_known_by_its_ending_and_its_runtime_too(called, meant):
    assert format_meant(called) == f"did you mean '{meant}'?"
    with pytest.raises(ValidationError, match=f"'onnx' first.*; did you mean '{meant}'"):
        Export(formats=("onnx", called))
    with pytest.raises(ValidationError, match=f"any of onnx, .*; did you mean '{meant}'"):
        Gate(max_size_kib=10.0, runtimes=(called,))
    with pytest.raises(ValidationError, match=f"any of onnx, .*; did you mean '{meant}'"):
        Search(formats=(called,))


def test_a_name_like_no_format_suggests_none():
    assert format_meant("jpeg") is None


def test_the_onnx_file_is_a_package_as_it_is(tmp_path):
    file = tmp_path / "fp32.onnx"
    file.write_bytes(b"a model")
    package = onnx_file.packages(Job(tmp_path, (Finished("fp32", file),)))["fp32"]
    assert (package.format, package.model, package.beside) == ("onnx", File.of(file), ())
    assert (package.runtime, package.answers_hold) == ("onnxruntime", True)
