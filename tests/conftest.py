"""What tests share: one tiny build to look at, files to read, one thread to train on."""

import os
import platform
import signal
import sys
from fnmatch import fnmatch
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # each core has its process: read when torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import tiny

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure():
    """Let SIGINT end what tests start, also where a script runs the tests in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_OF_LINUX = {
    "devices/energy": "counters below /sys",
    "devices/instructions": "valgrind and qemu",
    "devices/onboard/machine": "/proc and /sys",
    "devices/onboard/process": "/proc, process groups",
    "devices/place": "an ssh server of this machine",
    "test_other_systems.py": "what the others lack is taken away from Linux",
}
"""What only Linux can test, by folder or file, and why."""


def pytest_collection_modifyitems(items):
    """Skip what needs Linux, with the reason, on other systems."""
    seen = getattr(sys.modules.get("sitecustomize"), "SYSTEM", {})  # see other_system_site.py
    here = seen.get("name", platform.system())
    if here == "Linux":
        return
    for item in items:
        path = Path(item.path).relative_to(ROOT / "tests").as_posix()
        marked = item.get_closest_marker("linux")
        of_folder = (why for place, why in _OF_LINUX.items() if path.startswith(place))
        why = marked.args[0] if marked else next(of_folder, None)
        if why is not None:
            item.add_marker(pytest.mark.skip(reason=f"{here} lacks what this needs: {why}"))


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_in_the_root():
    """Tests run in the root of the repository: what a tool writes beside itself shows there."""
    before = set(ROOT.iterdir())
    yield
    rules = ROOT / ".gitignore"
    if not rules.exists():  # a copy of the tests, such as that of mutation testing
        return
    ignored = rules.read_text(encoding="utf-8").split()
    left = [
        path.name
        for path in sorted(set(ROOT.iterdir()) - before)
        if not any(fnmatch(path.name, line.strip("/")) for line in ignored)
    ]
    assert not left, f"tests left {', '.join(left)} in the root of the repository"


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A finished tiny build and where it lies: (Built, recipe, artifacts).

    All tests read it; one that builds or judges again does so in `own_build`.
    """
    from edgestill.pipeline import build as pipeline

    folder = tmp_path_factory.mktemp("tiny")
    recipe, artifacts = tiny.write(folder), folder / "artifacts"
    return pipeline.build(recipe, artifacts=artifacts), recipe, artifacts


@pytest.fixture(autouse=True)
def _built_is_only_read(request):
    """No test adds a run or an entry of the store to what the next one reads."""
    if "built" not in request.fixturenames:
        yield
        return
    _, _, artifacts = request.getfixturevalue("built")
    before = _names(artifacts)
    yield
    added = sorted(map(str, _names(artifacts) - before))
    assert not added, f"built in the artifacts that all tests read: {', '.join(added)}"


def _names(artifacts):
    """The runs of all names, and the store's entries."""
    return {*artifacts.glob("store/*"), *artifacts.glob("runs/*/*")}


@pytest.fixture
def own_build(built, tmp_path):
    """A copy of the tiny build in the test's folder: (Built, recipe, artifacts)."""
    return tiny.copy(built, tmp_path)


@pytest.fixture
def one_thread():
    """Small models train many times slower on two threads where another process has one."""
    import torch

    were = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(were)


@pytest.fixture
def file(tmp_path):
    """Writes a file and returns its path."""

    def write(content, name="data.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    return write


@pytest.fixture
def figure(record_property):
    """Keeps a figure of a test that holds a promise, for docs/promises.md."""
    return lambda text: record_property("figure", text)
