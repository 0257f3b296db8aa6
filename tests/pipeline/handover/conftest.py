"""What tests of bundles share: a run of bytes, its bundle, and the bundle of a real build."""

import pytest
import run_example
from edgestill.pipeline.handover.write import write
from run_example import write_run


@pytest.fixture
def run(tmp_path):
    """A run of which fp32 ships; its models are mere bytes."""
    return write_run(tmp_path / "run", run_example.report())


@pytest.fixture
def folder(run, tmp_path):
    """The bundle of that run, as a folder."""
    write(run, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture(scope="session")
def real(built, tmp_path_factory):
    """The bundle of a real build, whose models run: (folder, report). Tests must not change it."""
    folder = tmp_path_factory.mktemp("real") / "bundle"
    write(built[0].run, folder, formats=("onnx", "ort"))
    return folder, built[0].report
