"""A Ray that is not there: what is said, and how soon."""

import logging
import signal
import socket
import sys
from types import ModuleType, SimpleNamespace

import pytest
from edgestill.errors import EdgestillError, HostError, UsageError
from edgestill.pipeline.engine import ray_start
from edgestill.pipeline.engine.ray_start import opened


def reach(address, log):
    with opened(address, log):
        raise AssertionError("it is not there")


@pytest.mark.parametrize(
    "address", ["ray://head:10001", "http://head:8265", "head", "head:", ":6379", "head:port"]
)
def test_an_address_of_another_form_is_refused(address, tmp_path):
    with pytest.raises(UsageError, match=r"--address: found .*expected HOST:PORT"):
        reach(address, tmp_path / "log")


def test_an_address_where_nothing_answers_is_told_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(HostError, match=rf"no Ray at 127\.0\.0\.1:{port} .*ray start --head"):
            reach(f"127.0.0.1:{port}", tmp_path / "log")


@pytest.fixture
def fake_ray(monkeypatch):
    """A Ray whose ``init`` does as it is told to."""
    ray = ModuleType("ray")
    ray.exceptions = SimpleNamespace(RayError=type("RayError", (Exception,), {}))
    ray.given, ray.ends = [], []
    ray.shutdown = lambda: ray.ends.append("shutdown")
    ray.init = lambda **given: ray.given.append(given)
    ray.__spec__ = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_start, "RayExecutor", lambda module, own: (module, own))
    return ray


def test_a_local_ray_is_small_and_gone_afterwards(fake_ray, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_start.tempfile, "gettempdir", lambda: "/a/very/long/name/of/a/folder")
    with opened(None, tmp_path / "log") as executor:
        assert executor == (fake_ray, True)
        (given,) = fake_ray.given
        folder = given["_temp_dir"]
        assert folder.startswith("/tmp/ray-")
        assert len(folder) < 20
        assert given["resources"] == {"device:host": 1}
        assert not given["include_dashboard"]
        assert not given["log_to_driver"]
    assert fake_ray.ends == ["shutdown"]
    assert not ray_start.Path(folder).exists()


def test_a_cluster_that_lets_nobody_in_is_an_error_of_the_environment(fake_ray, tmp_path):
    def init(**_):
        raise fake_ray.exceptions.RayError("AuthenticationError: no token\nmore")

    fake_ray.init = init
    with pytest.raises(HostError, match=r"no token.*on a node of that cluster.*its token") as told:
        reach("auto", tmp_path / "log")
    assert told.value.exit_code == 4
    with pytest.raises(EdgestillError, match="a local Ray did not start"):
        reach(None, tmp_path / "log")
    assert fake_ray.ends == ["shutdown", "shutdown"]


def test_what_ray_says_goes_to_a_file_and_sigterm_stays_ours(fake_ray, tmp_path, capsys):
    def init(**_):
        logging.getLogger("ray").handlers.clear()
        logging.getLogger("ray.worker").warning("a worker is slow")
        fake_ray._private.worker.print_to_stdstream({"lines": ["lost"]}, ignore_prefix=False)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    fake_ray.init = init
    fake_ray._private = SimpleNamespace(worker=SimpleNamespace(print_to_stdstream=print))
    before = signal.getsignal(signal.SIGTERM)
    with opened("auto", tmp_path / "logs" / "ray.log"):
        assert signal.getsignal(signal.SIGTERM) == before
    text = (tmp_path / "logs" / "ray.log").read_text()
    assert "a worker is slow" in text
    assert "lost" in text
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger("ray").propagate
