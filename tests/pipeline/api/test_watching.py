"""What a call says of itself: events for a function, one line in a notebook, or nothing."""

import sys
from types import SimpleNamespace

import pytest
from edgestill.pipeline.api import watching
from edgestill.pipeline.api.watching import Caller, Event, InNotebook, shown, watched
from edgestill.pipeline.progress import OnConsole, Silent


def work(watch):
    """A build of one stage of two steps."""
    watch.planned(["student", "verify"])
    with watch.stage("student"), watch.progress.steps("epochs", 2) as steps:
        steps.advance()
        steps.advance("0.9")
    watch.progress.note("a note")
    watch.progress.warn("a warning")


def test_a_function_is_called_with_every_event():
    events = []
    with watched(events.append, "edgestill.build") as watch:
        work(watch)
    of = {"stage": "student", "number": 1, "stages": 2}
    assert events == [
        Event("begin", **of),
        Event("step", **of, what="epochs", total=2),
        Event("step", **of, what="epochs", done=1, total=2),
        Event("step", **of, what="epochs", done=2, total=2, text="0.9"),
        Event("end", **of),
        Event("note", stages=2, text="a note"),
        Event("warning", stages=2, text="a warning"),
    ]


class StopError(Exception):
    pass


def stop(event):
    if event.done:
        raise StopError("enough")


def test_an_error_of_the_function_ends_the_call_as_it_is():
    refused = pytest.raises(StopError, match="enough")
    with refused as ended, watched(stop, "edgestill.build") as watch:
        work(watch)
    (note,) = ended.value.__notes__
    assert note == "raised by the function given as progress= to edgestill.build in stage student"


def test_a_stage_that_takes_the_error_for_its_own_does_not_hide_it():
    def hide(watch):
        try:
            work(watch)
        except StopError as error:
            raise ValueError("the module failed") from error

    def swallow(watch):
        with pytest.raises(StopError):
            work(watch)

    for wrong in (hide, swallow):
        with pytest.raises(StopError), watched(stop, "edgestill.build") as watch:
            wrong(watch)


def test_a_failure_of_the_call_is_not_the_functions():
    failed = pytest.raises(ValueError, match="a failure")
    with failed, watched(lambda _: None, "edgestill.build"):
        raise ValueError("a failure")


def test_false_is_silent_true_is_shown_and_an_object_is_taken_as_it_is(monkeypatch):
    monkeypatch.setattr(watching, "_notebook", lambda: None)
    with watched(False, "c") as watch:
        work(watch)
        assert isinstance(watch.progress, Silent)
    with watched(True, "c") as watch:
        assert isinstance(watch.progress, OnConsole)
    own = Silent()
    with watched(own, "c") as watch:
        work(watch)
    assert own.warnings == ["a warning"]


class Display:
    """IPython's display: what a cell shows in the end, and each version of it."""

    def __init__(self):
        self.outputs, self.versions = [], 0

    def __call__(self, bundle, *, raw, display_id=False):
        assert raw
        self.outputs.append(bundle["text/plain"])
        place = len(self.outputs) - 1

        def update(bundle, *, raw):
            self.outputs[place] = bundle["text/plain"]
            self.versions += 1

        return SimpleNamespace(update=update) if display_id else None


def test_in_a_notebook_one_line_is_replaced_and_warnings_stay(monkeypatch):
    display = Display()
    monkeypatch.setattr(watching, "_notebook", lambda: display)
    with watched(True, "c") as watch:
        assert isinstance(watch.progress, InNotebook)
        work(watch)
    assert display.outputs == ["a note", "warning: a warning"]
    assert 1 <= display.versions <= 4


def test_stages_before_a_plan_count_among_all_of_them(monkeypatch):
    display, events = Display(), []
    monkeypatch.setattr(watching, "_LEAST_S", 0.0)
    for progress in (InNotebook(display), Caller(events.append, "c")):
        with progress.stage("student"):
            pass
        progress.planned(["verify", "benchmark"])
        with progress.stage("verify"):
            progress.note("a note")
            if not events:
                assert display.outputs == ["stage 2 of 3, verify: a note"]
    assert [(event.number, event.stages) for event in events if event.kind == "begin"] == [
        (1, 0),
        (2, 3),
    ]


def test_steps_of_a_notebook_say_how_many_are_done(monkeypatch):
    display = Display()
    monkeypatch.setattr(watching, "_LEAST_S", 0.0)
    notebook = InNotebook(display)
    notebook.planned(["student", "verify"])
    with notebook.stage("student"), notebook.steps("epochs", 4) as steps:
        steps.advance("0.9")
        assert display.outputs == ["stage 1 of 2, student: epochs 1/4, 0 s left  0.9"]
    assert display.outputs[0].startswith("stage 1 of 2, student: done in ")
    with notebook.steps("quantize", 1) as steps:
        steps.advance()
    assert display.outputs[0].startswith("quantize 1/1, in ")
    notebook.ended("build")
    assert display.outputs[0].startswith("build done in ")


def test_a_notebook_is_known_by_its_kernel_and_nothing_is_imported_for_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.delitem(sys.modules, "IPython")
    assert not isinstance(shown(), InNotebook)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=Display()))
    assert isinstance(shown(), InNotebook)
    del shell.kernel
    assert not isinstance(shown(), InNotebook)
