"""``edgestill verify``: a run that changed is named, before any of its models is run."""

import shutil

import numpy as np
import pytest
from edgestill.errors import MaterialError
from edgestill.pipeline.commands.verify_run import check
from edgestill.pipeline.judge.answers import GOLDEN
from edgestill.pipeline.runs.run import MANIFEST, folder_digests, manifest_of


@pytest.fixture
def copied(built, tmp_path):
    """A copy of a run that a test may change."""
    folder = tmp_path / built[0].run.name
    shutil.copytree(built[0].run, folder)
    return folder


def sealed(run):
    """The run again, its manifest written for the files that are in it."""
    import json

    manifest = manifest_of(run)
    manifest["files"] = folder_digests(run)
    del manifest["files"][MANIFEST]
    (run / MANIFEST).write_text(json.dumps(manifest))
    return run


def test_a_run_as_it_was_written_has_no_fault(built):
    checked = check(built[0].run)
    files = built[0].report.variants.files
    assert checked.faults == ()
    assert checked.models == sum(len(variant.packages) for variant in files)


def test_a_changed_file_is_named_and_no_model_is_run(copied):
    (copied / "report.md").write_text("other")
    checked = check(copied)
    assert (checked.faults, checked.models) == (("report.md changed",), 0)


def test_outputs_that_are_not_the_recorded_ones_are_a_fault(copied):
    file = copied / "records" / GOLDEN
    golden = dict(np.load(file))
    golden["fp32.onnx"] = golden["fp32.onnx"] + 1.0
    np.savez(file, **golden)
    checked = check(sealed(copied))
    assert len(checked.faults) == 1
    assert checked.faults[0].startswith("fp32.onnx: outputs differ by 1 from those recorded")


def test_unreadable_golden_samples_are_refused(copied):
    (copied / "records" / GOLDEN).write_bytes(b"no archive")
    with pytest.raises(MaterialError, match="unreadable"):
        check(sealed(copied))
