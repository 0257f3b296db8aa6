"""Builds on a real Ray: two workers, one that is killed, an interruption, what the user sees."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import s3_server
import tiny

pytestmark = [pytest.mark.slow, pytest.mark.linux("clusters of several nodes in one machine")]

SHARDED = """
name = "sharded"
threads = 1
[data]
source = "digits"
[augment]
crop = 1
[teacher]
model = "resnet20"  # a shard takes seconds, so that its worker can be killed meanwhile
width = 48
epochs = 2
[student]
model = "mlp1"
width = 8
[distill]
epochs = 2
views = 4
seeds = 2
[compress]
variants = ["fp32"]
[benchmark]
processes = 1
seconds = 0.01
max_queries = 64
footprint = false
operators = false
[gate]
max_size_kib = 100
"""


@pytest.fixture(scope="module")
def s3():
    """A server of S3, and the variables that lead there: of this process, and so of all nodes."""
    pytest.importorskip("moto")
    with s3_server.serve() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def cluster(s3):
    """A head that measures, and two workers of one core each."""
    del s3
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        small = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
        made = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "resources": {"device:host": 1}, **small},
        )
        for _ in range(2):
            made.add_node(num_cpus=1, object_store_memory=100 * 2**20)
        yield made.address
        made.shutdown()


def command(*words, folder):
    """``edgestill`` as a user runs it, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edgestill", *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80", "RAY_ADDRESS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def built(recipe, *more, artifacts="artifacts"):
    process = command(
        "build", recipe.name, "--artifacts", artifacts, "--json", *more, folder=recipe.parent
    )
    out, err = process.communicate(timeout=400)
    return process.returncode, json.loads(out), err


def keys_of(folder):
    (manifest,) = folder.glob("runs/*/[0-9]*/manifest.json")
    return json.loads(manifest.read_text())["keys"]


def files_of(folder, key):
    """Digests of an entry's files; the order of tables in an .ort differs from run to run."""
    files = json.loads((folder / "store" / key / "entry.json").read_text())["files"]
    return {name: digest for name, digest in files.items() if not name.endswith(".ort")}


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A recipe whose targets are three shards, and its local build."""
    folder = tmp_path_factory.mktemp("sharded")
    recipe = folder / "recipe.toml"
    recipe.write_text(SHARDED)
    code, _, err = built(recipe, artifacts="local")
    assert code in (0, 5), err
    return recipe


def pid_of_a_shard(logs, stop):
    """The process that has the first shard, as the log of the stage says."""
    while not stop.is_set():
        for log in logs.glob("sharded/*/*targets*.log"):
            for line in log.read_text().splitlines():
                if "shard" in line and ", pid " in line:
                    return int(line.rpartition(" ")[2])
        time.sleep(0.02)
    return None


def test_on_two_workers_a_build_ends_in_the_hashes_of_a_local_one_though_one_is_killed(
    cluster, sharded
):
    folder = sharded.parent
    stop, killed = threading.Event(), []

    def kill():
        pid = pid_of_a_shard(folder / "ray" / "logs", stop)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    watching = threading.Thread(target=kill)
    watching.start()
    code, verdict, err = built(sharded, "--engine", "ray", "--address", cluster, artifacts="ray")
    stop.set()
    watching.join()
    assert killed
    assert code in (0, 5), err
    assert verdict["exit_code"] == code
    told = [line for line in err.splitlines() if "runs again" in line]
    assert len(told) == 1
    assert "its worker died; it runs again (1 of 3)" in told[0]
    (log,) = folder.glob("ray/logs/sharded/*/*targets*.log")
    shards = [line for line in log.read_text().splitlines() if ", pid " in line and "shard" in line]
    assert len(shards) == 3 + 1  # the killed one again, and nothing else
    assert_same(folder / "local", folder / "ray")
    assert "(raylet" not in err
    assert "INFO" not in err


def test_workers_that_share_a_store_in_a_bucket_end_in_the_hashes_of_a_local_build(
    cluster, s3, tmp_path
):
    recipe, shared = tiny.write(tmp_path), ("--store", s3.bucket())
    code, _, err = built(recipe, artifacts="local")
    assert code in (0, 5), err
    ray = ("--engine", "ray", "--address", cluster)
    code, _, err = built(recipe, *ray, *shared, artifacts="ray")
    assert code in (0, 5), err
    assert_same(tmp_path / "local", tmp_path / "ray")
    # Without Ray, on a machine that has nothing, all is in the bucket but its own measurement.
    code, _, err = built(recipe, *shared, artifacts="other")
    assert code in (0, 5), err
    assert "student done" not in err
    assert_same(tmp_path / "local", tmp_path / "other")


def assert_same(one, other):
    """Two folders of artifacts have the same keys, and the same bytes but of measurements."""
    keys = keys_of(one)
    assert keys == keys_of(other)
    for name, key in keys.items():
        if name not in ("benchmark", "verify", "report"):
            assert files_of(one, key) == files_of(other, key), name


def test_a_second_build_on_the_cluster_runs_nothing(cluster, sharded):
    code, _, err = built(sharded, "--engine", "ray", "--address", cluster, artifacts="local")
    assert code in (0, 5)
    assert "every stage is in the store; nothing was run" in err


def test_ctrl_c_ends_a_local_ray_with_all_that_it_started(tmp_path):
    recipe = tiny.write(tmp_path)
    recipe.write_text(recipe.read_text().replace("epochs = 12", "epochs = 100000", 1))
    process = command("build", recipe.name, "--engine", "ray", folder=tmp_path)
    for line in process.stderr:
        if "teacher" in line:
            break
    time.sleep(3.0)  # it trains
    folders = set(Path("/tmp").glob("ray-*"))
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; finished results are kept; the same command goes on from them" in rest
    assert "Traceback" not in rest
    time.sleep(1.0)
    own = [one for one in folders if not one.exists()]
    assert own
    assert not [pid for pid in processes() if any(str(one) in pid for one in own)]


def processes():
    """Command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def test_an_error_of_a_remote_stage_is_that_of_a_local_one(cluster, tmp_path):
    recipe = tiny.write(tmp_path)
    (tmp_path / "net.py").write_text(
        "import torch\ndef make(shape, outputs):\n    raise ValueError('no such layer')\n"
    )
    text = recipe.read_text().replace('model = "mlp1"\nwidth = 8', 'model = "net:make"')
    recipe.write_text(text)
    local, here, _ = built(recipe, artifacts="local")
    remote, there, err = built(recipe, "--engine", "ray", "--address", cluster, artifacts="remote")
    assert (remote, there) == (local, here)
    assert local == 3
    assert "Traceback" not in err


def test_a_device_that_no_node_carries_is_refused_before_anything_is_trained(cluster, tmp_path):
    recipe = tiny.write(tmp_path)
    board = tmp_path / "board.toml"
    board.write_text('like = "raspberry-pi-5"\n[reach]\nvia = "ssh"\nhost = "board.invalid"\n')
    code, told, _ = built(
        recipe,
        *("--engine", "ray", "--address", cluster),
        *("--set", "benchmark.device='board.toml'"),
    )
    assert code == 4, told
    assert "device:board" in told["error"]["found"]
    assert "ray start --resources" in told["error"]["fix"]
