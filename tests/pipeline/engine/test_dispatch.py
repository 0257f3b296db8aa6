"""Waiting for nodes, and what belongs to which flow: the dispatcher on its own clock."""

from types import SimpleNamespace

import pytest
from edgestill.errors import HostError
from edgestill.pipeline.engine.dispatch import Call, Dispatcher
from edgestill.pipeline.engine.executor import News, Place, resource
from edgestill.pipeline.engine.shown import Shown
from edgestill.pipeline.engine.task import Done
from edgestill.pipeline.progress import Silent
from fake_executor import FakeExecutor

FOUR = Place(4)


class Slow(FakeExecutor):
    """Nothing is ever heard of a task."""

    def hear(self, timeout_s):
        return News()


def call(key="k", place=FOUR, needs=()):
    task = SimpleNamespace(stage=SimpleNamespace(name="student"), shards=None)
    return Call(key, task, place, Shown("student", Silent(), None, None), needs)


def dispatcher_of(executor):
    now, warned = [0.0], []
    return Dispatcher(executor, warned.append, lambda: now[0]), now, warned


def test_where_a_node_may_still_come_it_is_waited_for_and_said():
    dispatcher, now, warned = dispatcher_of(Slow(cpus=2, grows=True))
    waiting = dispatcher.add(call())
    for seconds in (5.0, 20.0, 40.0, 500.0):
        now[0] = seconds
        dispatcher.hear(0.0)
    assert warned == ["student waits for a node: no node with 4 cores"]
    now[0] = 700.0
    dispatcher.hear(0.0)
    with pytest.raises(HostError, match=r"no node with 4 cores.*add such a node"):
        dispatcher.wait(waiting, [waiting])


def test_a_task_that_only_waits_for_its_turn_is_no_news():
    dispatcher, now, warned = dispatcher_of(Slow(cpus=8, grows=True))
    dispatcher.add(call())
    now[0] = 5000.0
    dispatcher.hear(0.0)
    assert not warned


def test_what_needs_a_failed_call_fails_with_it():
    dispatcher, *_ = dispatcher_of(Slow(cpus=2))
    first = dispatcher.add(call())
    second = dispatcher.add(call("other", Place(1), (first,)))
    assert first.error is second.error is not None
    third = dispatcher.add(call("third", Place(1), (second,)))
    assert third.error is first.error
    assert dispatcher.find("k") is None


def test_a_call_is_cancelled_when_no_flow_holds_it():
    executor = Slow()
    dispatcher, *_ = dispatcher_of(executor)
    one = dispatcher.add(call(place=Place(1)))
    one.holders = 2
    dispatcher.let_go([one])
    assert not executor.cancelled
    dispatcher.let_go([one])
    assert executor.cancelled == [1]
    assert one.state == "cancelled"


def test_a_call_that_is_done_is_not_found_again():
    dispatcher, *_ = dispatcher_of(Slow())
    one = dispatcher.add(call(place=Place(1)))
    assert dispatcher.find("k") is one
    dispatcher._take(News(ended=[(1, "one", Done({}, True))]))
    assert dispatcher.wait(one, [one]) == Done({}, True)
    assert dispatcher.find("k") is None


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (Place(1), "1 core"),
        (Place(4), "4 cores"),
        (Place(4, gpus=1), "4 cores and 1 GPU"),
        (Place(device="pi5"), "the node with the resource device:pi5"),
    ],
)
def test_a_place_says_what_it_takes(place, told):
    assert str(place) == told
    assert place.alone == (place.device is not None)
    assert resource("pi5") == "device:pi5"
