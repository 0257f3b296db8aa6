"""What a run has tried already, as the rungs of ``judge.rungs`` ask."""

from ...errors import RecipeError
from ..judge.rungs import State
from ..judge.shortfall import missed_by
from ..recipe.files import parse
from ..recipe.recipe import Recipe
from ..records import Report, VariantVerdict

_SATURATING = ("avx2", "avx512")
"""Matrix kernels of x86 CPUs without VNNI (``host.kernel_class``)."""


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
    return State(
        recipe,
        saturates=report.variants.plan.kernels in _SATURATING,
        best_epoch=best,
        tokens=report.data.layout == "tokens",
        teacher_short=_teacher_is_short(report, judged),
    )


def _teacher_is_short(report: Report, judged: VariantVerdict) -> bool:
    """Whether the teacher's whole interval misses the budget of the score that a variant misses."""
    score = report.quality.teacher_score
    for check in judged.checks:
        if check.outcome != "not ready" or missed_by(check.key) != "answers":
            continue
        own = f"min_{report.quality.metric}".lower()
        if check.key.lower() in ("min_score", own) and score.high is not None:
            return score.high < check.budget
    return False
