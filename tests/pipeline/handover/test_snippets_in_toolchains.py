"""The programs in a bundle for other runtimes: Python, and C++ with OpenVINO's own headers.

Models are made by the toolchains here, so that no build has to.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import bare_python
import numpy as np
import pytest
import run_example
import toolchain_tools
import torch
from edgestill.exporters import executorch, ncnn, onnx, tflite_micro
from edgestill.exporters.package import File, Finished, Job, Package
from edgestill.pipeline.compress.variants import needs_of
from edgestill.pipeline.handover.verify import check
from edgestill.pipeline.handover.write import write
from edgestill.pipeline.judge.other_runtimes import outputs

OPENVINO = """
import sys
import numpy as np
import openvino as ov
from openvino import opset13 as ops

x = ops.parameter([-1, 8, 8], np.float32, name="input")
flat = ops.reshape(x, np.array([-1, 64], np.int64), special_zero=False)
weights = np.random.default_rng(0).standard_normal((64, 10)).astype(np.float32)
logits = ops.matmul(flat, weights, False, False)
logits.output(0).get_tensor().set_names({"logits"})
model = ov.Model([ops.result(logits)], [x])
model.inputs[0].get_tensor().set_names({"input"})
ov.save_model(model, sys.argv[1], compress_to_fp16=False)
"""
LITERT = """
import sys
import numpy as np
import torch
import litert_torch

torch.manual_seed(0)


class Named(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))

    def forward(self, **inputs):
        return {"logits": self.inner(inputs["input"])}


