"""`edgestill.devices.onboard.runtimes.executorch`, in its own interpreter, by the usual jobs."""

import numpy as np
import pytest
import toolchain_tools
from edgestill.devices.bench.inspection import inspect
from edgestill.devices.onboard.measure.job import AnswersJob, MeasureJob
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import Feed, Session, Timing
from edgestill.devices.place.place import Local
from edgestill.errors import ModelError

TO_PTE = """
import sys, torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower

class Net(torch.nn.Module):
    def forward(self, x, ids):
        return x @ torch.arange(12.0).reshape(4, 3), ids + 1

example = (torch.ones(5, 4), torch.ones(5, dtype=torch.int32))
program = torch.export.export(Net(), example)
edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
open(sys.argv[1], "wb").write(edge.to_executorch().buffer)
"""
LOADED = """
import importlib.util, sys
root, path, threads = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "edgestill", root + "/__init__.py", submodule_search_locations=[root]
)
sys.modules["edgestill"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from pathlib import Path
from edgestill.devices.onboard.runtimes import executorch
from edgestill.devices.onboard.settings import Session
executorch.load(Path(path), Session(threads=int(threads)))
print(executorch._C._threadpool_get_thread_count(), "executorch.exir" in sys.modules)
"""


@pytest.fixture(scope="module")
def pte(tmp_path_factory):
    path = tmp_path_factory.mktemp("pte") / "m.pte"
    toolchain_tools.run_in("executorch", TO_PTE, path)
    return path


def answered(pte, folder, **session):
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.savez(folder / "inputs.npz", input_0=x, input_1=np.arange(5, dtype=np.int32))
    feed = Feed(str(folder / "inputs.npz"), batch=5)
    job = AnswersJob(str(pte), str(folder / "outputs.npz"), feed, Session(**session))
    answer = Local().run(job, timeout_s=120)
    with np.load(folder / "outputs.npz") as stored:
        return x, answer, stored["output_0"], stored["output_1"]


@pytest.mark.slow
def test_it_answers_as_the_program_says(pte, tmp_path):
    x, answer, product, more = answered(pte, tmp_path)
    assert answer.runtime == "executorch 1.5.1"
    np.testing.assert_allclose(product, x @ np.arange(12.0).reshape(4, 3), rtol=1e-5)
    np.testing.assert_array_equal(more, [1, 2, 3, 4, 5])


@pytest.mark.slow
def test_inputs_without_names_have_numbers(pte):
    seen = inspect(pte)
    assert seen.format == "pte"
    assert seen.inputs == (
        Input("input_0", "tensor(float)", (5, 4)),
        Input("input_1", "tensor(int32)", (5,)),
    )
    assert seen.file_bytes == pte.stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_it_has_the_threads_of_the_session_and_no_exporter(pte, threads):
    root = toolchain_tools.toolchains.interpreter._PACKAGE
    printed = toolchain_tools.run_in("executorch", LOADED, root, pte, threads)
    assert printed.split() == [str(threads), "False"]


@pytest.mark.slow
def test_it_is_timed_like_any_other(pte, tmp_path):
    samples = tmp_path / "samples.npy"
    timing = Timing(0.05, 64, 200, 0.1)
    answer = Local().run(MeasureJob(str(pte), str(samples), timing=timing), timeout_s=120)
    assert len(np.load(samples)) >= 64
    assert answer.providers == ("XNNPACK", "portable")


def test_a_broken_file_is_refused(tmp_path):
    toolchain_tools.python_of("executorch")
    (tmp_path / "m.pte").write_bytes(b"no model")
    with pytest.raises(ModelError, match="a model that does not load"):
        inspect(tmp_path / "m.pte")
