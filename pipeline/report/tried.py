"""What a run has tried already, as the rungs of ``judge.rungs`` ask."""

from ...errors import RecipeError
from ..judge.rungs import State, saturates, teacher_is_short
from ..recipe.files import parse
from ..recipe.recipe import Recipe
from ..records import Report, VariantVerdict


def recipe_of(report: Report) -> Recipe | None:
    """A run's recipe; None where this version does not read it."""
    try:
        return parse(report.recipe, where=report.name)
    except RecipeError:
        return None


def state_of(report: Report, judged: VariantVerdict) -> State | None:
    """What was tried for a variant; None where the recipe is not known."""
    recipe = recipe_of(report)
    if recipe is None:
        return None
    best = report.variants.student.best_epoch
    missed = {one.key: one.budget for one in judged.checks if one.outcome == "not ready"}
    return State(
        recipe,
        saturates=saturates(report.variants.plan),
        best_epoch=best,
        tokens=report.data.layout == "tokens",
        teacher_short=teacher_is_short(report.quality, missed),
    )
