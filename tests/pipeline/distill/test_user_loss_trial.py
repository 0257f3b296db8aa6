"""A user's loss is tried once before any training: with what, and what a refusal says in full."""

import sys

import pytest
import torch
from edgestill.errors import RecipeError
from edgestill.pipeline.distill import losses
from edgestill.pipeline.recipe.distill import SoftLosses
from edgestill.pipeline.tasks import of

MODULE = """
calls = []

def kept(student, teacher, labels, settings):
    calls.append((student.detach().clone(), teacher.clone(), labels, settings))
    return (student - teacher).square().mean()

def detached(student, teacher, *more):
    return student.detach().mean() * 0 + 0.25

def endless(student, teacher, *more):
    return student.mean() * float("inf")

def rows(student, teacher, *more):
    return student.mean(1)

def counted(student, teacher, *more):
    return student.argmax()

def fails(student, teacher, *more):
    raise ValueError("no such thing")
"""
SCALAR = "a float tensor without axes"
MEAN = "return the mean over the samples, such as (student - teacher).square().mean()"
LEARNS = "a finite scalar that depends on the student"
OPERATIONS = "compute it from the first argument with torch operations, without detach or item"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The user's module, which keeps what it was called with."""
    (tmp_path / "tried.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield lambda: sys.modules["tried"].calls
    sys.modules.pop("tried", None)


def soft(name):
    return SoftLosses(losses={f"tried:{name}": 1.0})


def refused(settings, task, outputs=3):
    with pytest.raises(RecipeError) as caught:
        losses.check(settings, of(task), outputs)
    error = caught.value
    return error.found, error.expected, error.where, error.fix


@pytest.mark.parametrize(("outputs", "length"), [(3, 3), (1, 1), (20, 20), (None, 8)])
def test_it_is_tried_with_eight_samples_of_the_students_outputs_or_of_eight(
    module, outputs, length
):
    settings = soft("kept")
    losses.check(settings, of("classification"), outputs)
    ((student, teacher, labels, given),) = module()
    assert student.shape == teacher.shape == (8, length)
    assert not torch.equal(student, teacher)
    assert labels.dtype == torch.int64
    assert labels.tolist() == [i % length for i in range(8)]
    assert given is settings


@pytest.mark.parametrize("task", ["multi-label", "embedding"])
def test_a_task_whose_classes_do_not_exclude_each_other_gives_it_no_labels(module, task):
    losses.check(soft("kept"), of(task), 3)
    ((_, _, labels, _),) = module()
    assert labels is None


def test_each_trial_is_of_the_same_numbers_and_draws_none_from_the_training(module):
    before = torch.get_rng_state()
    for _ in range(2):
        losses.check(soft("kept"), of("classification"), 3)
    first, second = module()
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rows", ("float32 [8] from 'tried:rows'", SCALAR, "distill.losses", MEAN)),
        ("counted", ("int64 [] from 'tried:counted'", SCALAR, "distill.losses", MEAN)),
        (
            "detached",
            (
                "a value of 0.25 without a gradient from 'tried:detached'",
                *(LEARNS, "distill.losses", OPERATIONS),
            ),
        ),
        (
            "fails",
            (
                "'tried:fails' failed with ValueError: no such thing",
                *(None, "distill.losses"),
                "it is called as fails(student, teacher, labels, settings)",
            ),
        ),
    ],
)
def test_a_refusal_says_what_was_found_what_is_expected_where_and_what_to_do(module, name, said):
    assert refused(soft(name), "classification") == said


def test_a_value_without_end_is_refused_though_it_has_a_gradient(module):
    found, *rest = refused(soft("endless"), "classification")
    assert found.startswith("a value of ")
    assert "inf that is not finite from 'tried:endless'" in found
    assert rest == [LEARNS, "distill.losses", OPERATIONS]


def test_a_function_between_layers_is_told_its_own_arguments(module):
    with pytest.raises(RecipeError) as caught:
        losses.layer_loss("tried:fails")(torch.ones(2, 3), torch.zeros(2, 3))
    assert caught.value.where == "distill.layers"
    assert caught.value.fix == "it is called as fails(student, teacher)"


def test_standardized_outputs_of_labels_are_refused_in_full():
    assert refused(SoftLosses(losses={"mse": 1.0}, standardize=True), "multi-label") == (
        "true",
        "false for the task 'multi-label', whose outputs have a meaning each",
        "distill.standardize",
        "leave distill.standardize out",
    )
