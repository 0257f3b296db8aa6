"""Files of other runtimes on a device behind ssh: its Python has the runtime's wheel alone."""

import sys

import numpy as np
import pytest
import sshd
import toolchain_tools
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.place.remote import Remote
from edgestill.devices.place.ssh import Ssh
from edgestill.devices.profiles import connection as reach
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import ReachError
from flat_options import flat_settings
from onnx import TensorProto, helper
from onnx_files import save
from shared_data import SHARED

pytestmark = pytest.mark.slow

QUICK = {"processes": 1, "seconds": 0.01, "min_queries": 8, "max_queries": 8}
TO_IR = """
import sys, openvino
openvino.save_model(openvino.Core().read_model(sys.argv[1]), sys.argv[2], compress_to_fp16=False)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with sshd.serve(tmp_path_factory.mktemp("keys")) as (table, _):
        yield table


def place(server, folder, python):
    told = reach.read({**server, "folder": str(folder), "python": str(python)}, "reach", folder)
    return Remote(Ssh(told), told)


def tflite(folder):
    """A file that LiteRT runs."""
    found = sorted((SHARED / "mlperf_tiny").rglob("*.tflite"))
    if not found:
        pytest.skip("no .tflite file among the shared data")
    path = folder / "m.tflite"
    path.write_bytes(min(found, key=lambda one: one.stat().st_size).read_bytes())
    return path


def ir(folder):
    """A file that OpenVINO runs, with its weights beside it."""
    w = np.ones((4, 3), np.float32)
    ends = [[(name, TensorProto.FLOAT, ["n", n])] for name, n in (("x", 4), ("y", 3))]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    onnx = save(folder / "m.onnx", [node], *ends, [("w", w)])
    toolchain_tools.run_in("openvino", TO_IR, onnx, folder / "m.xml")
    return folder / "m.xml"


@pytest.mark.parametrize(("name", "made"), [("litert", tflite), ("openvino", ir)])
def test_a_file_is_measured_there_by_its_runtime(server, tmp_path, name, made):
    python = toolchain_tools.python_of(name)
    model = made(tmp_path)
    there = place(server, tmp_path, python)
    request = Request([Subject("m", model)], flat_settings(**QUICK), tmp_path / "o", place=there)
    (figures,) = measure(request).models
    assert figures.queries == 8
    assert figures.load_ms.value > 0
    assert figures.runtime.startswith(name)


@pytest.mark.parametrize(
    ("name", "made", "package"),
    [("litert", tflite, "ai-edge-litert"), ("openvino", ir, "openvino")],
)
def test_a_device_without_the_runtime_is_told_its_package_in_one_line(
    server, tmp_path, name, made, package
):
    toolchain_tools.python_of(name)  # it inspects the file here
    there = place(server, tmp_path, sys.executable)
    request = Request(
        [Subject("m", made(tmp_path))], flat_settings(**QUICK), tmp_path / "o", place=there
    )
    with pytest.raises(ReachError) as refusal:
        measure(request)
    text = str(refusal.value)
    assert f"no {package} for Python 3" in text
    assert text.endswith(f"-m pip install {package}")
    assert "\n" not in text
