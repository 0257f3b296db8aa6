"""The stage that a build stops after: ``--until``.

>>> known("students")                                                     # doctest: +SKIP
UsageError: --until: found 'students', expected one of data, trial, teacher, …
"""

from ..errors import UsageError, did_you_mean
from .recipe.recipe import Recipe
from .stages import ADAPTATION, STAGES, TARGETS, TEACHER, TRIAL, TUNED, TUNED_VARIANTS
from .teachers import kind


def known(until: str | None) -> None:
    """Refuse a name that no stage has.

    Raises:
        UsageError: there is no such stage.
    """
    if until is not None and until not in STAGES:
        raise UsageError(
            found=repr(until),
            expected=f"one of {', '.join(STAGES)}",
            where="--until",
            fix=did_you_mean(until, STAGES),
        )


def suits(until: str | None, recipe: Recipe) -> None:
    """Refuse a stage that a build of this recipe does not have.

    Raises:
        UsageError: nothing of the recipe asks for that stage.
    """
    models = (recipe.student.model, *(teacher.model for teacher in recipe.teacher.teachers()))
    if until == TRIAL.name and not any(kind(model) == "factory" for model in models):
        raise UsageError(
            found=f"{until!r}, and no model from a function of yours",
            expected="student.model or teacher.model as 'module:function'",
            where="--until",
        )
    if until == TUNED.name and TUNED_VARIANTS.keys().isdisjoint(recipe.compress.variants):
        raise UsageError(
            found=f"{until!r}, and no variant for which the student is trained further",
            expected=f"compress.variants with {' or '.join(TUNED_VARIANTS)}",
            where="--until",
        )
    if until in (TEACHER.name, TARGETS.name) and recipe.teacher.is_none:
        raise UsageError(
            found=f"{until!r}, and no teacher",
            expected="a teacher in teacher.model",
            where="--until",
        )
    student = recipe.student
    if until == ADAPTATION.name and not (student.weights and student.scratch):
        raise UsageError(
            found=f"{until!r}, and no start to compare with random weights",
            expected="student.weights, and student.scratch = true",
            where="--until",
        )
