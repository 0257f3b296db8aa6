"""A bundle is checked: every file, then every model in its runtime."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from edgestill.devices.place.place import Local
from edgestill.errors import HostError, MaterialError, MeasureError, ModelError, ReachError
from edgestill.pipeline.handover.manifest import MANIFEST
from edgestill.pipeline.handover.verify import check


def seal(folder):
    """The manifest for the files that are there now."""
    document = json.loads((folder / MANIFEST).read_text())
    document["files"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name in document["files"]
        if (data := (folder / name).read_bytes()) is not None
    }
    (folder / MANIFEST).write_text(json.dumps(document))
    return folder


@pytest.fixture
def copied(real, tmp_path):
    """A copy of a real bundle that a test may change."""
    shutil.copytree(real[0], tmp_path / "bundle")
    return tmp_path / "bundle"


class Recorded:
    """A place that answers what was recorded, plus something."""

    def __init__(self, folder, plus=0.0, fails=None):
        self.folder, self.plus, self.fails, self.jobs = folder, plus, fails, []
        self.described = 0

    def describe(self):
        self.described += 1

    def run(self, job, *, timeout_s):
        self.jobs.append(job)
        if self.fails is not None:
            raise self.fails
        name = job.model.rpartition("/")[2]
        with np.load(self.folder / "golden" / f"{name}.npz") as golden:
            np.savez(job.outputs, output_0=golden["output"] + self.plus)


def test_a_bundle_of_a_real_build_has_no_fault(real):
    checked = check(real[0])
    packages = json.loads((real[0] / MANIFEST).read_text())["packages"]
    assert (checked.faults, checked.not_run, checked.models) == ((), (), len(packages))
    assert checked.ready
    assert checked.files == sum(path.is_file() for path in real[0].rglob("*"))


def test_a_model_that_answers_otherwise_is_found(copied):
    golden = json.loads((copied / MANIFEST).read_text())["packages"][0]["golden"]["output"]
    recorded = np.fromfile(copied / golden["file"], np.float32)
    (recorded + 1.0).tofile(copied / golden["file"])
    checked = check(seal(copied), Recorded(copied))
    assert len(checked.faults) == 1
    assert "outputs differ by 1 from those recorded" in checked.faults[0]


def test_of_a_changed_bundle_no_model_is_run(folder):
    (folder / "labels.txt").write_text("other")
    place = Recorded(folder)
    checked = check(folder, place)
    assert (checked.faults, checked.models, place.jobs) == (("labels.txt changed",), 0, [])


def test_models_run_at_the_place_asked_for_in_their_runtimes(folder):
    place = Recorded(folder)
    checked = check(folder, place)
    assert (checked.faults, checked.models, place.described) == ((), 2, 1)
    assert [job.session.runtime for job in place.jobs] == ["onnxruntime"] * 2
    assert all(job.every and job.feed.batch == 1 for job in place.jobs)


@pytest.mark.parametrize(
    ("error", "is_fault"),
    [
        (ModelError("no model"), True),
        (MeasureError("it died"), True),
        (HostError("no runtime"), False),
        (ReachError("no runtime there"), False),
    ],
)
def test_what_cannot_run_here_is_no_fault_of_the_bundle(folder, error, is_fault):
    checked = check(folder, Recorded(folder, fails=error))
    said, silent = (
        (checked.faults, checked.not_run) if is_fault else (checked.not_run, checked.faults)
    )
    assert said == (f"models/fp32.onnx: {error}", f"models/fp32.ort: {error}")
    assert (silent, checked.models) == ((), 0)


def test_a_device_that_is_not_reached_is_said_once(folder):
    class Away(Recorded):
        def describe(self):
            raise ReachError("no answer")

    with pytest.raises(ReachError, match="no answer"):
        check(folder, Away(folder))


def changed(folder, change):
    """The bundle with another manifest."""
    document = json.loads((folder / MANIFEST).read_text())
    change(document["packages"][0])
    (folder / MANIFEST).write_text(json.dumps(document))
    return folder


def test_a_package_without_golden_outputs_is_not_run(folder):
    checked = check(changed(folder, lambda one: one.update(golden=None)), Recorded(folder))
    assert checked.not_run == ("models/fp32.onnx: no golden outputs, for no runtime ran it",)
    assert checked.models == 1


@pytest.mark.parametrize("shape", [[16, 9, 8], [0, 8, 8], [2**40, 8, 8]])
def test_numbers_that_are_not_as_many_as_said_are_a_fault(folder, shape):
    def other(package):
        package["golden"]["input"]["shape"] = shape

    (fault,) = check(changed(folder, other), Recorded(folder)).faults
    assert "golden/input.bin: found 4,096 bytes" in fault


def test_outputs_of_another_shape_are_a_fault(folder):
    def other(package):
        package["golden"]["output"]["shape"] = [8, 20]

    (fault,) = check(changed(folder, other), Recorded(folder)).faults
    assert fault == "models/fp32.onnx: outputs [16, 10], and [8, 20] were recorded"


@pytest.mark.parametrize("part", ["input", "output"])
def test_an_archive_of_other_numbers_than_the_bare_files_is_a_fault(folder, part):
    path = folder / "golden" / "fp32.onnx.npz"
    stored = dict(np.load(path))
    # Outputs so near are the same answer, but not what is written beside them.
    stored[part] = np.nextafter(stored[part].astype(np.float32), np.float32(np.inf))
    np.savez(path, **stored)
    (fault,) = check(seal(folder), Recorded(folder)).faults
    assert "golden/fp32.onnx.npz holds other numbers than golden/" in fault


def test_an_archive_that_cannot_be_read_is_a_fault(folder):
    np.savez(
        folder / "golden" / "fp32.onnx.npz",
        output=np.load(folder / "golden" / "fp32.onnx.npz")["output"],
    )
    (fault,) = check(seal(folder), Recorded(folder)).faults
    assert "golden/fp32.onnx.npz: cannot be read (KeyError)" in fault


def test_a_runtime_that_does_not_exist_is_a_fault(folder):
    checked = check(changed(folder, lambda one: one.update(runtime="flac")), Local())
    assert "runtime 'flac'" in checked.faults[0]


def test_no_bundle_is_refused(tmp_path):
    with pytest.raises(MaterialError, match="no such file or folder"):
        check(tmp_path / "nothing")
