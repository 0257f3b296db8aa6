"""Marked regions for a counter of instructions, without a counter."""

import gc
import platform
import threading
import time
from pathlib import Path

import pytest
from edgestill.devices.onboard.machine.system import threads
from edgestill.devices.onboard.measure import counts
from edgestill.devices.onboard.measure.job import CountJob
from edgestill.errors import MeasureError
from onnx_files import dense


@pytest.fixture
def job(tmp_path):
    return CountJob(str(dense(tmp_path / "m.onnx", layers=1, width=8)), "callgrind", pairs=2)


def test_each_region_holds_its_inferences_after_the_warm_up_and_no_garbage_collection():
    log = []
    marks = counts.Marks(lambda: log.append("("), lambda: log.append(")"), None)

    def run():
        assert not gc.isenabled()
        log.append("x")

    counts._run_marked(run, marks, 3, (1, 2, 1))
    assert "".join(log) == "xxx(x)(xx)(x)"
    assert gc.isenabled()


def test_garbage_is_collected_again_after_a_query_that_fails():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        counts._run_marked(fail, counts.Marks(list, list, None), 1, (1,))
    assert gc.isenabled()


class Others(dict):
    """All threads but one belong to the counter, whatever other tests left running."""

    def __getitem__(self, counter):
        return threads() - 1


def test_a_job_marks_two_regions_a_pair(job, monkeypatch):
    log = []
    marks = counts.Marks(lambda: log.append("begin"), lambda: log.append("end"), None)
    monkeypatch.setattr(counts, "_callgrind", lambda: marks)
    monkeypatch.setattr(counts, "_OTHERS", Others())
    found = counts.count(job)
    assert log == ["begin", "end"] * 4
    assert found.machine == platform.machine()
    assert found.python == platform.python_version()
    assert found.runtime.startswith("onnxruntime ")


def compute(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.mark.parametrize(("wait", "before"), [(time.sleep, 256), (compute, 3)])
def test_a_query_is_long_by_the_processor_s_clock(job, monkeypatch, wait, before):
    real = counts.runtime_of(Path(job.model), job.session)
    queries = []

    class Slow:
        """Its answers take 0.06 s, as on a machine that does other work, or under a counter."""

        def load(self, path, session):
            self.inputs = real.load(path, session).inputs
            return self

        def answer(self, feed):
            wait(0.06)

        def query(self, feed):
            queries.append(None)

    log = []
    marks = counts.Marks(lambda: log.append(len(queries)), list, None)
    monkeypatch.setattr(counts, "runtime_of", lambda path, session: Slow())
    monkeypatch.setattr(counts, "label", lambda runtime: "slow")
    monkeypatch.setattr(counts, "_callgrind", lambda: marks)
    monkeypatch.setattr(counts, "_OTHERS", Others())
    counts.count(job)
    assert log[0] == before


def test_a_process_with_a_second_thread_is_refused(job):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(MeasureError, match=r"\d threads of onnxruntime .*, expected one"):
            counts.count(job)
    finally:
        stop.set()
        thread.join()


def test_no_counter_marks_a_processor_that_it_cannot_run_on(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(MeasureError, match="found riscv64, expected x86_64"):
        counts._callgrind()
    with pytest.raises(MeasureError, match="found riscv64, expected aarch64"):
        counts._qemu()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the request is machine code of x86_64")
def test_a_process_outside_valgrind_is_refused():
    assert counts._Request()(counts._RUNNING_ON_VALGRIND)() == 0
    with pytest.raises(MeasureError, match="a process outside valgrind"):
        counts._callgrind()
