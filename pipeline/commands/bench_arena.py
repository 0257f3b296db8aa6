"""``edgestill bench --arena``: the memory that a model needs on a microcontroller, counted here.

found = look([Path("model.tflite")])
summary(found)
"""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.bench.arena import arena_of
from ...devices.bench.settings import Subject
from ...devices.onboard.measure.answer import ArenaAnswer
from ...devices.onboard.runtimes.contract import Tensor
from ...errors import UsageError
from ..progress import Progress
from ..report.numbers import printable
from .bench_files import Line, text

_WHAT = (
    "arena: the block that a program gives the model, of which tensors share one part in turn; "
    "counted by {} on this machine. The part kept is smaller on a core with 32-bit pointers."
)
Found = Sequence[tuple[Subject, ArenaAnswer]]


def look(models: Sequence[Subject], progress: Progress) -> Found:
    """The arena of each model.

    Raises:
        UsageError: a file of another format.
        HostError: the toolchain tflite-micro is not set up.
        ModelError: TensorFlow Lite Micro cannot load or run a model.
    """
    for model in models:
        if model.path.suffix.lower() != ".tflite":
            raise UsageError(
                model.name, expected="a .tflite file, which microcontrollers run", where="--arena"
            )
    found = []
    with progress.steps("arena", len(models)) as steps:
        for model in models:
            found.append((model, arena_of(model.path)))
            steps.advance(model.name)
    return found


def document(found: Found) -> dict[str, Any]:
    """For ``--json``."""
    return {"models": [_record(model, answer) for model, answer in found]}


def lines(found: Found) -> list[Line]:
    """A line a model."""
    return [
        {
            "model": text(model.name),
            "file_bytes": model.path.stat().st_size,
            "arena_bytes": answer.arena.total_bytes,
            "tensors_bytes": answer.arena.tensors_bytes,
            "kept_bytes": answer.arena.kept_bytes,
        }
        for model, answer in found
    ]


def summary(found: Found) -> RenderableType:
    """A column a model."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for model, _ in found:
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
        table.add_row(name, *(Text(cell(model, answer)) for model, answer in found))
    runtimes = ", ".join(sorted({answer.runtime for _, answer in found}))
    return Group(table, Text(_WHAT.format(runtimes), style="dim"))


def _record(model: Subject, answer: ArenaAnswer) -> dict[str, Any]:
    return {
        "name": model.name,
        "file_bytes": model.path.stat().st_size,
        "runtime": answer.runtime,
        "arena_bytes": answer.arena.total_bytes,
        "tensors_bytes": answer.arena.tensors_bytes,
        "kept_bytes": answer.arena.kept_bytes,
        "inputs": [_port(port) for port in answer.takes],
        "outputs": [_port(port) for port in answer.gives],
    }


def _port(port: Tensor) -> dict[str, Any]:
    return {
        "name": port.name,
        "type": port.type,
        "shape": list(port.shape),
        "scale": port.scale,
        "zero_point": port.zero_point,
    }


def _bytes(number: int) -> str:
    return f"{number:,} B ({number / 1024:.1f} KiB)"


def _ports(ports: Sequence[Tensor]) -> str:
    return "; ".join(_described(port) for port in ports)


def _described(port: Tensor) -> str:
    kind = port.type.removeprefix("tensor(").removesuffix(")")
    shape = "×".join(map(str, port.shape))
    scaled = "" if port.scale is None else f", scale {port.scale:.6g}, zero {port.zero_point}"
    return f"{printable(port.name)}: {kind} {shape}{scaled}"
