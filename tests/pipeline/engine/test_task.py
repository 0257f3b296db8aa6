"""A task on a worker: events, errors that travel, and what a worker refuses."""

import pickle
from dataclasses import dataclass

import pytest
from edgestill.errors import DataError, EdgestillError, HostError, NoEffectError
from edgestill.pipeline.engine import task as tasks
from edgestill.pipeline.engine.compute import Compute
from edgestill.pipeline.engine.keys import ingredients
from edgestill.pipeline.engine.stage import Stage
from edgestill.pipeline.engine.task import Done, Failed, Refused, Relay, Task, error_of, perform
from edgestill.pipeline.records import Record


class Sum(Record):
    total: int


@dataclass(frozen=True)
class Numbers:
    numbers: tuple[int, ...] = (1, 2)


STAGE = Stage("sum", "m:f", Numbers, Sum, libraries=("numpy",))
ONE = Compute(1)


@pytest.fixture
def run(tmp_path, monkeypatch):
    def run_(function, parts=None):
        monkeypatch.setattr("edgestill.pipeline.engine.flow.function_of", lambda _: function)
        parts = parts or ingredients(STAGE, Numbers(), ONE)
        task = pickle.loads(pickle.dumps(Task(STAGE, Numbers(), parts, ONE, str(tmp_path))))
        events = []
        return perform(task, events.append), events

    return run_


def test_a_task_gives_its_record_and_whether_it_ran(run):
    def total(out, progress, inputs):
        return Sum(total=sum(inputs.numbers))

    assert run(total)[0] == Done({"total": 3}, True)
    outcome, events = run(total)
    assert outcome == Done({"total": 3}, False)
    assert [event[0] for event in events] == ["arrived"]


@pytest.mark.parametrize(
    "error",
    [
        NoEffectError("a", expected="b", where="c", fix="d"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        ZeroDivisionError("division by zero"),
        ModuleNotFoundError("No module named 'torchao'", name="torchao"),
    ],
    ids=repr,
)
def test_an_error_arrives_as_the_one_that_was_raised(run, error):
    from edgestill.pipeline.commands.failures import failure_of

    def fail(out, progress, inputs):
        raise error

    outcome, _ = run(fail)
    assert isinstance(outcome, Failed)
    arrived = error_of(pickle.loads(pickle.dumps(outcome)))
    assert type(arrived) is type(error)
    told, here = failure_of(arrived), failure_of(error)
    assert (str(told), told.exit_code) == (str(here), here.exit_code)
    assert "Traceback" in str(arrived.__cause__)


def test_an_error_that_cannot_travel_says_the_same(run):
    class Local(Exception):
        pass

    def fail(out, progress, inputs):
        raise Local("of a library")

    arrived = error_of(run(fail)[0])
    assert type(arrived) is EdgestillError
    assert arrived.found == "Local: of a library"


def test_problems_that_were_found_together_travel_together():
    error = DataError("one", where="x")
    error.also = (HostError("two", fix="mend"),)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), type(again.also[0])) == (str(error), HostError)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"libraries": {"numpy": "0.1"}}, "numpy"),
        ({"sources": "f" * 64}, "edgestill's own source"),
        ({"gives": "f" * 64}, "edgestill's own source"),
    ],
)
def test_a_worker_that_would_give_another_key_refuses_and_names_both(run, change, what):
    ran = []
    parts = ingredients(STAGE, Numbers(), ONE)
    outcome, _ = run(lambda *told: ran.append(told), {**parts, **change})
    assert isinstance(outcome, Refused)
    assert outcome.what == what
    assert outcome.here != outcome.there
    assert not ran


def test_steps_are_told_a_few_times_a_second_and_none_is_lost(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(tasks.time, "monotonic", lambda: now[0])
    events = []
    with Relay(events.append).steps("epochs", 100) as steps:
        for _ in range(100):
            now[0] += 0.05
            steps.advance("loss 1")
    told = [event for event in events if event[0] == "advance"]
    assert sum(event[2] for event in told) == 100
    assert 20 <= len(told) <= 30
    assert events[0] == ("steps", 1, "epochs", 100)
    assert events[-1] == ("steps done", 1)
