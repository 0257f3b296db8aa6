"""One remote stage on the progress of a command, and in its log."""

from contextlib import contextmanager

from edgestill.pipeline.api.watching import Caller
from edgestill.pipeline.engine.shown import Shown


def shown_of(name, caller, log=None, shards=0):
    return Shown(name, caller, caller.stage, log, shards)


def test_stages_that_run_at_once_are_told_apart():
    events = []
    caller = Caller(events.append, "a test")
    one, two = shown_of("student", caller), shown_of("tuned", caller)
    one.hear("a", ("begin",))
    two.hear("b", ("begin",))
    one.hear("a", ("steps", 1, "student", 2))
    two.hear("b", ("note", "half"))
    one.hear("a", ("advance", 1, 2, "loss 1"))
    one.end()
    two.hear("b", ("note", "more"))
    two.end()
    found = [(event.kind, event.stage, event.number) for event in events]
    assert found == [
        ("begin", "student", 1),
        ("begin", "tuned", 2),
        ("step", "student", 1),
        ("note", "tuned", 2),
        ("step", "student", 1),
        ("step", "student", 1),
        ("end", "student", 1),
        ("note", "tuned", 2),
        ("end", "tuned", 2),
    ]


def test_what_a_lost_task_had_begun_is_begun_again():
    events = []
    caller = Caller(events.append, "a test")
    one = shown_of("student", caller)
    one.hear("a", ("begin",))
    one.hear("a", ("steps", 1, "student", 2))
    one.restart()
    one.hear("a", ("advance", 1, 1, ""))
    one.hear("b", ("begin",))
    one.hear("b", ("steps", 1, "student", 2))
    one.end()
    assert [event.kind for event in events] == ["begin", "step", "step", "end"]


def test_a_stage_that_failed_does_not_end_well():
    told = []

    @contextmanager
    def around(name):
        try:
            yield
        except ValueError as error:
            told.append(str(error))
            raise

    one = Shown("student", Caller(lambda _: None, "a test"), around, None)
    one.begin()
    one.end(ValueError("bad"))
    one.end(ValueError("bad"))
    assert told == ["bad"]


def test_a_log_has_a_line_an_event_with_the_node(tmp_path):
    log = tmp_path / "logs" / "1.log"
    one = shown_of("targets", Caller(lambda _: None, "a test"), log, shards=3)
    one.part_stored()
    for event in (("arrived", "host", 7), ("begin",), ("printed", "hello"), ("warn", "look")):
        one.hear("node-1", event, "shard 2 of 3")
    one.part_done("node-1")
    one.end()
    lines = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert lines == [
        "node-1 shard 2 of 3: on host, pid 7",
        "node-1 shard 2 of 3: runs",
        "node-1 shard 2 of 3: hello",
        "node-1 shard 2 of 3: warning: look",
    ]
