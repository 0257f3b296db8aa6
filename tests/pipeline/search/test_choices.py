"""The space of a search: what may be chosen, and what each choice makes of the recipe."""

import pytest
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.search import CHOICES
from edgestill.pipeline.search.choices import TABLE, may_change_student, space_of
from edgestill.pipeline.search.ladder import changed
from fake_trials import recipe

ARCHITECTURES = tuple(
    Architecture(model=model, width=width)
    for model, widths in {"resnet8": (4, 8, 16, 32), "mlp1": (16, 64)}.items()
    for width in widths
)
HERE = "fake_trials"


def options(space):
    return {choice.key: choice.options for choice in space.choices}


def test_every_name_of_the_recipe_is_a_line_of_the_table():
    assert set(CHOICES) == {"student", *TABLE}


def test_the_recipe_itself_is_one_of_the_choices():
    given = recipe(distill={"temperature": 3.0, "alpha": 0.8, "learning_rate": 0.02})
    space = space_of(given, ARCHITECTURES)
    assert changed(given, space.change(space.own())) == given


def test_a_student_that_is_no_candidate_is_one_all_the_same():
    given = recipe(student={"model": "resnet8", "width": 12})
    space = space_of(given, ARCHITECTURES)
    assert space.widths["resnet8"] == (4, 8, 12, 16, 32)
    assert changed(given, space.change(space.own())) == given


def test_every_choice_makes_a_recipe_and_every_candidate_is_reached():
    given = recipe()
    space = space_of(given, ARCHITECTURES)
    students = set()
    for model in range(2):
        for width in range(4):
            picks = {**space.own(), "student.model": model, "student.width": width}
            made = changed(given, space.change(picks)).student
            students.add((made.model, made.width))
    assert students == {(one.model, one.width) for one in ARCHITECTURES}


def test_numbers_lie_around_the_recipes_own():
    found = options(space_of(recipe(distill={"learning_rate": 0.01, "epochs": 7}), ()))
    assert found["distill.learning_rate"] == (0.00333, 0.01, 0.03)
    assert found["distill.epochs"] == (7, 14)
    assert found["distill.temperature"] == (1.0, 2.0, 4.0, 8.0)
    assert found["distill.alpha"] == (0.5, 0.9, 1.0)


def test_a_loss_without_a_temperature_is_one_choice_and_not_four():
    space = space_of(recipe(), ())
    mse = [set(one) for one in options(space)["distill.losses"]].index({"mse"})
    cold = {**space.own(), "distill.losses": mse, "distill.temperature": 0}
    assert space.change(cold) == space.change({**cold, "distill.temperature": 3})


def test_a_task_is_offered_its_own_losses_and_no_temperature_that_none_of_them_takes():
    found = options(space_of(recipe(data={"source": "digits", "task": "regression"}), ()))
    assert {"mse": 1.0} in found["distill.losses"]
    assert {"dkd": 1.0} not in found["distill.losses"]
    vectors = recipe(
        data={"source": "digits", "task": "embedding"},
        distill={"losses": {"cosine": 1.0}},
        gate={"min_score": 0.5},
    )
    assert "distill.temperature" not in options(space_of(vectors, ()))
    assert "distill.alpha" not in options(space_of(vectors, ()))


def test_search_choices_narrows_the_space():
    space = space_of(recipe(search={"choices": ["student"]}), ARCHITECTURES)
    assert set(options(space)) == {"student.model", "student.width"}
    assert space.size == 8
    assert set(options(space_of(recipe(search={"choices": ["alpha"]}), ARCHITECTURES))) == {
        "distill.alpha"
    }


def test_one_model_leaves_its_width_to_choose():
    space = space_of(recipe(search={"choices": ["student"]}), ARCHITECTURES[:4])
    assert set(options(space)) == {"student.width"}
    assert space.change({"student.width": 3}) == {"student.model": "resnet8", "student.width": 32}


def test_a_student_that_is_to_be_chosen_begins_in_the_middle():
    space = space_of(recipe(student={"model": "auto"}), ARCHITECTURES)
    assert space.change(space.own())["student.width"] == 64


@pytest.mark.parametrize(
    ("parts", "may"),
    [
        ({}, True),
        ({"student": {"model": f"{HERE}:recipe"}}, False),
        (
            {"distill": {"views": 0, "layers": [{"loss": "rkd", "teacher": "a", "student": "b"}]}},
            False,
        ),
    ],
)
def test_a_students_function_and_its_layers_keep_it(parts, may):
    assert may_change_student(recipe(**parts)) is may
