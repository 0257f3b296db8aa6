"""ncnn's files out of one student: what they answer, how they are named, what is refused.

They are made by `edgestill.exporters.converters.ncnn` in its toolchain.
"""

import digit_net
import numpy as np
import pytest
import text_net
import toolchain_tools
import torch
from edgestill.devices.bench.inspection import inspect
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.errors import ModelError
from edgestill.exporters import ncnn
from edgestill.exporters.package import Finished, Job, NotCarried
from edgestill.exporters.scaled import Scaled
from edgestill.pipeline.judge.other_runtimes import outputs, steadiness

pytestmark = pytest.mark.slow
NAMES = ("fp32", "fp16", "int8-static", "pruned")


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    toolchain_tools.python_of("ncnn")
    return digit_net.job(tmp_path_factory.mktemp("ncnn"), NAMES)


@pytest.fixture(scope="module")
def made(job):
    return ncnn.packages(job)


def test_it_answers_as_torch_and_decides_alike_with_half_weights(job, made):
    x, expected = digit_net.held_out()
    found = outputs(job.folder / "fp32.ncnn.param", x, batch=1)
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)
    found = outputs(job.folder / "fp16.ncnn.param", x, batch=1)
    assert np.abs(found - expected).max() <= 2e-3 * np.ptp(expected)
    assert digit_net.agreement(found, expected) >= 0.98
    sizes = [made[name].files[1].bytes for name in ("fp16", "fp32")]
    assert sizes[0] < 0.6 * sizes[1]
    steady = steadiness(job.folder / "fp32.ncnn.param", x[:8], batch=1)
    assert (steady.faults, steady.samples) == ((), 8)


def test_its_weights_are_beside_it_and_its_ends_have_our_names(job, made):
    package = made["fp32"]
    assert [file.name for file in package.files] == ["fp32.ncnn.param", "fp32.ncnn.bin"]
    assert (package.runtime, package.apart, package.suffix) == ("ncnn", True, ".ncnn.param")
    assert "pnnx 2026" in package.about
    seen = inspect(job.folder / "fp32.ncnn.param")
    assert seen.inputs == (Input("input", "tensor(float)", (1, 1, 8, 8)),)
    assert [port.name for port in seen.outputs] == ["logits"]
    assert seen.external_files == (job.folder / "fp32.ncnn.bin",)


def test_what_it_cannot_carry_has_its_reason(made):
    assert "brings no quantizer" in made["int8-static"].reason
    assert "its torch module is not kept" in made["pruned"].reason


class Normalized(torch.nn.Module):
    """pnnx gives what a stored vector is taken from another axis."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.ones(1, 6))
        self.last = torch.nn.Linear(6, 3)

    def forward(self, x):
        return self.last(x - self.mean)


def test_vectors_and_windows_are_carried(tmp_path):
    toolchain_tools.python_of("ncnn")
    random = np.random.default_rng(0)
    window = torch.nn.Sequential(torch.nn.Conv1d(3, 4, 3, padding=1), torch.nn.ReLU())
    vector = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    for net, shape, name in (
        (window, (3, 10), "window"),
        (vector, (6,), "vector"),
        (Normalized(), (6,), "normalized"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        samples = random.normal(size=(5, *shape)).astype(np.float32)
        ncnn.packages(digit_net.job(folder, ("fp32",), net=net.eval(), samples=samples))
        with torch.no_grad():
            expected = net(torch.from_numpy(samples)).numpy()
        found = outputs(folder / "fp32.ncnn.param", samples, batch=1)
        np.testing.assert_allclose(found, expected, atol=1e-5)


class Bytes(torch.nn.Module):
    """Pixels from 0 to 255 as numbers from 0 to 1."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.to(torch.float32) / 255.0)


def test_bytes_are_taken_as_floats_of_the_same_numbers(tmp_path):
    toolchain_tools.python_of("ncnn")
    torch.manual_seed(0)
    net = Bytes(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())).eval()
    samples = np.random.default_rng(0).integers(0, 256, (5, 3, 6, 6)).astype(np.uint8)
    models = (Finished("fp32", tmp_path / "fp32.onnx", net),)
    package = ncnn.packages(Job(tmp_path, models, calibration=samples))["fp32"]
    assert package.input == Scaled("float32", (1, 3, 6, 6), None, None)
    assert package.output == Scaled("float32", (1, 4, 4, 4), None, None)
    assert package.files[2].name == "fp32.ncnn.json"
    assert "the same numbers as float32, for its format takes no uint8" in package.about
    with torch.no_grad():
        expected = net(torch.from_numpy(samples)).numpy()
    found = outputs(tmp_path / "fp32.ncnn.param", samples, batch=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_texts_are_token_ids_whose_padding_is_ignored(tmp_path):
    toolchain_tools.python_of("ncnn")
    job, expected = text_net.job(tmp_path)
    package = ncnn.packages(job)["fp32"]
    assert package.input is None
    file = tmp_path / "fp32.ncnn.param"
    (port,) = inspect(file).inputs
    assert port == Input("input", "tensor(int32)", (1, 12))
    found = outputs(file, job.calibration, batch=1)
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)


def test_ids_of_64_bits_are_refused_by_their_type(tmp_path):
    toolchain_tools.python_of("ncnn")
    net = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Linear(4, 2)).eval()
    models = (Finished("fp32", tmp_path / "fp32.onnx", net),)
    samples = np.zeros((2, 7), np.int64)
    with pytest.raises(ModelError, match="float32 and int32, and the model takes int64"):
        ncnn.packages(Job(tmp_path, models, calibration=samples))


def test_a_batch_is_refused_before_anything_is_started(tmp_path):
    found = ncnn.packages(Job(tmp_path, (Finished("fp32", tmp_path / "fp32.onnx"),), batch=4))
    assert found == {
        "fp32": NotCarried("an ncnn file takes one sample a query, and the recipe asks for 4")
    }
