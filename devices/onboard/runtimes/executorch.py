"""ExecuTorch: `.pte` files on the CPU, by XNNPACK and by its portable kernels for the rest.

    model = load(Path("model.pte"), Session(threads=1))
    model.answer({"input": x})

A `.pte` file has no names for inputs and outputs: one is `input` or `output`, several have numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import torch

# Not `executorch.runtime`: that imports the whole exporter, which takes longer than all else here.
from executorch.extension.pybindings import _C

from ....errors import MeasureError, ModelError
from ..model.modelfile import Input
from ..settings import Session
from .contract import Arrays

NAME = "executorch"
_METHOD = "forward"
_TYPES: Mapping[int, str] = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float",
    7: "double",
    11: "bool",
}
"""ONNX Runtime's names for types, by the numbers of ExecuTorch's ScalarType."""


def version() -> str:
    """The version of the runtime that is loaded."""
    return version_of("executorch")


def providers() -> tuple[str, ...]:
    """The backends that this build can delegate to."""
    return tuple(sorted(_C._get_registered_backend_names()))


class ExecuTorchModel:
    """A loaded method; see `contract.LoadedModel`."""

    providers = ("XNNPACK", "portable")

    def __init__(self, program: Any, method: Any, path: Path) -> None:
        # The method reads out of the program, which has to stay.
        self._program, self._method, self._path = program, method, path
        meta = method.method_meta()
        self.inputs = _described("input", meta.num_inputs(), meta.input_tensor_meta)
        """What it takes."""
        self.outputs = _described("output", meta.num_outputs(), meta.output_tensor_meta)
        """What it gives."""
        self.query = self._query_of()

    def answer(self, feed: Arrays) -> Sequence[Any]:
        """The outputs for one query, in the model's order.

        Raises:
            ModelError: ExecuTorch cannot run it.
            MemoryError: there is not enough memory.
        """
        try:
            return self.query(feed)
        except (RuntimeError, TypeError, ValueError, KeyError) as error:
            raise _refusal(error, self._path, "a model that does not run") from None

    def _query_of(self) -> Callable[[Arrays], Sequence[Any]]:
        """The call that is timed: tensors over the arrays, the method, arrays of its outputs."""
        method, names = self._method, [port.name for port in self.inputs]
        tensor = torch.from_numpy

        def query(feed: Arrays) -> Sequence[Any]:
            # Outputs are copied out of the method's memory at each call.
            return [out.numpy() for out in method([tensor(feed[name]) for name in names])]

        return query


def load(path: Path, session: Session) -> ExecuTorchModel:
    """Load a `.pte` file.

    Raises:
        ModelError: the file is missing or ExecuTorch cannot load it.
        MeasureError: it does not take the number of threads.
    """
    _set_threads(session.threads)
    try:
        program = _C._load_program(str(path))
        return ExecuTorchModel(program, program.load_method(_METHOD), path)
    except (RuntimeError, ValueError) as error:
        raise _refusal(error, path, "a model that does not load") from None


def _set_threads(number: int) -> None:
    """Make a pool of this many threads, the calling one included; it is the process's only one.

    Raises:
        MeasureError: the pool has another number.
    """
    torch.set_num_threads(number)
    _C._unsafe_reset_threadpool(number)
    if (found := _C._threadpool_get_thread_count()) != number:
        raise MeasureError(f"{found} threads", expected=str(number), where=NAME)


def _described(what: str, number: int, meta: Callable[[int], Any]) -> tuple[Input, ...]:
    names = [what] if number == 1 else [f"{what}_{index}" for index in range(number)]
    described = []
    for index, name in enumerate(names):
        info = meta(index)
        kind = _TYPES.get(info.dtype(), f"ScalarType {info.dtype()}")
        described.append(Input(name, f"tensor({kind})", tuple(info.sizes())))
    return tuple(described)


def _refusal(error: Exception, path: Path, what: str) -> Exception:
    text = str(error).strip().partition("\n")[0][:400]
    shown = "".join(c if c.isprintable() else "?" for c in text) or type(error).__name__
    return ModelError(f"{what} ({shown})", where=str(path))
