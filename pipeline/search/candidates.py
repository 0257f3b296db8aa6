"""The candidates that fit: all are predicted, few are measured, and none is trained for it.

candidates = Candidates(costs, gate)
while (cost := candidates.to_measure(finalists=3)) is not None:
candidates.add(cost, trials.resources(recipe, cost.architecture))
candidates.fitting()[:3]      # the largest, each of them measured
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from ..judge.gate import check
from ..recipe.gate import Gate
from ..recipe.model_names import family_and_depth
from ..records import BenchmarkRecord, CandidateRecord, Check, Cost, Shortfall
from .predict import predicted
from .shortfalls import distance, keys_of_resources, missed, nearest, of_resources

_TELLS = 2
"""Measured candidates of a model from which on its line is believed: one through other models may
be wrong by a factor of three, as an operation of a MobileNet takes longer than one of a ResNet."""
_NEAR = 0.25
"""A candidate that is predicted to miss its budgets by no more than this share is measured, too."""


class Candidates:
    """What is known of each candidate.

    Args:
        costs: in the order of their multiply-accumulates.
        gate: the budgets.
    """

    def __init__(self, costs: Sequence[Cost], gate: Gate) -> None:
        self.costs, self._gate = tuple(costs), gate
        self._keys = keys_of_resources(gate)
        self._measured: dict[Cost, dict[str, tuple[Check, ...]]] = {}

    @property
    def has_budgets(self) -> bool:
        """Whether anything that a file takes is limited."""
        return bool(self._keys)

    def add(self, cost: Cost, measured: BenchmarkRecord) -> None:
        """Take in what the files of a candidate take."""
        self._measured[cost] = of_resources(self._gate, measured)

    def is_measured(self, cost: Cost) -> bool:
        """Whether it has files of its own."""
        return cost in self._measured

    def fits(self, cost: Cost) -> bool | None:
        """Whether some file meets every budget of resources; None: nothing is known yet."""
        if not self._keys:
            return True
        if not self.has_files(cost):
            return False
        name, misses = self._nearest(cost)
        return None if name is None else not misses

    def has_files(self, cost: Cost) -> bool:
        """Whether it has a file that could meet the budgets, as far as is known.

        Where a format lacks an operator of one model, it does for all of its family.
        """
        own = family_and_depth(cost.model)[0]
        alike = [
            bool(files)
            for other, files in self._measured.items()
            if family_and_depth(other.model)[0] == own
        ]
        return bool(self._measured.get(cost, True)) and (not alike or any(alike))

    def fitting(self) -> list[Cost]:
        """Those that fit, measured or predicted, the largest first."""
        return [cost for cost in reversed(self.costs) if self.fits(cost)]

    def to_measure(self, finalists: int) -> Cost | None:
        """The candidate to measure next; None where the largest that fit are all measured.

        Args:
            finalists: how many of the largest have to be.
        """
        if not self._keys:
            return None
        if not self._measured:
            return self.costs[len(self.costs) // 2]
        leading = self.fitting()[:finalists]
        unsure = next((cost for cost in leading if not self.is_measured(cost)), None)
        if unsure is not None:
            return unsure
        least = leading[-1].macs if len(leading) == finalists else 0
        return next(self._doubtful(least), None)

    def _doubtful(self, least: int) -> Iterator[Cost]:
        """Candidates of more operations than that which a line through others may have left out.

        Of each model the smallest: where it does not fit, neither do those above it. Where nothing
        fits, the smallest of all is the last hope.
        """
        for model in dict.fromkeys(c.model for c in reversed(self.costs) if self.has_files(c)):
            own = [cost for cost in self._measured if cost.model == model]
            too_large = min((c.macs for c in own if not self.fits(c)), default=math.inf)
            open_ones = (
                cost
                for cost in self.costs
                if cost.model == model and least < cost.macs < too_large and cost not in own
            )
            cost = next(open_ones, None)
            if cost is None:
                continue
            excess = sum(miss.excess for miss in self._nearest(cost)[1])
            if len(own) < _TELLS or excess <= _NEAR:
                yield cost
        smallest = next((cost for cost in self.costs if self.has_files(cost)), None)
        if smallest is not None and not self.fitting() and not self.is_measured(smallest):
            yield smallest

    def _nearest(self, cost: Cost) -> tuple[str | None, tuple[Shortfall, ...]]:
        """The file that misses least, and what it misses."""
        if not self.has_files(cost):
            return None, ()
        found = {name: missed(checks) for name, checks in self._checks(cost).items()}
        name = nearest(found)
        return name, found[name] if name is not None else ()

    def _checks(self, cost: Cost) -> Mapping[str, tuple[Check, ...]]:
        """By file: measured, or predicted from the same file of others."""
        if cost in self._measured:
            return self._measured[cost]
        names = dict.fromkeys(name for files in self._measured.values() for name in files)
        return {name: self._predicted(cost, name) for name in names}

    def _predicted(self, cost: Cost, name: str) -> tuple[Check, ...]:
        others = [
            (other, {one.key: one.figure for one in files[name]})
            for other, files in self._measured.items()
            if name in files
        ]
        figures, budgets = predicted(cost, others, self._keys), self._gate.budgets()
        return tuple(check(key, budgets[key], figures[key]) for key in self._keys)

    def closest(self) -> Cost | None:
        """The measured candidate that misses its budgets by the least, the largest of equals.

        None where none has a file that could meet them.
        """
        known = [cost for cost in reversed(list(self._measured)) if self.has_files(cost)]
        return min(known, key=lambda cost: distance(self._nearest(cost)[1]), default=None)

    def records(
        self, scores: Mapping[Cost, float], chosen: Cost | None
    ) -> tuple[CandidateRecord, ...]:
        """All of it, for the report.

        Args:
            scores: on validation after a short training.
            chosen: the one that became the student.
        """
        return tuple(self._record(cost, scores.get(cost), cost == chosen) for cost in self.costs)

    def _record(self, cost: Cost, score: float | None, chosen: bool) -> CandidateRecord:
        name, misses = self._nearest(cost)
        checks = self._checks(cost).get(name, ()) if name is not None else ()
        return CandidateRecord(
            cost=cost,
            variant=name,
            figures={one.key: one.figure for one in checks},
            measured=self.is_measured(cost),
            misses=misses,
            fits=self.fits(cost),
            short_score=score,
            chosen=chosen,
        )
