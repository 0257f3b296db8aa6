"""OpenVINO on the CPU: its own `.xml` and `.bin`, and `.onnx` files where a session names it.

model = load(Path("model.xml"), Session(threads=1))
model.answer({"input": x})
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import openvino as ov

from ....errors import ModelError
from ..model.modelfile import Input
from ..settings import Session
from .contract import Arrays

NAME = "openvino"
_TYPES: Mapping[str, str] = {"f32": "float", "f16": "float16", "f64": "double", "boolean": "bool"}
"""ONNX Runtime's names for types, by OpenVINO's; integers have the same but for `i` and `u`."""


def version() -> str:
    """The version of the runtime that is loaded."""
    return str(ov.__version__).partition("-")[0]


def providers() -> tuple[str, ...]:
    """The devices that this build can compute with."""
    return tuple(ov.Core().available_devices)


class OpenVinoModel:
    """A compiled model and its one request; see `contract.LoadedModel`."""

    providers = ("CPU",)

    def __init__(self, compiled: Any, path: Path) -> None:
        self._compiled, self._path = compiled, path
        self.query = self._query_of()

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """What it takes."""
        return tuple(_described(port) for port in self._compiled.inputs)

    @cached_property
    def outputs(self) -> tuple[Input, ...]:
        """What it gives."""
        return tuple(_described(port) for port in self._compiled.outputs)

    def answer(self, feed: Arrays) -> Sequence[Any]:
        """The outputs for one query, in the model's order.

        Raises:
            ModelError: OpenVINO cannot run it.
        """
        try:
            return self.query(feed)
        except (RuntimeError, TypeError, ValueError, KeyError) as error:
            raise _refusal(error, self._path, "a model that does not run") from None

    def _query_of(self) -> Callable[[Arrays], Sequence[Any]]:
        """The call that is timed: the request runs in this thread and its outputs are copied."""
        request = self._compiled.create_infer_request()
        names = [(port.any_name, port) for port in self._compiled.inputs]
        count = len(self._compiled.outputs)

        def query(feed: Arrays) -> Sequence[Any]:
            # Shared inputs are read where they lie, as the other runtimes do.
            request.infer({port: feed[name] for name, port in names}, share_inputs=True)
            return [request.get_output_tensor(index).data.copy() for index in range(count)]

        return query


def load(path: Path, session: Session) -> OpenVinoModel:
    """Load an `.xml` file with its `.bin`, or an `.onnx` file.

    Raises:
        ModelError: a file is missing or OpenVINO cannot load it.
    """
    settings = {
        "INFERENCE_NUM_THREADS": session.threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        # bf16 where a CPU has it would be another model than the one that was verified.
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    try:
        core = ov.Core()
        return OpenVinoModel(core.compile_model(core.read_model(str(path)), "CPU", settings), path)
    except RuntimeError as error:
        raise _refusal(error, path, "a model that does not load") from None


def _described(port: Any) -> Input:
    shape = tuple(
        axis.get_length() if axis.is_static else None for axis in port.get_partial_shape()
    )
    kind = port.get_element_type().get_type_name()
    return Input(port.any_name, f"tensor({_type(kind)})", shape)


def _type(kind: str) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    return {"i": "int", "u": "uint"}.get(kind[:1], "") + kind[1:]


def _refusal(error: Exception, path: Path, what: str) -> Exception:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = (lines[-1] if lines else type(error).__name__)[:400]
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return ModelError(f"{what} ({shown})", where=str(path))
