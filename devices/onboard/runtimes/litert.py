"""LiteRT (TensorFlow Lite): `.tflite` files on the CPU, by XNNPACK.

    model = load(Path("model.tflite"), Session(threads=1))
    model.answer({"input": x})

Inputs and outputs have the names of the file's signature, where it has one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import __version__ as _version
from ai_edge_litert.interpreter import Interpreter

from ....errors import ModelError
from ..model.modelfile import Input
from ..settings import Session
from .contract import Arrays

NAME = "litert"
_TYPES: Mapping[Any, str] = {
    np.float32: "tensor(float)",
    np.float16: "tensor(float16)",
    np.float64: "tensor(double)",
    np.bool_: "tensor(bool)",
    **{
        kind: f"tensor({np.dtype(kind).name})"
        for kind in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64)
    },
}
"""ONNX Runtime's names for types, by numpy's."""


def version() -> str:
    """The version of the runtime that is loaded."""
    return str(_version)


def providers() -> tuple[str, ...]:
    """What computes: LiteRT's own kernels and XNNPACK's, on the CPU."""
    return ("XNNPACK",)


class LiteRtModel:
    """A model in an `Interpreter`; see `contract.LoadedModel`."""

    providers = ("XNNPACK",)

    def __init__(self, interpreter: Any, path: Path) -> None:
        self._interpreter, self._path = interpreter, path
        names = _signature_names(interpreter)
        self._inputs = [(d, names.get(d["index"], str(d["name"]))) for d in _in(interpreter)]
        self._outputs = [(d, names.get(d["index"], str(d["name"]))) for d in _out(interpreter)]
        self.query = self._query_of()

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """What it takes."""
        return tuple(_described(detail, name) for detail, name in self._inputs)

    @cached_property
    def outputs(self) -> tuple[Input, ...]:
        """What it gives."""
        return tuple(_described(detail, name) for detail, name in self._outputs)

    def answer(self, feed: Arrays) -> Sequence[Any]:
        """The outputs for one query, in the model's order.

        Raises:
            ModelError: LiteRT cannot run it.
            MemoryError: there is not enough memory.
        """
        try:
            self._fit(feed)
            return self.query(feed)
        except (ValueError, RuntimeError, KeyError) as error:
            raise _refusal(error, self._path, "a model that does not run") from None

    def _fit(self, feed: Arrays) -> None:
        """Give open axes the extents of a query."""
        changed = False
        for detail, name in self._inputs:
            shape = tuple(np.shape(feed[name]))
            now = tuple(int(n) for n in detail["shape"])
            if shape != now and -1 in detail["shape_signature"]:
                self._interpreter.resize_tensor_input(detail["index"], shape, strict=True)
                changed = True
        if changed:
            self._interpreter.allocate_tensors()
            fresh = {detail["index"]: detail for detail in _in(self._interpreter)}
            self._inputs = [(fresh[detail["index"]], name) for detail, name in self._inputs]

    def _query_of(self) -> Callable[[Arrays], Sequence[Any]]:
        """The call that is timed: tensors in, invoke, tensors out."""
        put, run, get = (
            self._interpreter.set_tensor,
            self._interpreter.invoke,
            self._interpreter.get_tensor,
        )
        inputs = [(detail["index"], name) for detail, name in self._inputs]
        outputs = [detail["index"] for detail, _ in self._outputs]

        def query(feed: Arrays) -> Sequence[Any]:
            for index, name in inputs:
                put(index, feed[name])
            run()
            return [get(index) for index in outputs]

        return query


def load(path: Path, session: Session) -> LiteRtModel:
    """Load a `.tflite` file.

    Raises:
        ModelError: the file is missing or LiteRT cannot load it.
    """
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=session.threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise _refusal(error, path, "a model that does not load") from None
    return LiteRtModel(interpreter, path)


def _in(interpreter: Any) -> list[dict[str, Any]]:
    return list(interpreter.get_input_details())


def _out(interpreter: Any) -> list[dict[str, Any]]:
    return list(interpreter.get_output_details())


def _signature_names(interpreter: Any) -> dict[int, str]:
    """The names that the only signature gives to tensors, by the tensor's index."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return {}
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {int(detail["index"]): str(name) for name, detail in details.items()}


def _described(detail: Mapping[str, Any], name: str) -> Input:
    signature = detail.get("shape_signature", detail["shape"])
    shape = tuple(int(extent) if extent >= 0 else None for extent in signature)
    return Input(name, _TYPES.get(detail["dtype"], str(detail["dtype"])), shape)


def _refusal(error: Exception, path: Path, what: str) -> Exception:
    # A message may quote names out of the model, and run over many lines.
    text = str(error).strip().partition("\n")[0][:400]
    shown = "".join(c if c.isprintable() else "?" for c in text) or type(error).__name__
    return ModelError(f"{what} ({shown})", where=str(path))
