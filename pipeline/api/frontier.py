"""What ``edgestill.search`` gives back: the frontier, and the recipe of each of its points."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..finished.result import Result, figure, plain
from ..finished.screen import Cell, Screen, near
from ..printable import how_many
from ..records import FrontierRecord, PointRecord
from ..report import search_words as words
from ..runs.searches import PAGE


@dataclass(frozen=True, slots=True, repr=False)
class Frontier(Result):
    """The points of a search that no other beats.

    Attributes:
        path: the folder of the search.
        record: all of it: every choice and every point.
    """

    path: Path
    record: FrontierRecord

    @property
    def points(self) -> tuple[PointRecord, ...]:
        """Those of the frontier, by the first objective."""
        return self.record.frontier

    @property
    def page_path(self) -> Path:
        """The page."""
        return self.path / PAGE

    def recipe_of(self, place: int) -> Path:
        """The recipe that makes a point of the frontier again.

        Args:
            place: from 1.
        """
        return self.path / str(self.points[place - 1].recipe)

    def screen(self) -> Screen:
        """A row a point, then the hypervolume, what mattered, and how to build a point."""
        record = self.record
        metric = record.metric
        mattered = words.mattered(record) or f"what mattered: {record.importance_missing}"
        stopped = "stopped; " if record.interrupted else ""
        return Screen(
            title=f"{words.against(record)}: {stopped}"
            f"{how_many(len(self.points), 'point')} that no other beats",
            head=("", "student", "file", metric, *record.objectives, "budgets"),
            rows=tuple(self._row(point) for point in self.points),
            above=(words.how_many(record), f"The search ended because {record.ended}."),
            below=(
                *self._missed(),
                *words.cautions(record),
                words.covered(record).partition(":")[0] + "; " + mattered,
                "to build a point, RECIPES being the folder that the next line names: "
                "`edgestill build RECIPES/01.toml`",
            ),
            paths=(("recipes", near(self.path / "recipes")), ("page", near(self.page_path))),
        )

    def _missed(self) -> Iterator[str]:
        """Which budgets the points miss, those that miss the same in one sentence."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for point in self.points:
            if keys := tuple(miss.key for miss in point.misses):
                groups.setdefault(keys, []).append(f"{point.on_frontier:02}")
        for keys, places in groups.items():
            verb = "misses" if len(places) == 1 else "miss"
            yield f"{', '.join(places)} {verb} {', '.join(keys)}"

    def _row(self, point: PointRecord) -> tuple[Cell, ...]:
        record = self.record
        explored = record.explored_of(point)
        figures = (words.parts(record, key, point.figures[key])[0] for key in record.objectives)
        score, _ = words.parts(record, words.SCORE, point.score)
        misses = len(point.misses)
        told = "met" if not misses else f"misses {misses}"
        name = words.student_of(explored)
        return f"{point.on_frontier:02}", name, point.file, score, *figures, told

    def records(self) -> list[dict[str, Any]]:
        """One mapping a point, those of the frontier first."""
        rest = [point for point in self.record.points if point.on_frontier is None]
        return [self._record(point) for point in (*self.points, *rest)]

    def _record(self, point: PointRecord) -> dict[str, Any]:
        explored = self.record.explored_of(point)
        found: dict[str, Any] = {
            "place": point.on_frontier,
            "choice": point.explored,
            "file": point.file,
            "whole": point.whole,
            "epochs": point.epochs,
            **explored.settings,
            "recipe": point.recipe,
        }
        for key, estimate in (("score", point.score), *point.figures.items()):
            found |= dict(figure(key, estimate))
        return found

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill search --json``."""
        document: dict[str, Any] = plain(
            {"search": str(self.path), "record": self.record.model_dump(mode="json")}
        )
        return document
