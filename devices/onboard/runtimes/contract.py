"""What a runtime is: a module that loads a model file into something that answers.

A runtime is a module with `NAME`, `version`, `providers` and `load`, and a row in
`runtimes.RUNTIMES`. What only some runtimes can do (write down the graph that runs, bind outputs)
is a protocol of its own, which their module or their model has or does not have.

Types of inputs are written as in ONNX Runtime, such as `tensor(float)`; see
`model.made_inputs.dtype_of`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..model.modelfile import Input
from ..settings import Session

if TYPE_CHECKING:  # a cold start pays for numpy, so it is imported only where it is timed
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]
    """One query: an array for each input, by its name."""
else:
    Arrays = Mapping

OPTIMIZED = "optimized.onnx"
"""The file that a traced model's graph is written to."""


class LoadedModel(Protocol):
    """A model that a runtime holds, ready to answer."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it takes."""

    @property
    def outputs(self) -> tuple[Input, ...]:
        """What it gives."""

    @property
    def providers(self) -> tuple[str, ...]:
        """What computes it, in order of preference."""

    @property
    def query(self) -> "Callable[[Arrays], Sequence[NDArray[Any]]]":
        """Answers one query with the outputs in the model's order; called in timed loops.

        Errors are the runtime's own.
        """

    def answer(self, feed: Arrays) -> "Sequence[NDArray[Any]]":
        """The same, with the runtime's errors as ours.

        Raises:
            ModelError: the runtime cannot run the model on this feed.
            MemoryError: there is not enough memory.
        """


class Runtime(Protocol):
    """A module that loads models."""

    NAME: str

    def version(self) -> str:
        """The version of the runtime that is loaded."""

    def providers(self) -> tuple[str, ...]:
        """What this build of the runtime can compute with."""

    def load(self, path: Path, session: Session) -> LoadedModel:
        """Load a model file.

        Raises:
            UsageError: an option that the runtime would misunderstand.
            ModelError: the file is missing or the runtime cannot load it.
            MeasureError: the runtime does something else than the session says.
        """


class TracedModel(LoadedModel, Protocol):
    """A model whose queries are profiled, operator by operator."""

    def end_profiling(self) -> str:
        """The profile so far: JSON, a list of events in the form of Chrome's tracing."""


@runtime_checkable
class TracingRuntime(Protocol):
    """A runtime that writes down the graph that runs, and profiles its operators."""

    NAME: str

    def load_traced(self, path: Path, session: Session, folder: Path) -> TracedModel:
        """Load a model file; the graph that runs is written to `folder / OPTIMIZED` at once."""


@dataclass(frozen=True, slots=True)
class Arena:
    """The one block of memory that a program on a microcontroller gives a model, bytes.

    Attributes:
        total_bytes: all of it.
        tensors_bytes: what tensors share one after another.
        kept_bytes: what lasts: the runtime's records, which are smaller where pointers are.
    """

    total_bytes: int
    tensors_bytes: int
    kept_bytes: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output and how its integers are numbers: `scale * (integer - zero_point)`.

    Attributes:
        name: the model's.
        type: as ONNX Runtime names it.
        shape: of one query.
        scale: None where it is not quantized as a whole.
        zero_point: None where it is not quantized as a whole.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None


@runtime_checkable
class ArenaModel(Protocol):
    """A model that lies in an arena."""

    takes: tuple[Tensor, ...]
    gives: tuple[Tensor, ...]

    def arena(self) -> Arena:
        """What it needs, once it has answered.

        Raises:
            MeasureError: the runtime does not say.
        """


@runtime_checkable
class Binding(Protocol):
    """A model whose inputs and outputs can stay where they are from one query to the next."""

    def bind(self, feed: Arrays, answered: "Sequence[NDArray[Any]]") -> Callable[[], object]:
        """A call that runs one query into the same outputs each time.

        Args:
            feed: the query.
            answered: what the model answered to it; the outputs have these shapes.
        """
