"""The graph of a model as inline SVG: boxes of operators from top to bottom, darker the slower.

picture = picture_of(record.operators)        # None: too large to be read, or edges not recorded
picture.width, drawn(picture, "in words")     # pixels, '<svg viewBox=…'
"""

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..records import OperatorTime
from . import numbers
from .graph_folding import Box, folded
from .graph_layout import Layout, layout

_BOX_WIDTH, _BOX_HEIGHT = 150.0, 36.0
_APART, _BETWEEN = 12.0, 20.0
"""From box to box in a row, and from row to row."""
_EDGE = 6.0
_MOST_ABREAST = 8
_LETTERS = 21
_SHADES = 8


@dataclass(frozen=True, slots=True)
class Named:
    """What a box says.

    Attributes:
        title: its first line.
        detail: its second line.
        told: shown when a pointer rests on it.
        shade: 0 to 8, by its time beside the slowest box's.
        many: whether it stands for several operators.
    """

    title: str
    detail: str
    told: str
    shade: int
    many: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph that is ready to be drawn.

    Attributes:
        boxes: what each says.
        edges: from box to box.
        places: where they stand.
        folded: operators that share a box with others.
    """

    boxes: tuple[Named, ...]
    edges: tuple[tuple[int, int], ...]
    places: Layout
    folded: int

    @property
    def width(self) -> int:
        """In pixels."""
        return round(self.places.width * (_BOX_WIDTH + _APART) + _BOX_WIDTH + 2 * _EDGE)

    @property
    def height(self) -> int:
        """In pixels."""
        return round(self.places.rows * (_BOX_HEIGHT + _BETWEEN) - _BETWEEN + 2 * _EDGE)


def picture_of(operators: Sequence[OperatorTime]) -> Picture | None:
    """The picture of a graph; None where it is too large, or the record lacks who reads whom."""
    boxes = folded(operators)
    if boxes is None:
        return None
    edges = tuple((before, at) for at, box in enumerate(boxes) for before in box.after)
    placed = layout(len(boxes), edges)
    if placed.width > _MOST_ABREAST:
        return None
    shares = [sum(operators[at].share for at in box.operators) for box in boxes]
    most = max(shares) or 1.0
    return Picture(
        tuple(
            _named(box, operators, share, round(_SHADES * share / most))
            for box, share in zip(boxes, shares, strict=True)
        ),
        edges,
        placed,
        sum(len(box.operators) for box in boxes if len(box.operators) > 1),
    )


def drawn(picture: Picture, alternative: str) -> str:
    """The drawing, in pixels of its own size: it is scrolled where it is wider than its place.

    Args:
        picture: what to draw.
        alternative: the same in words.
    """
    parts = [*_edges(picture), *_boxes(picture)]
    size = f'viewBox="0 0 {picture.width} {picture.height}" width="{picture.width}"'
    return f'<svg {size} role="img" aria-label="{html.escape(alternative)}">{"".join(parts)}</svg>'


def _named(box: Box, operators: Sequence[OperatorTime], share: float, shade: int) -> Named:
    own = [operators[at] for at in box.operators]
    us = sum(one.us for one in own)
    if len(own) == 1:
        (one,) = own
        title, detail = _last(one.name), f"{one.op} · {share:.1%}"
        told = f"{one.name}: {one.op}, {us:.1f} µs ({share:.1%})"
    else:
        kinds = Counter(one.op for one in own).most_common()
        title = _last(box.module) or f"{numbers.how_many(len(own), 'operator')}"
        detail = f"{f'{len(own)} operators' if box.module else kinds[0][0] + ' …'} · {share:.1%}"
        listed = ", ".join(f"{count} × {op}" for op, count in kinds)
        told = (
            f"{box.module or f'{own[0].name} to {own[-1].name}'}: {listed}, {us:.1f} µs "
            f"({share:.1%})"
        )
    return Named(title, detail, told, shade, len(own) > 1)


def _last(name: str) -> str:
    """The end of a long name, which says more than its beginning."""
    name = numbers.printable(name)
    return name if len(name) <= _LETTERS else f"…{name[1 - _LETTERS :]}"


def _middle(across: float) -> float:
    return _EDGE + _BOX_WIDTH / 2 + across * (_BOX_WIDTH + _APART)


def _top(row: int) -> float:
    return _EDGE + row * (_BOX_HEIGHT + _BETWEEN)


def _edges(picture: Picture) -> Iterator[str]:
    """Each as one line: straight through the rows that it passes, bent between them."""
    places = picture.places
    for (first, _), route in zip(picture.edges, places.routes, strict=True):
        row = places.row[first]
        x, y = _middle(route[0]), _top(row) + _BOX_HEIGHT
        path = f"M{x:.1f} {y:.1f}"
        for step, (left, right) in enumerate(pairwise(route), 1):
            x, to, down = _middle(left), _middle(right), _top(row + step)
            middle = down - _BETWEEN / 2
            path += f"C{x:.1f} {middle:.1f} {to:.1f} {middle:.1f} {to:.1f} {down:.1f}"
            if step < len(route) - 1:
                path += f"V{down + _BOX_HEIGHT:.1f}"
        yield f'<path class="edge" d="{path}"/>'


def _boxes(picture: Picture) -> Iterator[str]:
    places = picture.places
    for box, across, row in zip(picture.boxes, places.across, places.row, strict=True):
        x, y = _middle(across), _top(row)
        rectangle = (
            f'x="{x - _BOX_WIDTH / 2:.1f}" y="{y:.1f}" width="{_BOX_WIDTH:.0f}" '
            f'height="{_BOX_HEIGHT:.0f}" rx="5"'
        )
        yield (
            f'<g class="box{" many" if box.many else ""}"><title>{_text(box.told)}</title>'
            f'<rect class="sheet" {rectangle}/><rect class="s{box.shade}" {rectangle}/>'
            f'<text class="name" x="{x:.1f}" y="{y + 15:.1f}">{_text(box.title)}</text>'
            f'<text x="{x:.1f}" y="{y + 29:.1f}">{_text(box.detail)}</text></g>'
        )


def _text(text: str) -> str:
    return html.escape(numbers.printable(text))
