"""Students next to a recipe's own: of the candidates of a search, else of its own family."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..recipe.architecture import Architecture
from ..recipe.recipe import Recipe
from ..records import Cost
from .candidates import Candidates
from .family import architectures, around
from .trials import Trials, settings_of


@dataclass
class Around:
    """The neighbours of a recipe's student; what one takes is measured when it is asked for.

    Attributes:
        recipe: whose student it is.
        trials: measures candidates.
        candidates: those of the search that chose the student; None: those that ``[search]`` names,
            else some of the student's own family, counted when needed.
    """

    recipe: Recipe
    trials: Trials
    candidates: Candidates | None = None

    def larger(self) -> Iterator[Cost]:
        """The larger students that meet the budgets of resources, the next one first."""
        own = self._own()
        return self._that_fit(cost for cost in self._candidates().costs if cost.macs > own.macs)

    def smaller(self) -> Iterator[Cost]:
        """The smaller students that meet the budgets of resources, the largest first."""
        own, costs = self._own(), self._candidates().costs
        return self._that_fit(cost for cost in reversed(costs) if cost.macs < own.macs)

    def _that_fit(self, costs: Iterable[Cost]) -> Iterator[Cost]:
        known = self._candidates()
        for cost in costs:
            if known.fits(cost) is False and known.is_measured(cost):
                continue
            if known.has_budgets and not known.is_measured(cost):
                known.add(cost, self.trials.resources(self.recipe, cost.architecture))
            if known.fits(cost):
                yield cost

    def _own(self) -> Cost:
        student = self.recipe.student
        for cost in self._candidates().costs:
            if (cost.model, cost.width) == (student.model, student.width):
                return cost
        raise AssertionError(f"{student.model} is one of its own neighbours")

    def _candidates(self) -> Candidates:
        if self.candidates is None:
            costs = self.trials.costs(self.recipe, self._architectures())
            self.candidates = Candidates(costs, self.recipe.gate)
        return self.candidates

    def _architectures(self) -> tuple[Architecture, ...]:
        """Those that ``[search]`` names, and the student's own; else those around it."""
        own, search = self.recipe.student.only(Architecture), settings_of(self.recipe)
        if not (search.models or search.widths):
            return around(own)
        named = architectures(search, self.trials.data(self.recipe).record)
        return tuple({(one.model, one.width): one for one in (own, *named)}.values())
