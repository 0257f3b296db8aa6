"""Core ML's packages out of one student: what is in them; nothing here can run them.

They are made by `edgestill.exporters.converters.coreml` in the toolchain of ExecuTorch.
"""

import json
import zipfile

import digit_net
import numpy as np
import pytest
import toolchain_tools
import torch
from edgestill.exporters import coreml
from edgestill.exporters.package import Finished, Job
from edgestill.exporters.scaled import Scaled

pytestmark = pytest.mark.slow
NAMES = ("fp32", "fp16", "int8-weights", "int8-static", "int8-dynamic", "pruned")
DESCRIBED = """
import collections, json, sys, zipfile, tempfile
import coremltools as ct
found = {}
for path in sys.argv[1:]:
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(path).extractall(folder)
        name = path.rpartition("/")[2].removesuffix(".zip")
        spec = ct.models.MLModel(folder + "/" + name, skip_model_load=True).get_spec()
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    kinds = collections.Counter(operation.type for operation in block.operations)
    ends = [spec.description.input, spec.description.output]
    found[name] = {
        "ends": [[port.name, list(port.type.multiArrayType.shape)] for (port,) in ends],
        "types": [port.type.multiArrayType.dataType for (port,) in ends],
        "kinds": kinds,
    }
print("JSON" + json.dumps(found))
"""
FLOAT32 = 65568
"""Core ML's number for the type."""


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    toolchain_tools.python_of("executorch")
    return digit_net.job(tmp_path_factory.mktemp("coreml"), NAMES)


@pytest.fixture(scope="module")
def made(job):
    return coreml.packages(job)


def test_it_is_one_zip_of_a_package_and_is_not_run(job, made):
    package = made["fp32"]
    assert [file.name for file in package.files] == ["fp32.mlpackage.zip"]
    assert (package.runtime, package.apart) == (None, False)
    assert package.no_runtime == "Core ML runs on Apple's systems only"
    assert "coremltools 9" in package.about
    with zipfile.ZipFile(job.folder / "fp32.mlpackage.zip") as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("fp32.mlpackage/Manifest.json"))
    data = "fp32.mlpackage/Data/com.apple.CoreML"
    assert set(names) == {
        *(f"{data}/model.mlmodel", f"{data}/weights/weight.bin"),
        "fp32.mlpackage/Manifest.json",
    }
    root = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]
    assert root["path"] == "com.apple.CoreML/model.mlmodel"


def test_ends_operators_and_weights_are_those_of_the_variant(job, made):
    names = ("fp32", "fp16", "int8-weights")
    files = [job.folder / made[name].model.name for name in names]
    printed = toolchain_tools.run_in("executorch", DESCRIBED, *files)
    found = json.loads(printed.partition("JSON")[2])
    for name in names:
        seen = found[f"{name}.mlpackage"]
        assert seen["ends"] == [["input", [1, 1, 8, 8]], ["logits", [1, 10]]]
        assert seen["types"] == [FLOAT32, FLOAT32]
        assert (seen["kinds"]["conv"], seen["kinds"]["linear"]) == (3, 1)
    stored = [found[f"{name}.mlpackage"]["kinds"] for name in names]
    assert ["constexpr_affine_dequantize" in kinds for kinds in stored] == [False, False, True]
    assert ["cast" in kinds for kinds in stored] == [False, True, False]
    sizes = [made[name].model.bytes for name in names]
    assert sizes[1] < 0.7 * sizes[0]
    assert sizes[2] < 0.5 * sizes[0]


def test_bytes_are_taken_as_floats_of_the_same_numbers(tmp_path):
    toolchain_tools.python_of("executorch")
    net = torch.nn.Sequential(Numbers(), torch.nn.Conv2d(3, 4, 3)).eval()
    samples = np.zeros((2, 3, 6, 6), np.uint8)
    models = (Finished("fp32", tmp_path / "fp32.onnx", net),)
    package = coreml.packages(Job(tmp_path, models, calibration=samples))["fp32"]
    assert package.input == Scaled("float32", (1, 3, 6, 6), None, None)
    assert package.output == Scaled("float32", (1, 4, 4, 4), None, None)
    assert [file.name for file in package.beside] == ["fp32.mlpackage.json"]
    assert "its format takes no uint8" in package.about
    printed = toolchain_tools.run_in("executorch", DESCRIBED, tmp_path / package.model.name)
    (seen,) = json.loads(printed.partition("JSON")[2]).values()
    assert seen["ends"] == [["input", [1, 3, 6, 6]], ["logits", [1, 4, 4, 4]]]
    assert seen["types"][0] == FLOAT32


class Numbers(torch.nn.Module):
    """Pixels from 0 to 255 as numbers from 0 to 1."""

    def forward(self, x):
        return x.to(torch.float32) / 255.0


def test_the_same_model_is_the_same_file(job, made, tmp_path):
    again = coreml.packages(digit_net.job(tmp_path, ("fp32",)))
    assert again["fp32"].model.sha256 == made["fp32"].model.sha256


def test_what_it_cannot_carry_has_its_reason(made):
    assert "takes an Apple system" in made["int8-static"].reason
    assert "stored ranges" in made["int8-dynamic"].reason
    assert "its torch module is not kept" in made["pruned"].reason
