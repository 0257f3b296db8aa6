"""Files for microcontrollers out of a student: what they take, answer and need."""

import json

import numpy as np
import pytest
import toolchain_tools
import torch
from edgestill.errors import ModelError
from edgestill.exporters import onnx, tflite_micro, toolchains_of
from edgestill.exporters.microcontroller import Needs
from edgestill.exporters.package import Finished, Job, NotCarried
from edgestill.pipeline.compress.variants import needs_of
from edgestill.pipeline.judge.other_runtimes import outputs, runs_elsewhere

pytestmark = pytest.mark.slow


class Net(torch.nn.Module):
    """Images as they are stored, uint8 with channels last, normalized inside."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.last = torch.nn.Linear(8, 4)

    def forward(self, x):
        x = (x.to(torch.float32) / 64.0 - 2.0).permute(0, 3, 1, 2)
        return self.last(torch.relu(self.first(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The job, its packages, samples and what torch answers to them; 200 is the largest value."""
    toolchain_tools.python_of("litert")
    toolchain_tools.python_of("tflite-micro")
    torch.manual_seed(0)
    net, folder = Net().eval(), tmp_path_factory.mktemp("micro")
    x = np.random.default_rng(0).integers(0, 201, (64, 8, 8, 3), dtype=np.uint8)
    models = []
    for name in ("fp32", "int8-dynamic", "int8-static"):
        onnx.export(net, torch.from_numpy(x[:2]), folder / f"{name}.onnx", opset=20)
        models.append(Finished(name, folder / f"{name}.onnx", net if name == "fp32" else None))
    job = Job(folder, tuple(models), calibration=x[:32], batch=4, needs_of=needs_of)
    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    return job, tflite_micro.packages(job), x, expected


def test_only_static_int8_is_carried_and_the_others_have_their_reason(made):
    _, packages, _, _ = made
    for name in ("fp32", "int8-dynamic"):
        assert isinstance(packages[name], NotCarried)
        assert f"and no {name}" in packages[name].reason
    package = packages["int8-static"]
    assert (package.runtime, package.apart) == ("tflite-micro", True)
    names = [f"int8-static.micro{suffix}" for suffix in (".tflite", ".cc", ".h", ".json")]
    assert [file.name for file in package.files] == names
    assert f"{package.arena_bytes:,} bytes is counted by tflite-micro" in package.about


def test_one_sample_a_query_goes_in_and_out_as_int8_and_every_byte_of_an_image_is_kept(made):
    job, packages, _, _ = made
    model = job.folder / packages["int8-static"].model.name
    needs = Needs.read(model)
    assert json.loads(model.with_suffix(".json").read_text())["input"]["dtype"] == "int8"
    assert (needs.input.scale, needs.input.zero_point) == (1.0, -128)
    assert needs.input.shape == (1, 8, 8, 3)
    assert (needs.output.dtype, needs.output.shape) == ("int8", (1, 4))
    # A layer of 8 channels over 8 x 8 alone takes 512 bytes, its input 192.
    assert 704 < needs.arena_bytes == packages["int8-static"].arena_bytes < 8192


def test_it_answers_as_torch_but_for_rounding(made):
    job, packages, x, expected = made
    file = job.folder / packages["int8-static"].model.name
    assert runs_elsewhere(file)
    found = outputs(file, x, batch=4)
    assert (found.dtype, found.shape) == (np.float32, (64, 4))
    assert np.abs(found - expected).max() <= 0.05 * np.ptp(expected)


def test_what_the_runtime_refuses_is_not_carried_with_its_words(made, tmp_path):
    job, _, x, _ = made

    def refused(path):
        raise ModelError("no such operator", where=str(path))

    again = Job(tmp_path, job.models, calibration=x[:8], needs_of=refused)
    assert tflite_micro.packages(again)["int8-static"] == NotCarried("no such operator")
    assert list(tmp_path.glob("*.micro.*")) == []


def test_a_job_that_cannot_count_an_arena_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no way to count an arena"):
        tflite_micro.packages(Job(tmp_path, (Finished("fp32", tmp_path / "fp32.onnx"),)))


def test_it_needs_two_toolchains():
    assert toolchains_of("tflite-micro") == ("tflite-micro", "litert")
    assert toolchains_of("litert") == ("litert",)
    assert toolchains_of("onnx") == ()
