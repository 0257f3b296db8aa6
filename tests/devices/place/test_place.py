"""Where a job runs: the `[reach]` table, cores and memory passed on, the way to each place."""

import json
import os

import numpy as np
import pytest
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.measure.job import MeasureJob, ProbeJob
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.settings import Session
from edgestill.devices.place.place import Local, bounds_of, place_of
from edgestill.devices.place.remote import Remote
from edgestill.devices.profiles.connection import Reach
from edgestill.devices.profiles.profile import Profile, load
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import DataError, MeasureError, UsageError
from flat_options import flat_job, flat_settings
from onnx import TensorProto, helper
from onnx_files import save

PROFILE = 'title = "T"\narch = "x86_64"\nfeatures = ["avx2"]\nsource = "its manual"\n[reach]\n'


def _dense(path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [("x", TensorProto.FLOAT, ["n", 8])], [("y", TensorProto.FLOAT, ["n", 8])]
    return save(path, [node], *ends, [("w", np.full((8, 8), 0.01, np.float32))])


def _reached(folder, text):
    path = folder / "board.toml"
    path.write_text(PROFILE + text)
    return load(str(path))


def test_a_users_profile_says_how_its_device_is_reached(tmp_path):
    text = 'via = "ssh"\nhost = "board"\nport = 2222\nuser = "pi"\ncores = [2, 3]\nthreads = 2\n'
    profile = _reached(tmp_path, text + 'identity = "keys/id"\n')
    assert profile.reach == Reach(
        via="ssh",
        host="board",
        port=2222,
        user="pi",
        identity=str(tmp_path / "keys/id"),
        cores=(2, 3),
        threads=2,
    )
    assert isinstance(place_of(profile), Remote)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cores = [1]", "reach.via: found no via, expected one of local, ssh, adb"),
        ('via = "telnet"', "found 'telnet'"),
        ('via = "ssh"', "no host, expected the name or address"),
        ('via = "ssh"\nhost = "-oProxyCommand=x"', "not starting with -"),
        ('via = "ssh"\nhost = "b"\nuser = "-x"', "reach.user: found '-x'"),
        ('via = "ssh"\nhost = "b"\nport = 0', "from 1 to 65535"),
        ('via = "ssh"\nhost = "b"\nport = true', "from 1 to 65535"),
        ('via = "ssh"\nhost = "b"\nfolder = "~/x"', "begins with neither - nor ~"),
        ('via = "ssh"\nhost = "b"\npython = "-c"', "begins with neither - nor ~"),
        ('via = "ssh"\nhost = "b"\nidentity = "a%b"', "a path without double"),
        ('via = "ssh"\nhost = "b"\nhosts = "c"', "reach.hosts: found an unknown key"),
        (
            'via = "local"\nhost = "b"',
            "reach.host: found a key that does not apply to via = 'local'",
        ),
        ('via = "adb"\nport = 5', "reach.port: found a key that does not apply to via = 'adb'"),
        ('via = "local"\ncores = []', "a list of different core numbers"),
        ('via = "local"\ncores = [1, 1]', "a list of different core numbers"),
        ('via = "local"\ncores = [-1]', "a list of different core numbers"),
        ('via = "local"\nmemory_mib = 0', "a whole number above 0"),
        ('via = "local"\nthreads = 0', "from 1 to 1024"),
        ('via = "local"\nspinning = 1', "true or false"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path, text, said):
    with pytest.raises(UsageError) as refusal:
        _reached(tmp_path, text)
    assert said in str(refusal.value)
    assert "board.toml: reach" in str(refusal.value)


def test_a_device_that_is_only_a_profile_or_emulated_gives_no_times(tmp_path):
    with pytest.raises(UsageError, match="raspberry-pi-5, which is only a profile"):
        place_of(load("raspberry-pi-5"))
    with pytest.raises(UsageError, match="for times use the device itself"):
        place_of(_reached(tmp_path, 'via = "emulated"'))
    assert isinstance(place_of(load("host")), Local)
    here = Profile("mine", "M", os.uname().machine, (), "s", reach=Reach(via="local"))
    assert isinstance(place_of(here), Local)


def test_a_profile_of_another_machine_is_not_measured_on_this_one():
    other = Profile("other", "O", "riscv64", (), "s", reach=Reach(via="local"))
    with pytest.raises(UsageError, match="other, a device of architecture riscv64"):
        place_of(other)


def test_what_is_asked_for_comes_before_what_the_device_says():
    reach = Reach(threads=4, spinning=True, cores=(1,), memory_mib=64)
    device = Profile("d", "D", "x86_64", (), "s", reach=reach)
    plain = Profile("p", "P", "x86_64", (), "s")
    given = {"cores": (1,), "memory_mib": 64}
    assert bounds_of(device, None, None) == {"session": Session(4, spinning=True), **given}
    assert bounds_of(device, 2, False) == {"session": Session(2, spinning=False), **given}
    assert bounds_of(plain, None, None) == {
        "session": Session(1, spinning=False),
        "cores": (),
        "memory_mib": None,
    }


def test_a_process_runs_on_the_cores_it_is_pinned_to():
    last = max(os.sched_getaffinity(0))
    assert Local().run(ProbeJob(), timeout_s=60, cores=[last]).process.cores == (last,)
    assert Local().run(ProbeJob(), timeout_s=60).process.cores == tuple(
        sorted(os.sched_getaffinity(0))
    )


def test_a_benchmark_passes_cores_and_memory_on_and_says_how_memory_was_bounded(tmp_path):
    core = min(os.sched_getaffinity(0))
    quick = {"seconds": 0.01, "min_queries": 64, "max_queries": 64, "warmup_seconds": 0.05}
    settings = flat_settings(processes=1, threads=2, cores=(core,), memory_mib=4096, **quick)
    found = measure(
        Request([Subject("m", _dense(tmp_path / "m.onnx"))], settings, tmp_path / "out")
    )
    (process,) = json.loads((tmp_path / "out/processes.json").read_text())
    assert process["cores"] == [core]
    by_address_space = process["memory_limit"] == "address space"
    assert (
        any("no control group could be made" in one for one in found.warnings) is by_address_space
    )
    assert "2 threads were run on 1 cores" in found.warnings


def test_memory_that_is_too_little_is_an_error_not_a_figure(tmp_path):
    job = flat_job(
        MeasureJob, str(_dense(tmp_path / "m.onnx")), str(tmp_path / "s.npy"), seconds=0.01
    )
    with pytest.raises((MeasureError, DataError)):
        run(job, timeout_s=60, memory_limit_bytes=64 * 2**20)
