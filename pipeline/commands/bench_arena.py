"""``edgestill bench --arena`` on a terminal and as CSV."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.onboard.runtimes.contract import Tensor
from ..finished.arena import ArenaCounted
from ..report.numbers import printable
from .bench_files import Line, text


def lines(found: ArenaCounted) -> list[Line]:
    """A line a model."""
    return [{**row, "model": text(row["model"])} for row in found.records()]


def summary(found: ArenaCounted) -> RenderableType:
    """A column a model."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for model, _ in found.models:
        table.add_column(Text(printable(model.name)), overflow="fold")
    rows = (
        ("arena", lambda _, a: _bytes(a.arena.total_bytes)),
        ("of it tensors", lambda _, a: _bytes(a.arena.tensors_bytes)),
        ("of it kept", lambda _, a: _bytes(a.arena.kept_bytes)),
        ("file", lambda model, _: _bytes(model.path.stat().st_size)),
        ("inputs", lambda _, a: _ports(a.takes)),
        ("outputs", lambda _, a: _ports(a.gives)),
    )
    for name, cell in rows:
        table.add_row(name, *(Text(cell(model, answer)) for model, answer in found.models))
    return Group(table, Text(found.how(), style="dim"))


def _bytes(number: int) -> str:
    return f"{number:,} B ({number / 1024:.1f} KiB)"


def _ports(ports: Sequence[Tensor]) -> str:
    return "; ".join(_described(port) for port in ports)


def _described(port: Tensor) -> str:
    kind = port.type.removeprefix("tensor(").removesuffix(")")
    shape = "×".join(map(str, port.shape))
    scaled = "" if port.scale is None else f", scale {port.scale:.6g}, zero {port.zero_point}"
    return f"{printable(port.name)}: {kind} {shape}{scaled}"
