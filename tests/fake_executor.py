"""A cluster in this process: tasks run when the driver listens, and fail as they are told to.

executor = FakeExecutor(lose={"shard": 1})
with Cluster(executor, None) as cluster: ...
"""

from collections import Counter

from edgestill.errors import HostError
from edgestill.pipeline.engine.executor import Lost, News
from edgestill.pipeline.engine.keys import this_machine
from edgestill.pipeline.engine.task import Refused, perform


class FakeExecutor:
    """Runs tasks one after the other, in the order in which they were submitted.

    Args:
        lose: by stage, how many of its tasks are lost before they run.
        memory: whether they are lost for want of memory.
        refuse: nodes that would give another key.
        nodes: that take tasks, in turn.
        cpus: of each.
        shares_devices: whether a node that trains is also measured on.
        grows: whether nodes may still come.
    """

    def __init__(
        self,
        lose=(),
        memory=False,
        refuse=(),
        nodes=("one", "two"),
        cpus=2,
        shares_devices=False,
        grows=False,
        devices=("host",),
    ):
        self.lose, self.memory, self.refuse = Counter(dict(lose)), memory, set(refuse)
        self.nodes, self.cpus, self.devices = nodes, cpus, devices
        self.shares_devices, self.grows = shares_devices, grows
        self.waiting, self.submitted, self.cancelled, self.most = {}, [], [], 0
        self.closed = False

    def parallel(self, place):
        return len(self.nodes)

    def submit(self, number, task, place, avoid):
        node = next(one for one in self.nodes if one not in avoid)
        self.waiting[number] = (task, node)
        self.most = max(self.most, len(self.waiting))
        self.submitted.append((task.stage.name, place, node))

    def hear(self, timeout_s):
        if not self.waiting:
            raise AssertionError("the driver waits for what nobody runs")
        number = next(iter(self.waiting))
        task, node = self.waiting.pop(number)
        name = "merge" if task.shards is not None else task.stage.name
        if self.lose[name] > 0:
            self.lose[name] -= 1
            return News(ended=[(number, node, Lost("its worker died", self.memory))])
        if node in self.refuse:
            return News(ended=[(number, node, Refused("torch", "2.1", "2.2"))])
        events = []
        outcome = perform(task, lambda event: events.append((number, node, event)))
        return News(events, [(number, node, outcome)])

    def cancel(self, numbers):
        self.cancelled += numbers
        for number in numbers:
            self.waiting.pop(number, None)

    def missing(self, place, avoid):
        if place.device is not None:
            return None if place.device in self.devices else f"no {place}"
        left = [one for one in self.nodes if one not in avoid]
        return None if left and place.cpus <= self.cpus else f"no node with {place}"

    def machine(self, place):
        if place.device not in self.devices:
            raise HostError(f"no node with {place.device}")
        return this_machine()

    def node(self, node_id):
        return node_id

    def close(self):
        self.closed = True
