"""One chart and the words that go with it."""

from dataclasses import dataclass

import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure for the page.

    Attributes:
        id: of its element in the page.
        title: what it answers.
        caption: how to read it.
        figure: None where there is nothing to draw.
        missing: what is not drawn and why, empty where all is.
        alternative: the same in words, for who cannot see it.
        height: in rem.
    """

    id: str
    title: str
    caption: str
    figure: go.Figure | None
    missing: tuple[str, ...]
    alternative: str
    height: float = 26.0
