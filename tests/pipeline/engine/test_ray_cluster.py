"""What is asked of Ray, and what its errors mean. With a real one: ``test_ray_builds``."""

from types import SimpleNamespace

import pytest
from edgestill.errors import HostError
from edgestill.pipeline.engine import ray_cluster
from edgestill.pipeline.engine.executor import Lost, Place
from edgestill.pipeline.engine.ray_cluster import Mailbox, RayExecutor


class RayError(Exception):
    pass


class Errors:
    RayError = RayError
    OutOfMemoryError = type("OutOfMemoryError", (RayError,), {})
    NodeDiedError = type("NodeDiedError", (RayError,), {})
    LocalRayletDiedError = type("LocalRayletDiedError", (RayError,), {})
    WorkerCrashedError = type("WorkerCrashedError", (RayError,), {})
    TaskCancelledError = type("TaskCancelledError", (RayError,), {})
    RayTaskError = type("RayTaskError", (RayError,), {"cause": None})


class FakeRay:
    """Keeps what a task is submitted with; its references are the names of results."""

    exceptions = Errors

    def __init__(self, *nodes):
        self.given, self.results, self.made = nodes, {}, []

    def get_runtime_context(self):
        return SimpleNamespace(get_node_id=lambda: "driver")

    def nodes(self):
        return [
            {"NodeID": name, "NodeManagerHostname": name, "Alive": True, "Resources": resources}
            for name, resources in self.given
        ]

    def remote(self, *_, **given):
        def bind(function):
            def options(**told):
                self.made.append(told)
                return SimpleNamespace(remote=lambda *_: f"ref{len(self.made)}")

            return SimpleNamespace(options=options)

        return bind

    def get(self, reference, timeout=None):
        result = self.results[reference]
        if isinstance(result, Exception):
            raise result
        return result


@pytest.fixture
def executor_of(monkeypatch):
    monkeypatch.setattr(RayExecutor, "_pinned", lambda _, node, soft=False: (node, soft))

    def made(*nodes, own=False):
        ray = FakeRay(*nodes)
        return RayExecutor(ray, own=own), ray

    return made


TASK = SimpleNamespace(stage=SimpleNamespace(name="student"), key="abcdefgh12")
HEAD = ("head", {"CPU": 2.0})
BIG = ("big", {"CPU": 9.0, "GPU": 2.0})
BOARD = ("board", {"CPU": 4.0, "device:pi5": 1.0})


def submitted(executor, ray, place, avoid=frozenset()):
    executor.submit(1, TASK, place, avoid)
    return ray.made[-1]


def test_a_training_takes_its_threads_and_stays_off_nodes_that_measure(executor_of):
    executor, ray = executor_of(HEAD, BIG, BOARD)
    assert submitted(executor, ray, Place(2), frozenset({"head"})) == {
        "name": "student abcdefgh",
        "num_cpus": 2,
        "num_gpus": 0,
        "label_selector": {"ray.io/node-id": "!in(board,head)"},
    }
    assert submitted(executor, ray, Place(2, gpus=1))["num_gpus"] == 1
    assert not executor.shares_devices
    assert executor.grows
    assert executor.parallel(Place(2)) == 1 + 4
    assert executor.parallel(Place(2, gpus=1)) == 2
    assert executor.parallel(Place(64)) == 1


def test_a_measurement_takes_all_of_the_node_that_carries_its_device(executor_of):
    executor, ray = executor_of(HEAD, BOARD)
    told = submitted(executor, ray, Place(device="pi5"))
    assert told["resources"] == {"device:pi5": 1}
    assert told["num_cpus"] == 4.0
    assert told["scheduling_strategy"] == ("board", False)
    assert "label_selector" not in told


def test_a_device_that_no_node_carries_names_the_resource_to_give(executor_of):
    executor, _ = executor_of(HEAD)
    with pytest.raises(HostError, match=r"no node with the resource 'device:pi5'.*ray start --res"):
        executor.machine(Place(device="pi5"))
    assert "device:pi5" in executor.missing(Place(device="pi5"), frozenset())


def test_a_local_ray_measures_any_device_on_its_only_node(executor_of):
    executor, ray = executor_of(("here", {"CPU": 2.0, "device:host": 1.0}), own=True)
    assert executor.shares_devices
    assert not executor.grows
    assert submitted(executor, ray, Place(device="pi5"))["resources"] == {"device:host": 1}
    assert "label_selector" not in submitted(executor, ray, Place(1))
    assert executor.parallel(Place(1)) == 2


def test_what_no_node_could_take_is_told_with_what_they_have(executor_of):
    executor, _ = executor_of(HEAD, BIG)
    assert executor.missing(Place(9), frozenset()) is None
    told = executor.missing(Place(9), frozenset({"big"}))
    assert told == "no node with 9 cores (cores: 2 on head)"
    assert "no node)" in executor.missing(Place(1), frozenset({"big", "head"}))


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (
            Errors.OutOfMemoryError("…"),
            Lost("Ray ended its worker, as the node ran out of memory", True),
        ),
        (Errors.NodeDiedError("…"), Lost("its node was lost")),
        (Errors.WorkerCrashedError("…"), Lost("its worker died")),
        (Errors.WorkerCrashedError("killed: out of memory"), Lost("its worker died", True)),
        (Errors.TaskCancelledError("…"), Lost("it was cancelled in Ray")),
        (RayError("object store"), Lost("Ray lost it (object store)")),
    ],
    ids=repr,
)
def test_what_ray_says_of_a_lost_task_is_one_sentence(executor_of, error, lost):
    executor, ray = executor_of(HEAD)
    executor.submit(7, TASK, Place(1), frozenset())
    (reference,) = executor._refs
    ray.results[reference] = error
    assert executor._ended(reference) == (7, "", lost)
    assert not executor._refs


def test_a_worker_that_cannot_import_edgestill_ends_the_build(executor_of):
    executor, ray = executor_of(HEAD)
    executor.submit(7, TASK, Place(1), frozenset())
    (reference,) = executor._refs
    ray.results[reference] = Errors.RayTaskError("No module named 'edgestill'")
    with pytest.raises(HostError, match=r"No module named 'edgestill'.*on every node"):
        executor._ended(reference)


def test_events_are_sent_together_and_warnings_at_once():
    mailbox, sent = Mailbox(), []

    def put(events):
        sent.append(len(events))
        mailbox.put(events)

    post = ray_cluster._Post(SimpleNamespace(put=SimpleNamespace(remote=put)), 3, "node")
    post._sent = float("inf")  # it was just sent
    for event in (("steps", 1, "a", 2), ("advance", 1, 1, ""), ("warn", "look")):
        post._sent = max(post._sent, 0.0)
        post(event)
        post._sent = float("inf")
    assert sent == [3]
    assert mailbox.take()[-1] == (3, "node", ("warn", "look"))
    assert mailbox.take() == []
