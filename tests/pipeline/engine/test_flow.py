"""What a key is made of, and that every stage takes the input that it declares."""

import inspect
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from typing import get_type_hints

import pytest
from edgestill.pipeline import stages
from edgestill.pipeline.data.inputs import DataInputs
from edgestill.pipeline.engine import keys
from edgestill.pipeline.engine.compute import Compute
from edgestill.pipeline.engine.flow import Builder, Planner
from edgestill.pipeline.engine.stage import Made, Stage
from edgestill.pipeline.engine.store import Store
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.data import Data
from edgestill.pipeline.records import Record
from edgestill.pipeline.stages import DATA


class Sum(Record):
    total: int


@dataclass(frozen=True)
class Inner:
    numbers: tuple[int, ...] = (1, 2)


MODEL = Architecture(model="mlp1")
ONE = Compute(1)


@dataclass(frozen=True)
class SumInputs:
    inner: Inner = Inner()
    model: Architecture = MODEL
    before: Made[Sum] | None = None


SUM = Stage("sum", "pipeline.engine.store:digest_of", SumInputs, Sum, libraries=())
DECLARED = [value for value in vars(stages).values() if isinstance(value, Stage)]


def key(inputs):
    return keys.ingredients(SUM, inputs, ONE)["inputs"]


@pytest.mark.parametrize("stage", DECLARED, ids=lambda stage: stage.name)
def test_a_stages_function_takes_the_inputs_that_the_stage_declares(stage):
    module, _, name = stage.run.partition(":")
    function = getattr(import_module(f"edgestill.{module}"), name)
    expected = ["out", "progress", "inputs", *(["work"] if stage.resumes else [])]
    assert list(inspect.signature(function).parameters) == expected
    hints = get_type_hints(function)
    assert hints["inputs"] is stage.takes
    assert hints["return"] is stage.gives
    assert is_dataclass(stage.takes)
    assert stage.takes.__dataclass_params__.frozen


def test_every_field_of_the_inputs_is_part_of_the_key():
    made = Made(SUM, "abc")
    found = key(SumInputs(before=made))
    assert set(found) == {field.name for field in fields(SumInputs)}
    assert found["before"] == {"key": "abc"}
    assert found["inner"] == {"numbers": [1, 2]}
    assert found["model"] == MODEL.ingredients()


@pytest.mark.parametrize(
    "changed",
    [
        {"inner": Inner((1, 3))},
        {"model": Architecture(model="mlp2")},
        {"before": Made(SUM, "other")},
        {"before": None},
    ],
    ids=str,
)
def test_another_value_of_any_field_is_another_key(changed):
    inputs = SumInputs(before=Made(SUM, "abc"))
    assert key(inputs) != key(replace(inputs, **changed))


def test_inputs_of_another_stage_and_values_without_a_json_form_are_refused():
    with pytest.raises(TypeError, match="sum takes SumInputs, not Inner"):
        key(Inner())
    with pytest.raises(TypeError, match="object in the inputs of a stage"):
        key(SumInputs(inner=object()))


def test_a_planner_and_a_builder_give_a_stage_the_same_key(tmp_path, monkeypatch):
    def total(out, progress, inputs):
        return Sum(total=sum(inputs.inner.numbers))

    monkeypatch.setattr("edgestill.pipeline.engine.flow.function_of", lambda _: total)
    store = Store(tmp_path)
    planner, builder = Planner(store, ONE), Builder(store, ONE, Silent())
    planned = planner.run_stage(SUM, SumInputs())
    with pytest.raises(RuntimeError, match="sum was planned, not built"):
        _ = planned.record
    made = builder.run_stage(SUM, SumInputs())
    assert (made.key, made.record.total) == (planned.key, 3)
    assert [step.cached for step in planner.steps] == [False]
    assert Planner(store, ONE).run_stage(SUM, SumInputs()).key == made.key
    builder.run_stage(SUM, SumInputs())
    assert builder.ran == ["sum"]


def test_keys_change_with_threads_sources_and_versions():
    inputs = DataInputs(Data(source="npz:a.npz"), "", None, 0)
    stage = replace(DATA, threads=True, libraries=("torch",))
    one = keys.ingredients(stage, inputs, ONE)
    two = keys.ingredients(stage, inputs, Compute(2))
    assert one != two
    assert one["libraries"]["torch"]
    assert len(one["sources"]) == 64


def test_what_an_output_says_of_later_stages_is_guessed_only_where_the_store_lacks_it(
    tmp_path, monkeypatch
):
    def total(out, progress, inputs):
        return Sum(total=sum(inputs.inner.numbers))

    monkeypatch.setattr("edgestill.pipeline.engine.flow.function_of", lambda _: total)
    store, made = Store(tmp_path), None
    for guess in (False, True):
        planner = Planner(store, ONE, guess=guess)
        made = planner.run_stage(SUM, SumInputs())
        assert planner.holds(lambda one: one.total == 3, made) is guess
        assert planner.guessed
    builder = Builder(store, ONE, Silent())
    assert builder.holds(lambda one: one.total == 3, builder.run_stage(SUM, SumInputs()))
    planner = Planner(store, ONE, guess=True)
    assert planner.holds(lambda one: one.total == 3, made)
    assert not planner.holds(lambda one: one.total == 4, made)
    assert not planner.guessed
