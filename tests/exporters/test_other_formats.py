"""LiteRT and OpenVINO files out of one student: what they answer, what is not carried and why."""

import re
from dataclasses import replace

import numpy as np
import pytest
import text_net
import toolchain_tools
import torch
from edgestill.devices.onboard.runtimes import load
from edgestill.devices.onboard.settings import Session
from edgestill.errors import HostError, ModelError
from edgestill.exporters import TOOLCHAINS, litert, onnx, openvino
from edgestill.exporters.axes import NHWC
from edgestill.exporters.conversion import convert
from edgestill.exporters.package import Finished, Job, NotCarried
from edgestill.exporters.program import save_program
from edgestill.exporters.scaled import Scales
from edgestill.pipeline.compress.int8 import int8_static
from edgestill.pipeline.compress.method import Job as CompressionJob
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.judge.other_runtimes import outputs, steadiness
from edgestill.pipeline.models.activated import Activated
from edgestill.pipeline.recipe.compress import Compress

pytestmark = pytest.mark.slow

NAMES = ("fp32", "int8-static", "int8-dynamic", "int8-weights", "int4-weights", "fp16", "pruned")


class Net(torch.nn.Module):
    """A convolution with batch norm, a pool and a layer, over images that are normalized inside."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.second = torch.nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.pool = torch.nn.AdaptiveAvgPool2d(1)
        self.last = torch.nn.Linear(16, 4)

    def forward(self, x):
        x = torch.relu(self.norm(self.first((x - 0.5) / 0.25)))
        return self.last(self.pool(torch.relu(self.second(x))).flatten(1))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():  # statistics that folding has to get right
        net.norm.running_mean.uniform_(-1, 1)
        net.norm.running_var.uniform_(0.5, 2)
    return net.eval()


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).random((48, 3, 12, 12), dtype=np.float32)


@pytest.fixture(scope="module")
def expected(net, samples):
    with torch.no_grad():
        return net(torch.from_numpy(samples)).numpy()


@pytest.fixture(scope="module")
def job(net, samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    models = []
    for name in NAMES:
        onnx.export(net, torch.from_numpy(samples[:2]), folder / f"{name}.onnx", opset=20)
        models.append(Finished(name, folder / f"{name}.onnx", net if name == "fp32" else None))
    return Job(folder, tuple(models), calibration=samples[:32], batch=1, log=folder)


@pytest.fixture(scope="module")
def tflite(job):
    toolchain_tools.python_of("litert")
    return litert.packages(job)


def test_litert_answers_as_torch_in_float_and_within_a_few_steps_in_int8(
    job, tflite, samples, expected
):
    scale = np.ptp(expected)
    most = {"fp32": 1e-5, "fp16": 2e-3, "int8-weights": 0.02, "int8-dynamic": 0.03}
    for name, share in (most | {"int8-static": 0.05, "int4-weights": 0.3}).items():
        file = job.folder / tflite[name].model.name
        found = outputs(file, samples, batch=1)
        assert np.abs(found - expected).max() <= share * scale, name
        assert found.dtype == np.float32


def test_litert_int8_is_smaller_and_what_it_cannot_carry_has_its_reason(job, tflite):
    size = {n: p.model.bytes for n, p in tflite.items() if not isinstance(p, NotCarried)}
    assert size["int8-static"] < 0.7 * size["fp32"]
    assert size["fp16"] < 0.8 * size["fp32"]
    assert isinstance(tflite["pruned"], NotCarried)
    assert "LiteRT has no pruned" in tflite["pruned"].reason
    package = tflite["fp32"]
    assert (package.runtime, package.apart, package.suffix) == ("litert", True, ".tflite")
    assert "litert-torch" in package.about


TYPES = """
import sys
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
print(*sorted({detail["dtype"].__name__ for detail in interpreter.get_tensor_details()}))
"""


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_a_static_file_takes_and_gives_int8_where_that_is_asked_for(net, tmp_path, kind):
    toolchain_tools.python_of("litert")
    samples = np.random.default_rng(0).random((48, 3, 12, 12), dtype=np.float32)
    module = Activated(net, "softmax")
    if kind is np.uint8:
        samples = (255 * samples).astype(np.uint8)
        module = torch.nn.Sequential(Bytes(), module)
    for name in ("fp32", "int8-static"):
        onnx.export(module, torch.from_numpy(samples[:2]), tmp_path / f"{name}.onnx", opset=20)
    models = (
        Finished("fp32", tmp_path / "fp32.onnx", module),
        Finished("int8-static", tmp_path / "int8-static.onnx"),
    )
    job = Job(tmp_path, models, calibration=samples[:32], batch=2, int8_io=True)
    made = litert.packages(job)
    package = made["int8-static"]
    scales = Scales.read(tmp_path / "int8-static.tflite")
    assert (package.input, package.output) == (scales.input, scales.output)
    assert (scales.input.dtype, scales.input.shape) == ("int8", (2, 3, 12, 12))
    # LiteRT's softmax has 256 levels from 0 to 1; bytes keep every value.
    assert (scales.output.scale, scales.output.zero_point) == (1 / 256, -128)
    if kind is np.uint8:
        assert (scales.input.scale, scales.input.zero_point) == (1.0, -128)
    assert [file.name for file in package.files] == ["int8-static.tflite", "int8-static.json"]
    assert package.computes_in == "int8"
    assert "takes and gives int8" in package.about
    types = toolchain_tools.run_in("litert", TYPES, tmp_path / "int8-static.tflite")
    assert types.split() == ["int32", "int8"]  # biases are int32
    with torch.no_grad():
        expected = module(torch.from_numpy(samples)).numpy()
    found = outputs(tmp_path / "int8-static.tflite", samples, batch=1)
    assert np.abs(found - expected).max() < 0.05
    np.testing.assert_array_equal(found * 256, np.round(found * 256))
    assert (made["fp32"].input, made["fp32"].beside) == (None, ())


class Bytes(torch.nn.Module):
    """Pixels from 0 to 255 as numbers from 0 to 1."""

    def forward(self, x):
        return x.to(torch.float32) / 255.0


def test_channels_last_are_taken_where_that_is_asked_for(net, samples, expected, tmp_path):
    toolchain_tools.python_of("litert")
    for name in ("fp32", "int8-static"):
        onnx.export(net, torch.from_numpy(samples[:2]), tmp_path / f"{name}.onnx", opset=20)
    models = (
        Finished("fp32", tmp_path / "fp32.onnx", net),
        Finished("int8-static", tmp_path / "int8-static.onnx"),
    )
    job = Job(tmp_path, models, calibration=samples[:32], axes=NHWC)
    for integers in (False, True):
        made = litert.packages(replace(job, int8_io=integers))
        for name, share in (("fp32", 1e-5), ("int8-static", 0.05)):
            package, file = made[name], tmp_path / f"{name}.tflite"
            scales = Scales.read(file)
            assert scales == Scales(package.input, package.output)
            assert (scales.input.shape, scales.input.axes) == ((1, 12, 12, 3), NHWC)
            as_integers = integers and name == "int8-static"
            assert scales.input.dtype == ("int8" if as_integers else "float32")
            assert "channels last" in package.about
            found = outputs(file, samples, batch=1)
            assert np.abs(found - expected).max() <= share * np.ptp(expected), (name, integers)
    kinds = toolchain_tools.run_in("litert", OPERATORS, tmp_path / "fp32.tflite").split()
    assert "CONV_2D" in kinds
    assert "TRANSPOSE" not in kinds


OPERATORS = """
import sys
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1])
print(*(operator["op_name"] for operator in interpreter._get_ops_details()))
"""


def test_ranges_hold_every_sample_so_that_a_rare_large_one_is_not_clipped(net, tmp_path):
    """One sample in 32 is four times as large; smoothed ranges would clip what it gives."""
    toolchain_tools.python_of("litert")
    samples = np.random.default_rng(1).random((32, 3, 12, 12), dtype=np.float32)
    samples[7] *= 4
    file = tmp_path / "fp32.onnx"
    onnx.export(net, torch.from_numpy(samples[:2]), file, opset=20)
    models = (Finished("fp32", file, net), Finished("int8-static", file))
    litert.packages(Job(tmp_path, models, calibration=samples))
    found = outputs(tmp_path / "int8-static.tflite", samples[7:8], batch=1)
    with torch.no_grad():
        expected = net(torch.from_numpy(samples[7:8])).numpy()
    assert np.abs(found - expected).max() <= 0.05 * np.ptp(expected)


def test_what_was_trained_further_is_made_of_its_own_module(net, samples, expected, tmp_path):
    """Pruned in float; of what was trained with rounding the weights, in int8 again."""
    toolchain_tools.python_of("litert")
    models = []
    for name, given in (("pruned", {"module": net}), ("int8-qat", {"floats": net})):
        onnx.export(net, torch.from_numpy(samples[:2]), tmp_path / f"{name}.onnx", opset=20)
        models.append(Finished(name, tmp_path / f"{name}.onnx", **given))
    made = litert.packages(Job(tmp_path, tuple(models), calibration=samples[:32]))
    for name, least, most in (("pruned", 0.0, 1e-5), ("int8-qat", 1e-4, 0.05)):
        found = outputs(tmp_path / made[name].model.name, samples, batch=1)
        assert least <= np.abs(found - expected).max() / np.ptp(expected) <= most
    assert "rounded again" in made["int8-qat"].about
    assert "rounded again" not in made["pruned"].about


def test_a_text_of_a_fixed_length_answers_as_the_transformer_it_was_made_of(tmp_path):
    toolchain_tools.python_of("litert")
    job, expected = text_net.job(tmp_path)
    ids = job.calibration
    made = litert.packages(job)
    found = outputs(tmp_path / "fp32.tflite", ids, batch=1)
    assert np.abs(found - expected).max() <= 1e-4 * np.ptp(expected)
    assert "texts of 12 tokens, shorter ones padded" in made["fp32"].about
    rounded = outputs(tmp_path / "int8-static.tflite", ids, batch=1)
    assert np.abs(rounded - expected).max() <= 0.05 * np.ptp(expected)
    again = litert.packages(replace(job, int8_io=True))
    assert "Token ids have no scale" in again["int8-static"].about
    assert again["int8-static"].input is None
    assert "Token ids" not in again["fp32"].about


def test_a_fixed_batch_is_filled_up_and_cut_again(net, samples, expected, tmp_path):
    toolchain_tools.python_of("litert")
    onnx.export(net, torch.from_numpy(samples[:2]), tmp_path / "fp32.onnx", opset=20)
    models = (Finished("fp32", tmp_path / "fp32.onnx", net),)
    litert.packages(Job(tmp_path, models, calibration=samples[:8], batch=5))
    found = outputs(tmp_path / "fp32.tflite", samples[:12], batch=5)
    np.testing.assert_allclose(found, expected[:12], atol=1e-4)


def test_openvino_answers_as_torch_and_has_its_weights_beside_it(job, samples, expected):
    toolchain_tools.python_of("openvino")
    packages = openvino.packages(job)
    package = packages["fp32"]
    assert [file.name for file in package.files] == ["fp32.xml", "fp32.bin"]
    found = outputs(job.folder / "fp32.xml", samples, batch=4)
    assert np.abs(found - expected).max() <= 1e-3 * np.ptp(expected)
    steady = steadiness(job.folder / "fp32.xml", samples, batch=4)
    assert (steady.faults, steady.samples) == ((), 48)


@pytest.fixture(scope="module")
def quantized(net, samples, tmp_path_factory):
    """The net in fp32 and in static int8, and what OpenVINO makes of both."""
    toolchain_tools.python_of("openvino")
    folder = tmp_path_factory.mktemp("quantized")
    onnx.export(net, torch.from_numpy(samples[:2]), folder / "fp32.onnx", opset=20)
    asked = {"calibration": "minmax", "percentile": 99.99, "most_lost": 0.0}
    int8_static.quantize(
        CompressionJob(
            folder / "fp32.onnx",
            folder / "int8-static.onnx",
            {"input": samples[:32]},
            plan(Compress()),
            lost=lambda *_: 0.0,
            **asked,
        )
    )
    models = tuple(Finished(name, folder / f"{name}.onnx") for name in ("fp32", "int8-static"))
    return folder, openvino.packages(Job(folder, models))


def test_int8_for_openvino_has_its_weights_in_int8_and_a_graph_without_shape_arithmetic(quantized):
    folder, packages = quantized
    sizes = {name: [file.bytes for file in packages[name].files] for name in packages}
    (graph, weights), (_, floats) = sizes["int8-static"], sizes["fp32"]
    assert weights < 0.45 * floats
    text = (folder / "int8-static.xml").read_text()
    kinds = re.findall(r'<layer id="\d+" name="[^"]*" type="(\w+)"', text)
    # Before, each bias got its shape by a chain of these.
    assert not {"ShapeOf", "Broadcast", "Slice"} & set(kinds)
    assert graph < 700 * len(kinds)
    assert str(folder) not in text
    assert "conversion_parameters" not in text
    assert not re.search(r">\s+<", text)


def test_int8_for_openvino_answers_as_the_onnx_file(quantized, samples):
    folder, _ = quantized
    by_openvino = outputs(folder / "int8-static.xml", samples, batch=4)
    session = load(folder / "int8-static.onnx", Session())
    by_onnxruntime = np.concatenate([session.answer({"input": x[None]})[0] for x in samples])
    # Two runtimes may round a value half way between two steps each its way.
    assert np.abs(by_openvino - by_onnxruntime).max() <= 0.05 * np.ptp(by_onnxruntime)


def test_a_file_that_openvino_cannot_read_is_not_carried_with_its_words(tmp_path):
    toolchain_tools.python_of("openvino")
    (tmp_path / "fp32.onnx").write_bytes(b"no model")
    found = openvino.packages(Job(tmp_path, (Finished("fp32", tmp_path / "fp32.onnx"),)))
    assert isinstance(found["fp32"], NotCarried)
    assert found["fp32"].reason


@pytest.mark.parametrize("format_", TOOLCHAINS)
def test_without_its_toolchain_a_format_is_refused_with_the_command(format_, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGESTILL_TOOLCHAINS", str(tmp_path))
    with pytest.raises(HostError, match=f"edgestill toolchains setup {TOOLCHAINS[format_]}"):
        convert(TOOLCHAINS[format_], {}, tmp_path, None)


def test_a_converter_that_fails_leaves_its_last_line(tmp_path):
    toolchain_tools.python_of("openvino")
    with pytest.raises(ModelError, match=r"the converter failed \(KeyError: 'models'\)"):
        convert("openvino", {}, tmp_path, None)


def test_a_module_that_torch_cannot_capture_is_refused(tmp_path):
    class Deciding(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match=r"torch\.export"):
        save_program(Deciding(), np.ones((1, 2), np.float32), 1, tmp_path / "p.pt2")
    with pytest.raises(ModelError, match="no torch module"):
        save_program(None, np.ones((1, 2), np.float32), 1, tmp_path / "p.pt2")
