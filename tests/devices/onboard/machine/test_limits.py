"""Bounds of a measuring process: cores, and control groups, real and in files of the test."""

import os
import subprocess
import sys

import pytest
from edgestill.devices.onboard.machine import limits as bounds
from edgestill.devices.onboard.measure.job import ProbeJob
from edgestill.devices.onboard.process.run_job import run
from edgestill.errors import UsageError


def test_a_core_that_is_not_there_is_refused_even_beside_one_that_is():
    there = min(os.sched_getaffinity(0))
    for cores in ([4000], [there, 4000]):
        with pytest.raises(UsageError, match="cores: found core 4000, expected some of"):
            run(ProbeJob(), timeout_s=60, cores=cores)


def _tree(root, own, delegating):
    """A paper control group file system, whose groups in `delegating` hand memory limits down."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"12:cpu:/\n0::{own}\n")
    (root / "sys/fs/cgroup").joinpath(own.lstrip("/")).mkdir(parents=True)
    for one in delegating:
        (root / "sys/fs/cgroup" / one / "cgroup.subtree_control").write_text("cpu memory\n")


@pytest.mark.parametrize(
    ("delegating", "beside"), [(["user", "user/own"], False), (["user"], True)]
)
def test_the_memory_group_lies_below_or_beside_our_own(tmp_path, delegating, beside):
    _tree(tmp_path, "/user/own", delegating)
    with bounds.memory_group(2**28, tmp_path) as group:
        assert group.parent == tmp_path / "sys/fs/cgroup/user" / ("" if beside else "own")
        assert (group / "memory.max").read_text() == str(2**28)
        assert bounds.join(group)
        assert (group / "cgroup.procs").read_text() == str(os.getpid())


def test_what_the_kernel_says_of_a_group_tells_whether_memory_ran_out(tmp_path):
    assert not bounds.ran_out(tmp_path)
    for killed, says in ((0, False), (1, True), (10, True)):
        (tmp_path / "memory.events").write_text(f"oom 2\noom_kill {killed}\n")
        assert bounds.ran_out(tmp_path) is says


def test_where_no_memory_group_can_be_made_there_is_none(tmp_path):
    _tree(tmp_path, "/user/own", [])
    with bounds.memory_group(2**28, tmp_path) as group:
        assert group is None
    with bounds.memory_group(2**28, tmp_path / "no such root") as group:
        assert group is None
    with bounds.memory_group(None) as group:
        assert group is None
    assert not bounds.join(tmp_path / "no such group")


def test_pinning_holds_for_the_process_that_does_it():
    core = max(os.sched_getaffinity(0))
    code = (
        "import os; from edgestill.devices.onboard.machine.limits import pin\n"
        f"pin([{core}]); print(sorted(os.sched_getaffinity(0)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"[{core}]\n"
