"""The runtime that loads here, and the threads of a process."""

import subprocess
import sys

import onnxruntime
import pytest
from edgestill.devices.onboard.measure import probe as module
from edgestill.devices.onboard.measure.job import ProbeJob
from edgestill.devices.onboard.measure.probe import probe
from edgestill.devices.onboard.settings import Session
from edgestill.errors import UsageError


def test_the_runtime_is_named_with_its_version_and_providers(monkeypatch):
    monkeypatch.setattr(module, "threads", lambda: 7)
    found = probe(ProbeJob())
    assert found.runtime == f"onnxruntime {onnxruntime.__version__}"
    assert "CPUExecutionProvider" in found.providers
    assert found.process_threads == 7


def test_two_threads_more_are_counted_as_two_more():
    """In a fresh process, where no thread of another test is about to end."""
    code = (
        "import threading\n"
        "from edgestill.devices.onboard.machine.system import threads as count\n"
        "stop, before = threading.Event(), count()\n"
        "for _ in range(2): threading.Thread(target=stop.wait).start()\n"
        "print(before > 0, count() - before)\n"
        "stop.set()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True 2\n"


def test_a_runtime_that_is_not_in_the_table_is_refused():
    with pytest.raises(UsageError, match="runtime 'none', expected one of onnxruntime"):
        probe(ProbeJob(Session(runtime="none")))
