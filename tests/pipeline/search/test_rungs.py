"""What a ladder may change, and what it is for."""

import pytest
from edgestill.pipeline.judge.rungs import RUNGS, State
from edgestill.pipeline.recipe.search import LADDER
from edgestill.pipeline.records import Cost, Shortfall
from edgestill.pipeline.search.rungs import ONCE, needs, options, over
from edgestill.toolchains import interpreter
from fake_trials import recipe


class Neighbours:
    """Three larger students, and no smaller one."""

    def larger(self):
        widths = (12, 16, 24)
        return (Cost(model="resnet8", width=one, parameters=1, macs=one) for one in widths)

    def smaller(self):
        return iter(())


def miss(key, value=2.0):
    return Shortfall(key=key, budget=1.0, value=value, needed=1.0, excess=1.0)


def found(name, **parts):
    return options(name, State(recipe(**parts), best_epoch=20), Neighbours())


def test_every_rung_of_a_recipe_is_one_of_the_table_in_its_order():
    assert tuple(RUNGS) == LADDER
    assert set(LADDER) > ONCE


def test_what_is_missed_says_what_has_to_be_mended():
    both = {"fp32": (miss("max_p50_ms"),), "int8-static": (miss("min_accuracy"),)}
    assert needs(both) == {"time", "compression"}
    assert needs({"fp32": (miss("min_accuracy"),)}) == {"student"}
    alike = {"fp32": (miss("min_accuracy"),), "int8-static": (miss("min_accuracy"),)}
    assert needs(alike) == {"student"}
    assert needs({"fp32": (), "int8-static": (miss("max_drop_vs_fp32"),)}) == {"compression"}
    assert needs({"fp32": (miss("max_size_kib"), miss("max_arena_kib"))}) == {"size", "memory"}
    assert needs({}) == frozenset()


def test_how_far_over_is_that_of_time_memory_and_size_alone():
    assert over(()) == 1.0
    assert over((miss("min_accuracy", 9.0), miss("max_size_kib", 3.0))) == 3.0


def test_what_is_beyond_a_rung_is_not_tried():
    far = options("pruning", State(recipe(), over=50.0), Neighbours())
    assert far == "50 times a budget is beyond what it gains"


def test_formats_of_the_recipe_are_tried_where_their_toolchain_is_there(monkeypatch):
    assert "names no format" in found("runtime")
    monkeypatch.setattr(interpreter, "python_of", lambda name: None)
    exported = {"formats": ["onnx"]}
    lacking = found("runtime", search={"formats": ["openvino"]}, export=exported)
    assert lacking == "not set up: edgestill toolchains setup openvino"
    (change,) = found("runtime", search={"formats": ["openvino", "ort"]}, export=exported)
    assert change == {"export.formats": ["onnx", "ort"]}


def test_a_format_that_is_added_may_ship_where_the_app_says_what_it_takes():
    gate = {"min_accuracy": 0.9, "runtimes": ["onnx"]}
    (change,) = found(
        "runtime", search={"formats": ["ort"]}, export={"formats": ["onnx"]}, gate=gate
    )
    assert change["gate.runtimes"] == ["onnx", "ort"]


@pytest.mark.parametrize(
    ("task", "losses"),
    [
        ("classification", ["dist", "dkd", "mse"]),
        ("multi-label", ["mse"]),
    ],
)
def test_the_other_losses_of_the_task_are_tried_one_by_one(task, losses):
    given = found("loss", data={"source": "digits", "task": task})
    assert [next(iter(change["distill.losses"])) for change in given] == losses


def test_students_are_those_that_were_measured_and_a_function_has_one_size():
    assert list(found("larger")) == [
        {"student.model": "resnet8", "student.width": 12},
        {"student.model": "resnet8", "student.width": 16},
    ]
    assert found("smaller") == "no smaller student meets the budgets of resources"
    own = found("larger", student={"model": "nets:make"})
    assert "a function of yours" in own
