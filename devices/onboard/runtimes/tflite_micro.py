"""TensorFlow Lite Micro: `.tflite` files by its reference kernels, and the arena that they need.

    model = load(Path("model.tflite"), Session(runtime="tflite-micro"))
    model.answer({"input": x})
    model.arena().total_bytes

The answers and the arena are those of a microcontroller. The times are not: there the same
operators run by kernels of the chip's maker.
"""

import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version as version_of
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from tflite_micro.python.tflite_micro import runtime as micro

from ....errors import MeasureError, ModelError, UsageError
from ..model.modelfile import Input
from ..settings import Session
from .contract import Arena, Arrays, Tensor

NAME = "tflite-micro"
_ALIGNMENT = 16
_ROOM = tuple(size << 20 for size in (4, 64, 1024))
"""Arenas to load a model into, bytes: what it leaves unused is never touched."""
_MORE = 8192
"""What a model may need above what it says, bytes: 512 steps of the alignment."""
_DOUBLING = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 511)
_PARTS = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


def version() -> str:
    """The version of the runtime that is loaded."""
    return version_of("tflite_micro")


def providers() -> tuple[str, ...]:
    """What computes: the kernels that every processor can run."""
    return ("reference",)


class MicroModel:
    """A model in a TFLM interpreter; see `contract.LoadedModel`.

    Attributes:
        takes: its inputs with their scales.
        gives: its outputs with theirs.
    """

    providers = ("reference",)

    def __init__(self, interpreter: Any, content: bytes, path: Path) -> None:
        self._interpreter, self._content, self._path = interpreter, content, path
        ins, outs = _names(content)
        get_in, get_out = interpreter.get_input_details, interpreter.get_output_details
        self.takes = tuple(_tensor(name, get_in(index)) for index, name in enumerate(ins))
        self.gives = tuple(_tensor(name, get_out(index)) for index, name in enumerate(outs))
        self.inputs = tuple(Input(one.name, one.type, one.shape) for one in self.takes)
        self.outputs = tuple(Input(one.name, one.type, one.shape) for one in self.gives)
        self.query = self._query_of()

    def answer(self, feed: Arrays) -> Sequence[Any]:
        """The outputs for one query, in the model's order.

        Raises:
            ModelError: TFLM cannot run it.
        """
        try:
            return self.query(feed)
        except (ValueError, RuntimeError, KeyError) as error:
            raise _refusal(str(error), self._path, "a model that does not run") from None

    def arena(self) -> Arena:
        """The least memory that the model loads into, once it has answered.

        Raises:
            MeasureError: TFLM says nothing of it, or does not fit into what it says; or this system
            has no fork, without which a model that crashes ends the process.
        """
        if not hasattr(os, "fork"):
            raise MeasureError("a system without fork", where=str(self._path))
        with _stderr() as said:
            self._interpreter.print_allocations()
        parts = {part: int(size) for part, size in _PARTS.findall(said())}
        if parts.keys() != {"total", "head", "tail"}:
            raise MeasureError("no arena in what TFLM prints", where=str(self._path))
        total = self._least(-(-parts["total"] // _ALIGNMENT) * _ALIGNMENT)
        return Arena(total, parts["head"], total - parts["head"])

    def _least(self, used: int) -> int:
        """The least arena in which the model loads and answers, bytes.

        While it loads it needs more than it says that it used; in the smallest models that is not
        made up for by what tensors take later.

        Raises:
            MeasureError: it is much more than what it says.
        """
        sizes = range(used, used + _MORE, _ALIGNMENT)
        fits = cache(lambda index: _fits(self._content, sizes[index]))
        first = next((i for i in _DOUBLING if i < len(sizes) and fits(i)), None)
        if first is None:
            raise MeasureError(
                f"a model that does not fit into {sizes[-1]} bytes", where=str(self._path)
            )
        below = range(first // 2, first + 1)
        return sizes[below[bisect_left(below, True, key=fits)]]

    def _query_of(self) -> Callable[[Arrays], Sequence[Any]]:
        put, run, get = (
            self._interpreter.set_input,
            self._interpreter.invoke,
            self._interpreter.get_output,
        )
        inputs = [(index, port.name) for index, port in enumerate(self.takes)]
        outputs = range(len(self.gives))

        def query(feed: Arrays) -> Sequence[Any]:
            for index, name in inputs:
                put(feed[name], index)
            run()
            return [get(index) for index in outputs]

        return query


def load(path: Path, session: Session) -> MicroModel:
    """Load a `.tflite` file.

    Raises:
        UsageError: more threads than the one that TFLM has.
        ModelError: the file is missing or TFLM cannot load it.
    """
    if session.threads != 1:
        raise UsageError(f"{session.threads} threads", expected="1, for TFLM has no more")
    try:
        content = path.read_bytes()
        _names(content)
    except OSError as error:
        raise _refusal(error.strerror or "", path, "a model that does not load") from None
    except Exception:  # noqa: BLE001  # the reader of the format has no errors of its own
        raise _refusal("no .tflite file", path, "a model that does not load") from None
    with _stderr() as said:
        opened = (_opened(content, room) for room in _ROOM)
        interpreter = next((one for one in opened if one is not None), None)
    if interpreter is None:
        raise _refusal(said(), path, "a model that does not load")
    return MicroModel(interpreter, content, path)


def _opened(content: bytes, arena_bytes: int) -> Any:
    """The interpreter of a model in an arena; None where it does not load or fit."""
    try:
        return micro.Interpreter.from_bytes(content, arena_size=arena_bytes)
    except (ValueError, RuntimeError):
        return None


def _fits(content: bytes, arena_bytes: int) -> bool:
    """Whether a model loads and answers in so much; a child, for in too little TFLM may crash."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        interpreter = _opened(content, arena_bytes)
        if interpreter is not None:
            with suppress(RuntimeError):
                interpreter.invoke()
                os._exit(0)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _names(content: bytes) -> tuple[list[str], list[str]]:
    """Of inputs and outputs: those of the only signature, else of the tensors."""
    model = micro.convert_bytearray_to_object(content)
    graph = model.subgraphs[0]
    named = {}
    if len(model.signatureDefs or ()) == 1:
        signature = model.signatureDefs[0]
        for entry in (*(signature.inputs or ()), *(signature.outputs or ())):
            named[entry.tensorIndex] = entry.name.decode()

    def name(index: int) -> str:
        return named.get(index) or (graph.tensors[index].name or b"").decode() or str(index)

    return [name(i) for i in graph.inputs], [name(i) for i in graph.outputs]


def _tensor(name: str, detail: Mapping[str, Any]) -> Tensor:
    kind = np.dtype(detail["dtype"]).name
    scaled = detail["quantization_parameters"]
    scales, zeros = scaled["scales"], scaled["zero_points"]
    one = len(scales) == 1
    return Tensor(
        name=name,
        type=f"tensor({'float' if kind == 'float32' else kind})",
        shape=tuple(int(extent) for extent in detail["shape"]),
        scale=float(scales[0]) if one else None,
        zero_point=int(zeros[0]) if one else None,
    )


@contextmanager
def _stderr() -> Iterator[Callable[[], str]]:
    """What C++ prints meanwhile, once this has ended."""
    text = [""]
    with TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: text[0]
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            text[0] = file.read().decode(errors="replace")


def _refusal(said: str, path: Path, what: str) -> Exception:
    # The last lines only say that it failed; the first says why. A message may quote the model.
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = " ".join(lines[:2])[:400] or "TFLM gives no reason"
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return ModelError(f"{what} ({shown})", where=str(path))
