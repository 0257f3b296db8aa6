"""What is copied to a device is enough there: nothing else of ours, and no library but numpy."""

import shutil
import sys

import numpy as np
import pytest
from edgestill.devices.onboard.measure.job import MeasureJob
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.settings import Timing
from edgestill.devices.place.remote import worker_bundle
from onnx_files import dense

FOREIGN = ("torch", "pydantic", "rich", "click", "scipy", "sklearn")
CHILD = """
import importlib.machinery, importlib.util, pkgutil, sys

folder, foreign = sys.argv[1], sys.argv[2:]

class Copied:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in foreign:
            raise ImportError(name + " is not on the device")
        if name == "edgestill":
            return importlib.machinery.PathFinder.find_spec(name, [folder])
        return None

sys.meta_path.insert(0, Copied)
import edgestill.devices.onboard as onboard

from edgestill.devices.onboard.runtimes import RUNTIMES

# Each other runtime is a module that only its own files need.
others = {row.module for name, row in RUNTIMES.items() if name != "onnxruntime"}
for module in pkgutil.walk_packages(onboard.__path__, onboard.__name__ + "."):
    if module.name not in others:
        importlib.import_module(module.name)
ours = [name for name in sys.modules if name.partition(".")[0] == "edgestill"]
assert all(sys.modules[name].__file__.startswith(folder) for name in ours), ours
from edgestill.devices.onboard.measure import worker

sys.exit(worker.main())
"""


@pytest.mark.promise("What is copied to a device needs numpy and a runtime, and nothing else")
def test_the_files_that_are_copied_to_a_device_measure_there_alone(tmp_path):
    copy = tmp_path / "device"
    bundle = worker_bundle()
    for name, source in bundle.sources.items():
        target = copy / name.removeprefix(f"{bundle.name}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    model = dense(tmp_path / "m.onnx", layers=1, width=8)
    samples = tmp_path / "samples.npy"
    job = MeasureJob(str(model), str(samples), timing=Timing(0.01, 20, warmup_seconds=0.02))
    answer = run(job, timeout_s=60, command=(sys.executable, "-c", CHILD, str(copy), *FOREIGN))
    assert len(np.load(samples, allow_pickle=False)) >= 20
    modules = set(answer.process.modules)
    assert "edgestill.devices.onboard.process.agent" in modules
    assert not [
        name
        for name in modules
        if name.startswith(("edgestill.pipeline", "edgestill.e")) and name != "edgestill.errors"
    ]
    assert not {name.partition(".")[0] for name in modules} & set(FOREIGN)
