"""Students next to a recipe's own: of the candidates of a search, else of its own family."""

from collections.abc import Callable
from dataclasses import dataclass

from ..recipe.architecture import Architecture
from ..recipe.recipe import Recipe
from ..records import Cost
from .candidates import Candidates
from .family import around
from .trials import Trials


@dataclass
class Around:
    """The neighbours of a recipe's student; what they take is measured when one is asked for.

    Attributes:
        recipe: whose student it is.
        trials: measures candidates.
        candidates: those of the search; None: of the student's own family, counted when needed.
    """

    recipe: Recipe
    trials: Trials
    candidates: Candidates | None = None

    def larger(self) -> Cost | None:
        """The next larger student that meets the budgets of resources."""
        own = self._own()
        return self._first(lambda cost: cost.macs > own.macs, largest_first=False)

    def smaller(self) -> Cost | None:
        """The largest student that is smaller and meets the budgets of resources."""
        own = self._own()
        return self._first(lambda cost: cost.macs < own.macs, largest_first=True)

    def _first(self, wanted: Callable[[Cost], bool], *, largest_first: bool) -> Cost | None:
        known = self._candidates()
        costs = [cost for cost in known.costs if wanted(cost)]
        for cost in reversed(costs) if largest_first else costs:
            if known.fits(cost) is False and known.is_measured(cost):
                continue
            if known.has_budgets and not known.is_measured(cost):
                known.add(cost, self.trials.resources(self.recipe, cost.architecture))
            if known.fits(cost):
                return cost
        return None

    def _own(self) -> Cost:
        student = self.recipe.student
        for cost in self._candidates().costs:
            if (cost.model, cost.width) == (student.model, student.width):
                return cost
        raise AssertionError(f"{student.model} is one of its own neighbours")

    def _candidates(self) -> Candidates:
        if self.candidates is None:
            own = self.recipe.student.only(Architecture)
            costs = self.trials.costs(self.recipe, around(own))
            self.candidates = Candidates(costs, self.recipe.gate)
        return self.candidates