made = litert_torch.convert(Named().eval(), sample_kwargs={"input": torch.zeros(1, 8, 8)})
made.export(sys.argv[1])
"""


def converted(format_, code, suffix, *beside):
    """Makes the package of a model that a script writes in its toolchain."""

    def make(folder):
        model = folder / f"fp32{suffix}"
        toolchain_tools.run_in(format_, code, model)
        files = [File.of(model), *(File.of(model.with_suffix(one)) for one in beside)]
        return Package(format_, format_, suffix, files[0], tuple(files[1:]), runtime=format_)

    return make


def exported(exporter, variant):
    """Makes the package that our own exporter makes."""

    def make(folder):
        return exporter.packages(job_in(folder))[variant]

    return make


def job_in(folder):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)).eval()
    x = np.random.default_rng(0).random((32, 8, 8), np.float32)
    models = []
    for name in ("fp32", "int8-static"):
        onnx.export(net, torch.from_numpy(x[:2]), folder / f"{name}.onnx", opset=20)
        models.append(Finished(name, folder / f"{name}.onnx", net if name == "fp32" else None))
    return Job(folder, tuple(models), calibration=x, needs_of=needs_of)


def bundle_of(folder, make):
    """A bundle of a run that ships one package in another format."""
    run = run_example.write_run(folder / "run", run_example.report())
    package = make(run / "variants")
    report = run_example.report()
    first = report.variants.variants[0].model_copy(update={"packages": (package,)})
    variants = (first, *report.variants.variants[1:])
    report = report.model_copy(
        update={"variants": report.variants.model_copy(update={"variants": variants})}
    )
    (run / "report.json").write_text(report.model_dump_json())
    golden = dict(np.load(run / "records" / "golden.npz"))
    model = run / "variants" / package.model.name
    golden[model.name] = outputs(model, golden["input"], batch=1)
    np.savez(run / "records" / "golden.npz", **golden)
    write(run_example.seal(run), folder / "bundle")
    return folder / "bundle"


@pytest.fixture(scope="module")
def openvino(tmp_path_factory):
    toolchain_tools.python_of("openvino")
    make = converted("openvino", OPENVINO, ".xml", ".bin")
    return bundle_of(tmp_path_factory.mktemp("openvino"), make)


@pytest.fixture(scope="module")
def litert(tmp_path_factory):
    toolchain_tools.python_of("litert")
    return bundle_of(tmp_path_factory.mktemp("litert"), converted("litert", LITERT, ".tflite"))


@pytest.fixture(scope="module")
def micro(tmp_path_factory):
    toolchain_tools.python_of("litert")
    toolchain_tools.python_of("tflite-micro")
    return bundle_of(tmp_path_factory.mktemp("micro"), exported(tflite_micro, "int8-static"))


@pytest.fixture(scope="module", params=[executorch, ncnn], ids=["executorch", "ncnn"])
def with_torch(request, tmp_path_factory):
    """The bundle and the toolchain of a runtime whose wheel needs torch, or comes with it."""
    name = request.param.__name__.rpartition(".")[2]
    toolchain_tools.python_of(name)
    return bundle_of(tmp_path_factory.mktemp(name), exported(request.param, "fp32")), name


def spoilt(bundle, folder):
    """A copy of a bundle with other recorded outputs."""
    shutil.copytree(bundle, folder)
    (archive,) = (folder / "golden").glob("*.npz")
    recorded = dict(np.load(archive))
    np.savez(archive, input=recorded["input"], output=recorded["output"] + 1.0)
    (bare,) = (folder / "golden").glob("*.output.bin")
    (recorded["output"] + 1.0).tofile(bare)
    return folder


def run_python(bundle, tmp_path, name, packages):
    site = {"site": tmp_path / "site", "packages": ["numpy", *packages]}
    return bare_python.run(
        "snippets/run.py", cwd=bundle, python=toolchain_tools.python_of(name), **site
    )


EACH = pytest.mark.parametrize(
    ("fixture", "name", "packages"),
    [
        ("openvino", "openvino", ["openvino"]),
        ("litert", "litert", ["ai_edge_litert", "flatbuffers"]),
        pytest.param(
            "micro", "tflite-micro", ["tflite_micro", "flatbuffers", "yaml"], marks=pytest.mark.slow
        ),
    ],
)


@EACH
@pytest.mark.slow
def test_python_runs_it_with_numpy_and_the_runtime_alone(
    request, tmp_path, fixture, name, packages
):
    bundle = request.getfixturevalue(fixture)
    code, said = run_python(bundle, tmp_path, name, packages)
    assert (code, said.count(": agrees")) == (0, 1), said
    code, said = run_python(spoilt(bundle, tmp_path / "spoilt"), tmp_path, name, packages)
    assert (code, said.count("DIFFERS")) == (1, 1), said


@pytest.mark.slow
def test_python_runs_it_in_the_toolchain_of_its_runtime(with_torch, tmp_path):
    bundle, name = with_torch

    def run(folder):
        words = [str(toolchain_tools.python_of(name)), "-I", "snippets/run.py"]
        ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    code, said = run(bundle)
    assert (code, said.count(": agrees")) == (0, 1), said
    code, said = run(spoilt(bundle, tmp_path / "spoilt"))
    assert (code, said.count("DIFFERS")) == (1, 1), said


@EACH
@pytest.mark.slow
def test_verify_runs_it_in_its_runtime(request, fixture, name, packages):
    checked = check(request.getfixturevalue(fixture))
    assert (checked.faults, checked.not_run, checked.models) == ((), (), 1)


@pytest.mark.slow
def test_a_model_for_microcontrollers_whose_scales_are_lost_is_a_fault(micro, tmp_path):
    shutil.copytree(micro, tmp_path / "bundle")
    scales = tmp_path / "bundle" / "models" / "int8-static.micro.json"
    scales.write_text("{}")
    manifest = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert manifest["packages"][0]["arena_bytes"] > 0
    manifest["files"]["models/int8-static.micro.json"] = {
        "bytes": 2,
        "sha256": hashlib.sha256(b"{}").hexdigest(),
    }
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(manifest))
    (fault,) = check(tmp_path / "bundle").faults
    assert "scales that cannot be read (KeyError)" in fault


def test_the_program_in_cpp_is_compiled_and_agrees(openvino, tmp_path):
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    where = toolchain_tools.run_in("openvino", "import openvino; print(openvino.__file__)")
    package = Path(where.strip()).parent
    (library,) = (package / "libs").glob("libopenvino_c.so*")
    words = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", "snippets/openvino.cc"]
    words += [f"-I{package / 'include'}", str(library), f"-Wl,-rpath,{library.parent}"]
    program = tmp_path / "program"
    built = subprocess.run(
        [*words, "-o", str(program)], cwd=openvino, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    ended = subprocess.run(
        [str(program)], cwd=openvino, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "models/fp32.xml: agrees\n"), ended.stderr
    other = spoilt(openvino, tmp_path / "spoilt")
    ended = subprocess.run([str(program)], cwd=other, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
