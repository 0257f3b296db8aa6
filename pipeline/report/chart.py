"""One chart and the words that go with it."""

from dataclasses import dataclass

from .graph_picture import Picture
from .plot import Plot, Series


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure for the page.

    Attributes:
        id: of its element in the page.
        title: what it answers.
        caption: how to read it.
        plots: its panels, one below the other; empty where there is nothing to draw.
        missing: what is not drawn and why, empty where all is.
        alternative: the same in words, for who cannot see it.
        graph: a graph of boxes, where it is one in place of panels.
    """

    id: str
    title: str
    caption: str
    plots: tuple[Plot, ...]
    missing: tuple[str, ...]
    alternative: str
    graph: Picture | None = None

    @property
    def legend(self) -> tuple[Series, ...]:
        """One series of each name and look, where there are several to tell apart."""
        listed = {
            (series.name, series.look): series
            for plot in self.plots
            for series in plot.series
            if series.listed
        }
        return tuple(listed.values()) if len(listed) > 1 else ()
