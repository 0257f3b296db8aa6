"""Ray as the executor of tasks.

    executor = RayExecutor(ray, own=False)             # of the module, connected: ``ray_start``
    executor.submit(1, task, Place(cpus=2), frozenset())

Tasks go as Ray tasks, events come back through an actor beside the driver. Ray retries nothing: the
engine sees what was lost, says so and asks again. What Ray itself says goes to the log. Objects
travel pickled, as everything does inside a Ray cluster: who may submit to it may run code on it, so
its authentication by token is left on.
"""

import contextlib
import time
from typing import Any

from ...errors import HostError, reason
from .executor import Lost, News, Place, resource
from .keys import Machine
from .task import Event, Outcome, Task, describe, perform

_DEVICE = resource("")
LOCAL = resource("host")
"""The resource of the only node of a local Ray: what measures there is alone, whatever device it
measures."""
_ANSWER_S, _CANCEL_S, _NODES_S = 120.0, 5.0, 2.0
_SECONDS_BETWEEN = 0.2
_AT_ONCE = ("arrived", "begin", "note", "warn")


class RayExecutor:
    """Runs tasks on the Ray cluster that this process is connected to.

    Args:
        ray: the module.
        own: whether the cluster is one of this command alone.
    """

    def __init__(self, ray: Any, *, own: bool) -> None:
        self._ray, self._own = ray, own
        self._refs: dict[Any, int] = {}
        self._names: dict[str, str] = {}
        self._machines: dict[str, Machine] = {}
        self._seen: tuple[float, list[dict[str, Any]]] = (-_NODES_S, [])
        self._run = ray.remote(max_retries=0, retry_exceptions=False)(run)
        here = self._pinned(ray.get_runtime_context().get_node_id(), soft=True)
        mailbox = ray.remote(num_cpus=0, max_restarts=0)(Mailbox)
        self._mailbox = mailbox.options(scheduling_strategy=here).remote()

    @property
    def grows(self) -> bool:
        """Whether nodes may still come."""
        return not self._own

    @property
    def shares_devices(self) -> bool:
        """Whether no node is left to train on but those that measure."""
        return not self._trainers()

    def parallel(self, place: Place) -> int:
        """How many such tasks run at once now."""
        nodes = self._trainers() or self._nodes()
        return max(1, sum(_fitting(node, place) for node in nodes))

    def submit(self, number: int, task: Task, place: Place, avoid: frozenset[str]) -> None:
        """Submit a task to Ray."""
        options: dict[str, Any] = {"name": f"{task.stage.name} {task.key[:8]}"}
        if place.device is not None:
            node = self._of_device(place.device)
            given = node["Resources"]
            name = LOCAL if self._own else resource(place.device)
            options |= {
                "num_cpus": given.get("CPU", 0),
                "resources": {name: 1},
                "scheduling_strategy": self._pinned(node["NodeID"]),
            }
        else:
            options |= {"num_cpus": place.cpus, "num_gpus": place.gpus}
            if not self.shares_devices:
                avoid |= {node["NodeID"] for node in self._nodes() if _measures(node)}
            if avoid:
                # Nodes that come later are none of these.
                options["label_selector"] = {"ray.io/node-id": f"!in({','.join(sorted(avoid))})"}
        reference = self._run.options(**options).remote(number, task, self._mailbox)
        self._refs[reference] = number

    def hear(self, timeout_s: float) -> News:
        """What was heard."""
        news = News()
        if self._refs:
            waiting = list(self._refs)
            if self._ray.wait(waiting, num_returns=1, timeout=timeout_s)[0]:
                ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
                news.ended.extend(self._ended(one) for one in ready)
        else:
            time.sleep(timeout_s)
        # After the tasks: one sends the last of its events before it ends.
        news.events.extend(self._ray.get(self._mailbox.take.remote()))
        return news

    def _ended(self, reference: Any) -> tuple[int, str, Outcome | Lost]:
        errors = self._ray.exceptions
        number = self._refs.pop(reference)
        try:
            node, outcome = self._ray.get(reference)
        except errors.OutOfMemoryError:
            return number, "", Lost("Ray ended its worker, as the node ran out of memory", True)
        except (errors.NodeDiedError, errors.LocalRayletDiedError):
            return number, "", Lost("its node was lost")
        except errors.RayTaskError as error:
            why = f"no worker can run edgestill ({reason(error.cause or error)})"
            raise HostError(why, fix="install the same edgestill on every node") from error
        except errors.TaskCancelledError:
            return number, "", Lost("it was cancelled in Ray")
        except errors.RayError as error:
            memory = "out of memory" in str(error).lower() or "oom" in str(error).lower()
            if not isinstance(error, errors.WorkerCrashedError) and not memory:
                return number, "", Lost(f"Ray lost it ({reason(error)})")
            return number, "", Lost("its worker died", memory)
        return number, node, outcome

    def cancel(self, numbers: list[int]) -> None:
        """Interrupt tasks; those that do not end in a few seconds are killed."""
        refs = [one for one, number in self._refs.items() if number in set(numbers)]
        for force in (False, True):
            for one in refs:
                with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
                    self._ray.cancel(one, force=force, recursive=True)
            if refs:
                _, refs = self._ray.wait(refs, num_returns=len(refs), timeout=_CANCEL_S)
        self._refs = {one: n for one, n in self._refs.items() if n not in set(numbers)}

    def missing(self, place: Place, avoid: frozenset[str]) -> str | None:
        """Why no node could take such a task."""
        if place.device is not None:
            return None if self._with_device(place.device) else f"no {place}"
        nodes = [node for node in self._nodes() if node["NodeID"] not in avoid]
        if any(_fitting(node, place) for node in nodes):
            return None
        has = ", ".join(f"{int(n['Resources'].get('CPU', 0))} on {_name(n)}" for n in nodes[:4])
        return f"no node with {place} (cores: {has or 'no node'})"

    def machine(self, place: Place) -> Machine:
        """What of the device's node stands in keys; it is asked once."""
        assert place.device is not None  # noqa: S101 - other places are no one node
        node = self._of_device(place.device)
        if node["NodeID"] not in self._machines:
            ask = self._ray.remote(num_cpus=0, max_retries=1)(describe)
            asked = ask.options(scheduling_strategy=self._pinned(node["NodeID"])).remote()
            try:
                self._machines[node["NodeID"]] = self._ray.get(asked, timeout=_ANSWER_S)
            except self._ray.exceptions.RayError as error:
                raise HostError(
                    f"no answer of the node {_name(node)} ({reason(error)})",
                    where="benchmark.device",
                    fix="install the same edgestill there, and look whether its Ray runs",
                ) from error
        return self._machines[node["NodeID"]]

    def node(self, node_id: str) -> str:
        """Its name, or the beginning of its id."""
        if node_id not in self._names:
            self._names |= {node["NodeID"]: _name(node) for node in self._nodes()}
        return self._names.get(node_id, node_id[:8])

    def close(self) -> None:
        """Nothing is left of the tasks; ``opened`` ends Ray."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._mailbox)

    def _nodes(self) -> list[dict[str, Any]]:
        now = time.monotonic()
        if now - self._seen[0] > _NODES_S:
            alive = [node for node in self._ray.nodes() if node["Alive"]]
            self._seen = now, sorted(alive, key=lambda node: (_name(node), node["NodeID"]))
        return self._seen[1]

    def _trainers(self) -> list[dict[str, Any]]:
        nodes = self._nodes()
        return [node for node in nodes if not _measures(node) and node["Resources"].get("CPU", 0)]

    def _with_device(self, device: str) -> list[dict[str, Any]]:
        name = LOCAL if self._own else resource(device)
        return [node for node in self._nodes() if node["Resources"].get(name, 0) >= 1]

    def _of_device(self, device: str) -> dict[str, Any]:
        found = self._with_device(device)
        if found:
            return found[0]
        name = resource(device)
        raise HostError(
            f"no node with the resource {name!r}",
            expected="one, which measures and does nothing else meanwhile",
            where="benchmark.device",
            fix=f"""start its Ray with: ray start --resources='{{"{name}": 1}}' …""",
        )

    def _pinned(self, node_id: str, *, soft: bool = False) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node_id, soft=soft)


def _name(node: dict[str, Any]) -> str:
    return str(node.get("NodeManagerHostname") or node["NodeManagerAddress"])


def _measures(node: dict[str, Any]) -> bool:
    return any(name.startswith(_DEVICE) for name in node["Resources"])


def _fitting(node: dict[str, Any], place: Place) -> int:
    """How many such tasks the node holds."""
    given = node["Resources"]
    fits = int(given.get("CPU", 0)) // max(1, place.cpus)
    return min(fits, int(given.get("GPU", 0)) // place.gpus) if place.gpus else fits


class Mailbox:
    """An actor: what tasks report, until the driver takes it."""

    def __init__(self) -> None:
        self._events: list[tuple[int, str, Event]] = []

    def put(self, events: list[tuple[int, str, Event]]) -> None:
        """Keep some."""
        self._events += events

    def take(self) -> list[tuple[int, str, Event]]:
        """Hand over all of them."""
        events, self._events = self._events, []
        return events


class _Post:
    """A task's end of the mailbox: several events are one call."""

    def __init__(self, mailbox: Any, number: int, node: str) -> None:
        self._mailbox, self._number, self._node = mailbox, number, node
        self._events: list[tuple[int, str, Event]] = []
        self._sent = 0.0

    def __call__(self, event: Event) -> None:
        self._events.append((self._number, self._node, event))
        if event[0] in _AT_ONCE or time.monotonic() - self._sent > _SECONDS_BETWEEN:
            self.send()

    def send(self) -> Any:
        events, self._events = self._events, []
        self._sent = time.monotonic()
        return self._mailbox.put.remote(events)


def run(number: int, task: Task, mailbox: Any) -> tuple[str, Outcome]:
    """On a worker: run a task; its node's id and what became of it.

    Args:
        number: of the task.
        task: to run.
        mailbox: gets its events.
    """
    import ray

    node = ray.get_runtime_context().get_node_id()
    post = _Post(mailbox, number, node)
    outcome = perform(task, post)
    ray.get(post.send())
    return node, outcome
