"""A device behind OpenSSH: a real sshd on the loopback address."""

import ast
import hashlib
import io
import json
import os
import pwd
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
import sshd
import tiny
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.measure.job import AnswersJob, InspectJob, MeasureJob
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.place import bootstrap as contact
from edgestill.devices.place.place import Local
from edgestill.devices.place.remote import Remote, worker_bundle
from edgestill.devices.place.ssh import Ssh
from edgestill.devices.profiles import connection as reach
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import MeasureError, ModelError, ReachError, UsageError
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.runs.run import open_report
from flat_options import flat_job, flat_settings
from onnx import TensorProto, external_data_helper, helper, load_model, save_model
from onnx_files import save

pytestmark = pytest.mark.slow

FLOAT = TensorProto.FLOAT
QUICK = {"seconds": 0.01, "min_queries": 64, "max_queries": 64, "warmup_seconds": 0.05}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with sshd.serve(tmp_path_factory.mktemp("an sshd's keys")) as (table, pid):
        yield {"table": table, "pid": pid}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where things go on the far side: a path that a shell would take apart."""
    return tmp_path_factory.mktemp("far") / 'a folder\'s "$HOME" `x` #1'


@pytest.fixture
def place(server, folder):
    return _place(server["table"], folder)


def _place(table, folder, **changes):
    told = reach.read({**table, "folder": str(folder), **changes}, "reach", Path())
    return Remote(Ssh(told), told)


def _dense(path, weight=0.01):
    stored = [("w", np.full((8, 8), weight, np.float32))]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return save(path, [node], [("x", FLOAT, ["n", 8])], [("y", FLOAT, ["n", 8])], stored)


def _files(folder):
    """Every file and when it was written."""
    return {one: one.stat().st_mtime_ns for one in folder.rglob("*") if one.is_file()}


def _workers(folder):
    """Measuring processes that run the copy of the worker in that folder."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            environment = (one / "environ").read_bytes()
            words = (one / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in environment and b"devices.onboard.measure.worker" in words:
            found.append(int(one.name))
    return found


def _until(true, seconds=15):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def test_a_bench_over_ssh_gives_figures_and_a_second_one_copies_nothing(server, folder, tmp_path):
    model = _dense(tmp_path / "a model's.onnx")
    np.savez(tmp_path / "inputs.npz", x=np.ones((4, 8), np.float32))
    copies = []
    for turn in range(2):
        found = measure(
            Request(
                [Subject("m", model)],
                flat_settings(processes=2, cores=(0,), inputs=tmp_path / "inputs.npz", **QUICK),
                tmp_path / f"out{turn}",
                place=_place(server["table"], folder),
            )
        )
        assert found.models[0].p50_ms.value > 0
        assert found.host.kernel == os.uname().release
        assert found.runtime == f"onnxruntime {found.host.onnxruntime}"
        for one in json.loads((tmp_path / f"out{turn}" / "processes.json").read_text()):
            assert one["cores"] == [0]
            samples = np.load(tmp_path / f"out{turn}" / one["samples"])
            assert (samples.dtype, samples.shape) == (np.int64, (64,))
        copies.append(_files(folder))
    assert {"a model's.onnx", "inputs.npz", "worker.py"} <= {p.name for p in copies[0]}
    assert copies[0] == copies[1]


def test_answers_of_a_model_come_back(place, tmp_path):
    model = _dense(tmp_path / "m.onnx")
    x = np.random.default_rng(0).random((3, 8), np.float32)
    np.savez(tmp_path / "inputs.npz", x=x)
    feed = Feed(str(tmp_path / "inputs.npz"), batch=1)
    found = {}
    for name, there in (("here", Local()), ("far", place)):
        job = AnswersJob(str(model), str(tmp_path / f"{name}.npz"), feed, every=True)
        there.run(job, timeout_s=60)
        found[name] = np.load(tmp_path / f"{name}.npz")["output_0"]
    assert found["far"].shape[0] == 3
    assert np.array_equal(found["far"], found["here"])


def test_a_relative_folder_lies_below_the_home_of_the_user_there(server, tmp_path):
    relative = os.path.relpath(tmp_path / "far", pwd.getpwuid(os.getuid()).pw_dir)
    job = flat_job(MeasureJob, str(_dense(tmp_path / "m.onnx")), str(tmp_path / "s.npy"), **QUICK)
    assert _place(server["table"], relative).run(job, timeout_s=60).queries == 64
    assert list((tmp_path / "far").rglob("m.onnx"))


def test_weights_beside_the_model_go_with_it(place, tmp_path):
    model = load_model(_dense(tmp_path / "plain.onnx"))
    external_data_helper.convert_model_to_external_data(
        model, location="weights/w.bin", size_threshold=0
    )
    (tmp_path / "weights").mkdir()
    save_model(model, tmp_path / "m.onnx")
    job = flat_job(MeasureJob, str(tmp_path / "m.onnx"), str(tmp_path / "s.npy"), **QUICK)
    assert place.run(job, timeout_s=60).queries == 64


def test_a_file_that_was_spoilt_there_is_sent_again(server, folder, tmp_path):
    _place(server["table"], folder).describe()
    target = next(folder.rglob("agent.py"))
    whole = target.read_bytes()
    target.write_bytes(whole[: len(whole) // 2])
    _place(server["table"], folder).describe()
    assert target.read_bytes() == whole


def test_a_copy_that_was_cut_short_goes_on_where_it_ended(server, tmp_path):
    folder = tmp_path / "far"
    _place(server["table"], folder).describe()
    lost = next(folder.rglob("agent.py"))
    lost.unlink()
    kept = _files(folder)
    _place(server["table"], folder).describe()
    now = _files(folder)
    assert {one: now[one] for one in kept if one.suffix == ".py"} == {
        one: when for one, when in kept.items() if one.suffix == ".py"
    }
    assert lost in now


def test_of_a_stream_that_is_cut_what_came_whole_is_kept(tmp_path):
    def told(name, content):
        head = {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        return json.dumps(head).encode() + b"\n" + content

    stream = told("d/first", b"a" * 999) + told("d/second", b"b" * 999)
    assert contact.receive(str(tmp_path), io.BytesIO(stream[:-1])) == {"received": ["d/first"]}
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["first"]
    assert contact.look(str(tmp_path), {"d/first": "0", "d/second": "0"}, [])["absent"] == [
        "d/first",
        "d/second",
    ]


def test_an_old_python_can_still_say_what_it_is(server, folder, tmp_path):
    ast.parse(Path(contact.__file__).read_text(), feature_version=(3, 6))
    old = tmp_path / "python3.9"
    old.write_text(
        f"#!{sys.executable}\nimport json, sys\ni = sys.stdin.buffer\ni.read(int(i.readline()))\n"
        "marker = json.loads(i.readline())['marker']\n"
        "told = {'python': [3, 9, 2], 'lacking': [], 'folder': '/f', 'absent': []}\n"
        "print('\\n' + marker + json.dumps(told))\n"
    )
    old.chmod(0o755)
    with pytest.raises(ReachError, match=r"found Python 3\.9\.2, expected 3\.11 or newer"):
        _place(server["table"], folder, python=str(old)).describe()


def test_a_refusal_on_the_device_names_the_file_here(place, tmp_path):
    model = _dense(tmp_path / "m.onnx", np.nan)
    with pytest.raises(ModelError, match="not finite") as refusal:
        place.run(flat_job(MeasureJob, str(model), str(tmp_path / "s.npy"), **QUICK), timeout_s=60)
    assert refusal.value.where == str(model)


def test_an_unknown_host_key_is_refused(server, folder, tmp_path):
    (tmp_path / "none").write_text("")
    place = _place(server["table"], folder, known_hosts=str(tmp_path / "none"))
    with pytest.raises(ReachError, match="a host whose key is not the known one") as refusal:
        place.describe()
    assert refusal.value.exit_code == 4
    assert (tmp_path / "none").read_text() == ""


def test_a_host_key_that_changed_is_refused(server, folder, tmp_path):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True
    )
    key = (tmp_path / "other.pub").read_text().split()[1]
    known = tmp_path / "known hosts"
    known.write_text(f"[127.0.0.1]:{server['table']['port']} ssh-ed25519 {key}\n")
    with pytest.raises(ReachError, match="a host whose key is not the known one"):
        _place(server["table"], folder, known_hosts=str(known)).describe()


def test_a_login_that_is_refused_says_so(server, folder, tmp_path):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True
    )
    with pytest.raises(ReachError, match=r"a login that is refused.*ssh-copy-id"):
        _place(server["table"], folder, identity=str(tmp_path / "other")).describe()


def test_a_server_that_is_not_there_is_a_clear_error(server, folder):
    with pytest.raises(ReachError, match="a host that does not answer"):
        _place(server["table"], folder, port=1).describe()


def test_no_python_or_one_without_the_runtime_is_a_clear_error(server, folder, tmp_path):
    with pytest.raises(ReachError, match=r"no no-such-python.*reach.python"):
        _place(server["table"], folder, python="no-such-python").describe()
    bare = tmp_path / "bare python"
    bare.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(ReachError, match=r"no numpy for Python 3.*pip install numpy$"):
        _place(server["table"], folder, python=str(bare)).describe()
    job = flat_job(MeasureJob, str(_dense(tmp_path / "m.onnx")), str(tmp_path / "s.npy"), **QUICK)
    with pytest.raises(ReachError, match=r"no numpy and no onnxruntime for Python 3.*pip install"):
        _place(server["table"], folder, python=str(bare)).run(job, timeout_s=60)


def test_a_login_script_that_prints_does_not_spoil_the_answer(server, folder, tmp_path):
    chatty = tmp_path / "python"
    chatty.write_text(f'#!/bin/sh\necho Welcome\nexec {shlex.quote(sys.executable)} "$@"\n')
    chatty.chmod(0o755)
    host = _place(server["table"], folder, python=str(chatty)).describe()
    assert host.kernel == os.uname().release


def test_a_folder_that_cannot_be_written_is_a_clear_error(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReachError, match=r"a folder that cannot be used.*reach.folder"):
        _place(server["table"], tmp_path / "file" / "x").describe()


def test_time_that_is_up_ends_the_process_there(place, folder, tmp_path):
    model = str(_dense(tmp_path / "m.onnx"))
    place.run(flat_job(MeasureJob, model, str(tmp_path / "s.npy"), **QUICK), timeout_s=60)
    seen = []
    watch = threading.Thread(target=lambda: seen.extend(_until(lambda: _workers(folder))))
    watch.start()
    long = flat_job(MeasureJob, model, str(tmp_path / "s.npy"), seconds=120, max_queries=10**9)
    with pytest.raises(MeasureError, match="no answer after 4 s") as refusal:
        place.run(long, timeout_s=4)
    watch.join()
    assert refusal.value.where == model
    assert seen
    assert not _workers(folder)


def test_interrupting_the_measurement_ends_the_process_there(server, folder, tmp_path):
    model = _dense(tmp_path / "m.onnx")
    told = {**server["table"], "folder": str(folder)}
    code = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from edgestill.devices.profiles import connection as reach\n"
        "from edgestill.devices.onboard.measure.job import MeasureJob\n"
        "from edgestill.devices.onboard.settings import Timing\n"
        "from edgestill.devices.place.remote import Remote\n"
        "from edgestill.devices.place.ssh import Ssh\n"
        "r = reach.read(json.loads(sys.argv[1]), 'reach', Path())\n"
        "job = MeasureJob(sys.argv[2], sys.argv[3], timing=Timing(120, max_queries=10**8))\n"
        "Remote(Ssh(r), r).run(job, timeout_s=300)\n"
    )
    words = [sys.executable, "-c", code, json.dumps(told), str(model), str(tmp_path / "s.npy")]
    for how in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as here:
            assert _until(lambda: _workers(folder), 60)
            here.send_signal(how)
            here.wait(20)
        assert _until(lambda: not _workers(folder))


def test_a_connection_lost_in_the_middle_is_a_clear_error_and_keeps_what_was_found(
    server, folder, tmp_path
):
    model = _dense(tmp_path / "m.onnx")

    def cut():
        (worker, *_) = _until(lambda: _workers(folder), 60)
        os.kill(_session(worker, server["pid"]), signal.SIGKILL)

    cutting = []

    def after_the_first(done, *_):
        cutting.append(threading.Thread(target=cut))
        cutting[-1].start()

    with pytest.raises(ReachError, match="a connection that was lost"):
        measure(
            Request(
                [Subject("m", model)],
                flat_settings(processes=2, seconds=2.0, min_queries=64, warmup_seconds=0.05),
                tmp_path / "out",
                place=_place(server["table"], folder),
                on_process=after_the_first,
            )
        )
    cutting[0].join()
    (kept,) = json.loads((tmp_path / "out" / "processes.json").read_text())
    assert np.load(tmp_path / "out" / kept["samples"]).shape == (kept["queries"],)
    assert _until(lambda: not _workers(folder))


def _session(pid, server):
    """The ancestor of a process that is a child of the server: its login."""
    while True:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if parent == server:
            return pid
        pid = parent


def test_what_the_device_did_between_runs_does_not_count_as_disturbance(place, tmp_path):
    before = place.snapshot()
    job = flat_job(MeasureJob, str(_dense(tmp_path / "m.onnx")), str(tmp_path / "s.npy"), **QUICK)
    begun = time.monotonic()
    place.run(job, timeout_s=60)
    after = place.snapshot()
    assert 0 < after.time_s - before.time_s < time.monotonic() - begun
    assert after.own_s > before.own_s


@pytest.mark.parametrize(
    "host", ["-oProxyCommand=touch /tmp/x", "-v", "a b", "a;b", "$(id)", "", 7]
)
def test_a_host_that_is_no_name_is_refused(host):
    with pytest.raises(
        UsageError, match=r"expected letters, digits and \. _ : % -, not starting with -"
    ):
        reach.read({"via": "ssh", "host": host}, "board.toml: reach", Path())


def _board(beside, table, **changes):
    """A user's profile of the device that the table leads to."""
    told = {**table, **changes}
    lines = [f"{key} = {json.dumps(value)}" for key, value in told.items()]
    board = beside / "board.toml"
    board.write_text(
        f'title = "Board"\narch = "{os.uname().machine}"\nfeatures = []\nsource = "s"\n[reach]\n'
        + "\n".join(lines)
    )
    return board


def _command(*words):
    return subprocess.run(
        [sys.executable, "-m", "edgestill", *map(str, words)], capture_output=True, text=True
    )


def test_the_bench_command_measures_on_a_device(server, folder, tmp_path):
    board = _board(tmp_path, server["table"], folder=str(folder), cores=[0], threads=2)
    model = _dense(tmp_path / "m.onnx")
    quick = ("--processes", 1, "--seconds", 0.01, "--out", tmp_path / "out", "--json")
    done = _command("bench", model, "--device", board, *quick)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["models"][0]["p50_ms"]["value"] > 0
    assert (found["settings"]["session"]["threads"], found["settings"]["cores"]) == (2, [0])
    assert [one for one in folder.rglob("m.onnx") if one.read_bytes() == model.read_bytes()]


def test_the_bench_command_ends_with_4_where_the_host_key_is_not_known(server, tmp_path):
    (tmp_path / "none").write_text("")
    board = _board(tmp_path, server["table"], known_hosts="none")
    done = _command("bench", _dense(tmp_path / "m.onnx"), "--device", board)
    assert done.returncode == 4
    assert "a host whose key is not the known one" in done.stderr
    assert "ssh-keyscan" in done.stderr


def test_a_build_measures_on_the_device_of_its_recipe(server, folder, own_build, tmp_path):
    done, recipe, artifacts = own_build
    before = open_report(done.run)
    board = _board(tmp_path, server["table"], folder=str(folder), cores=[0])
    names = [f"benchmark.device={board}", "benchmark.processes=1"]
    again = pipeline.build(recipe, artifacts=artifacts, overrides=names)
    # The device measured on is the one that ships, so what is compressed for it is made anew.
    assert again.ran == ("variants", "int8-plain", "verify", "benchmark")
    assert again.report.measured.on_target is True
    assert again.report.measured.benchmark.settings.cores == (0,)
    assert before.measured.benchmark.settings.cores == ()
    assert {one.name for one in folder.rglob("*.onnx")} >= {"fp32.onnx"}
    # What the device's file says is part of the key; nothing else is done again.
    same = pipeline.build(recipe, artifacts=artifacts, overrides=names)
    assert same.ran == ()


def test_a_whole_bundle_gives_its_recorded_outputs_on_a_device(server, folder, built, tmp_path):
    """As `edgestill bundle` writes it, in a zip; a model that was exchanged is found there, too."""
    board = _board(tmp_path, server["table"], folder=str(folder), cores=[0])
    handed = tmp_path / "handed.zip"
    done = _command("bundle", built[0].run, "--inspect", "--out", handed)
    assert done.returncode == 0, done.stderr
    done = _command("verify", handed, "--device", board, "--json")
    told = json.loads(done.stdout)
    assert (told["faults"], told["not_run"]) == ([], [])
    assert told["models"] >= 1
    assert done.returncode == (0 if told["ready"] else 1)
    sent = [one for one in folder.rglob("*.onnx") if one.is_file()]
    assert sent  # the models went to the device's folder
    # A manifest that agrees with other outputs: only running the model shows it.
    unpacked = tmp_path / "handed"
    with zipfile.ZipFile(handed) as archive:
        archive.extractall(unpacked)
    path = next(unpacked.glob("golden/*.onnx.output.bin"))
    (np.fromfile(path, "<f4")[::-1] + 1.0).astype("<f4").tofile(path)
    manifest = json.loads((unpacked / "bundle.json").read_text())
    data = path.read_bytes()
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest["files"][f"golden/{path.name}"] = entry
    (unpacked / "bundle.json").write_text(json.dumps(manifest))
    done = _command("verify", unpacked, "--device", board, "--json")
    assert done.returncode == 3
    assert path.name.removesuffix(".output.bin") in json.loads(done.stdout)["faults"][0]


def test_a_build_for_a_device_without_a_way_to_it_ends_before_any_work(tmp_path):
    recipe = tiny.write(tmp_path)
    with pytest.raises(UsageError, match=r"benchmark\.device: found raspberry-pi-5, which is only"):
        pipeline.build(
            recipe, artifacts=tmp_path / "a", overrides=["benchmark.device=raspberry-pi-5"]
        )


def test_the_words_of_a_command_reach_the_device_as_they_are():
    told = reach.read({"via": "ssh", "host": "board", "user": "pi", "port": 22}, "reach", Path())
    *_, dashes, host, command = Ssh(told).words(["python3", "a'b $HOME"])
    assert (dashes, host) == ("--", "board")
    assert shlex.split(command) == ["python3", "a'b $HOME"]


def test_what_is_sent_is_enough_beside_numpy_and_onnxruntime(server, tmp_path):
    names = {one.partition("/edgestill/")[2] for one in worker_bundle().files}
    assert not [one for one in names if one.startswith(("pipeline", "exporters"))]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    (site,) = (tmp_path / "v").glob("lib/python*/site-packages")
    for package in _needed("onnxruntime"):
        for top in {one.parts[0] for one in distribution(package).files if one.parts[0] != ".."}:
            (site / top).symlink_to(distribution(package).locate_file(top))
    there = subprocess.run(
        [tmp_path / "v/bin/python", "-I", "-c", "import edgestill"], capture_output=True
    )
    assert b"No module named 'edgestill'" in there.stderr
    place = _place(server["table"], tmp_path / "far", python=str(tmp_path / "v/bin/python"))
    job = flat_job(MeasureJob, str(_dense(tmp_path / "m.onnx")), str(tmp_path / "s.npy"), **QUICK)
    assert place.run(job, timeout_s=60).queries == 64
    with pytest.raises(MeasureError, match="No module named 'onnx'"):
        place.run(InspectJob(str(tmp_path / "m.onnx")), timeout_s=60)


def _needed(package):
    """A distribution and those it needs."""
    found = {package}
    for line in distribution(package).requires or ():
        if "extra ==" not in line:
            found |= _needed(re.split(r"[^A-Za-z0-9_.-]", line)[0])
    return found
