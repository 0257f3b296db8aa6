"""How a data set's samples become inputs of a foreign model, and which output is the logits.

    >>> plan([Port("x", "tensor(float)", ("n", 3, 8, 8), "<f4")],
    ...      Signature((8, 8, 3), "hwc", "uint8", 10), "m.onnx").arrangements
    (Arrangement(axes=(2, 0, 1), shape=(3, 8, 8)),)

Pure functions of what the model declares; no model is run here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.model.modelfile import printable
from ...errors import ModelError
from .. import tasks

if TYPE_CHECKING:
    from ..records import DataRecord, Layout

_IDS = frozenset({"input_ids", "ids", "token_ids", "tokens", "input_word_ids"})
_MASKS = frozenset({"attention_mask", "input_mask", "mask"})
_TYPES = frozenset({"token_type_ids", "segment_ids", "input_type_ids"})
_CONSTANTS = {
    "training": 0,
    "training_mode": 0,
    "is_training": 0,
    "dropout": 0,
    "dropout_rate": 0,
    "keep_prob": 1,
    "temperature": 1,
}
"""Scalar inputs by name, with their value at inference."""
_LOGITS = ("logits", "output")
_SELF_CONTAINED = "export it to take the samples alone"


@dataclass(frozen=True, slots=True)
class Signature:
    """A teacher's task: the data set's samples, and the number of outputs it must give.

    Attributes:
        sample_shape: of one sample.
        layout: what its axes mean.
        dtype: of the samples.
        outputs: numbers per sample; None: as many as it gives (an embedding).
        task: decides how probabilities become logits.
        pad: the token id after the end of a text.
    """

    sample_shape: tuple[int, ...]
    layout: "Layout"
    dtype: str
    outputs: int | None
    task: str = "classification"
    pad: int = 0

    @classmethod
    def of(cls, data: "DataRecord") -> Self:
        """The signature for a data set."""
        return cls(
            sample_shape=data.sample_shape,
            layout=data.layout,
            dtype=data.dtype,
            outputs=tasks.of(data.task).outputs(data),
            task=data.task,
            pad=data.pad,
        )


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the runtime describes it; ``dtype`` is None if numpy has none."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]
    dtype: str | None

    def __str__(self) -> str:
        extents = (printable(e) if isinstance(e, str) else str(e or "?") for e in self.shape)
        return f"{printable(self.name)} {self.type} [{', '.join(extents)}]"


class Arrangement(NamedTuple):
    """A sample's axes in another order, then reshaped to ``shape``."""

    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def of(self, x: NDArray[Any]) -> NDArray[Any]:
        """Samples [n, *sample_shape] as [n, *shape]."""
        order = (0, *(1 + axis for axis in self.axes))
        return x.transpose(order).reshape(len(x), *self.shape)


class Slot(NamedTuple):
    """The content of one input."""

    name: str
    dtype: np.dtype[Any]
    role: Literal["sample", "mask", "zeros", "constant"]
    constant: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How to feed a model.

    Attributes:
        slots: one per input.
        arrangements: those that its shape allows, the likeliest first; running it decides.
        batch: the fixed number of samples it takes, or None.
    """

    slots: tuple[Slot, ...]
    arrangements: tuple[Arrangement, ...]
    batch: int | None

    def feed(self, x: NDArray[Any], arrangement: Arrangement, pad: int) -> list[NDArray[Any]]:
        """One array per slot for samples [n, *sample_shape]."""
        arranged = arrangement.of(x)
        return [_filled(slot, x, arranged, pad) for slot in self.slots]


def _filled(slot: Slot, x: NDArray[Any], arranged: NDArray[Any], pad: int) -> NDArray[Any]:
    if slot.constant is not None:
        return slot.constant
    if slot.role == "sample":
        return arranged.astype(slot.dtype, copy=False)
    if slot.role == "mask":
        attended: NDArray[Any] = np.not_equal(x, pad)
        return attended.astype(slot.dtype)
    return np.zeros(x.shape, slot.dtype)


def arrangements(sample_shape: tuple[int, ...], layout: str) -> tuple[Arrangement, ...]:
    """Arrangements a model may take: unchanged, channel axis moved, channel axis added or removed.

    Only the channel axis of the layout moves, so that samples keep their meaning.
    """
    rank = len(sample_shape)
    same = tuple(range(rank))
    ways = [Arrangement(same, sample_shape)]
    if layout == "hw":
        ways += [Arrangement(same, (1, *sample_shape)), Arrangement(same, (*sample_shape, 1))]
    elif layout in ("hwc", "chw", "tc"):
        first = layout == "chw"
        channel = 0 if first else rank - 1
        rest = tuple(axis for axis in same if axis != channel)
        moved = (*rest, channel) if first else (channel, *rest)
        turned = tuple(sample_shape[axis] for axis in moved)
        ways.append(Arrangement(moved, turned))
        if layout == "tc":
            ways += [
                Arrangement(same, (1, *sample_shape)),
                Arrangement(same, (*sample_shape, 1)),
                Arrangement(moved, (1, *turned)),
            ]
        if sample_shape[channel] == 1:
            ways.append(Arrangement(same, tuple(sample_shape[axis] for axis in rest)))
    # Of two arrangements with the same shape, the first one is kept: it moves less.
    by_shape = {way.shape: way for way in reversed(ways)}
    return tuple(by_shape[shape] for shape in dict.fromkeys(way.shape for way in ways))


def plan(inputs: Sequence[Port], of: Signature, where: str) -> Plan:
    """Decide the content of each input.

    Raises:
        ModelError: no input takes the samples, or more than one; or another input is unknown.
    """
    sample = _of_tokens(inputs, of, where) if of.layout == "tokens" else _sample(inputs, of, where)
    ways = tuple(
        way for way in arrangements(of.sample_shape, of.layout) if _takes(sample.shape, way.shape)
    )
    slots = tuple(
        Slot(port.name, np.dtype(port.dtype), "sample")
        if port is sample
        else _other(port, of, where)
        for port in inputs
    )
    batch = sample.shape[0]
    return Plan(slots, ways, batch if isinstance(batch, int) and batch > 0 else None)


def _sample(inputs: Sequence[Port], of: Signature, where: str) -> Port:
    fits = [port for port in inputs if _is_sample(port, of)]
    if len(fits) == 1:
        return fits[0]
    raise ModelError(
        found=f"inputs {_listed(fits or inputs)}" + (", which all fit" if fits else ""),
        expected=f"one input that takes samples of {_wanted(of)}",
        where=where,
        fix=_SELF_CONTAINED,
    )


def _is_sample(port: Port, of: Signature) -> bool:
    if port.dtype is None:
        return False
    shaped = any(_takes(port.shape, way.shape) for way in arrangements(of.sample_shape, of.layout))
    dtype = np.dtype(port.dtype)
    return shaped and (dtype.kind == "f" or np.can_cast(np.dtype(of.dtype), dtype, "safe"))


def _of_tokens(inputs: Sequence[Port], of: Signature, where: str) -> Port:
    named = [port for port in inputs if port.name.lower() in _IDS]
    rest = [port for port in inputs if port.name.lower() not in _MASKS | _TYPES]
    fits = [port for port in named or rest if _is_ids(port, of)]
    if len(fits) == 1:
        return fits[0]
    raise ModelError(
        found=f"inputs {_listed(inputs)}",
        expected=f"one such as 'input_ids' that takes whole numbers [n, {of.sample_shape[0]}]",
        where=where,
        fix="export it with a dynamic length, or set data.text.max_length to its length",
    )


def _is_ids(port: Port, of: Signature) -> bool:
    dtype = np.dtype(port.dtype) if port.dtype else None
    return dtype is not None and dtype.kind in "iu" and _takes(port.shape, of.sample_shape)


def _other(port: Port, of: Signature, where: str) -> Slot:
    name = port.name.lower()
    if port.dtype is not None:
        dtype = np.dtype(port.dtype)
        if (
            of.layout == "tokens"
            and name in _MASKS | _TYPES
            and _takes(port.shape, of.sample_shape)
        ):
            return Slot(port.name, dtype, "mask" if name in _MASKS else "zeros")
        if name in _CONSTANTS and port.shape in ((), (1,)):
            return Slot(port.name, dtype, "constant", np.full(port.shape, _CONSTANTS[name], dtype))
    more = f", masks and types of [n, {of.sample_shape[0]}]" if of.layout == "tokens" else ""
    raise ModelError(
        found=f"input {port} beside the samples",
        expected=f"none but scalars named {', '.join(_CONSTANTS)}{more}",
        where=where,
        fix=f"{_SELF_CONTAINED}, or give that input a default (an initializer)",
    )


def _takes(shape: Sequence[int | str | None], sample: Sequence[int]) -> bool:
    """Whether an input [n, …] takes samples of a shape; an open axis takes any length."""
    return len(shape) == 1 + len(sample) and all(
        not isinstance(extent, int) or extent in (got, -1)
        for extent, got in zip(shape[1:], sample, strict=True)
    )


def _wanted(of: Signature) -> str:
    shapes = [f"[n, {_extents(w.shape)}]" for w in arrangements(of.sample_shape, of.layout)]
    return f"{of.dtype} or float32 {' or '.join(shapes)}"


def _extents(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))


def _listed(ports: Sequence[Port], most: int = 8) -> str:
    more = f" and {len(ports) - most} more" if len(ports) > most else ""
    return ", ".join(map(str, ports[:most])) + more if ports else "none"


def bare(shape: Sequence[int], outputs: int | None) -> tuple[int, ...]:
    """An output's shape without trailing axes of length 1; [n] becomes [n, 1] for one output."""
    kept = tuple(shape)
    while len(kept) > 2 and kept[-1] == 1:
        kept = kept[:-1]
    return (*kept, 1) if len(kept) == 1 and outputs == 1 else kept


def choose(
    outputs: Sequence[Port], shapes: Sequence[Sequence[int] | None], rows: int, of: Signature
) -> int | None:
    """Which output is the logits: the one with that name among those that fit, or the only one.

    Args:
        outputs: as the runtime describes them.
        shapes: of the outputs for ``rows`` samples; None for an output that is no array.
        rows: number of samples.
        of: the samples and the number of outputs.

    Returns:
        Its index; None if none fits, or several fit and none is named ``logits`` or ``output``.
    """
    fits = []
    for index, (port, shape) in enumerate(zip(outputs, shapes, strict=True)):
        if shape is None or port.dtype is None or np.dtype(port.dtype).kind != "f":
            continue
        kept = bare(shape, of.outputs)
        if len(kept) == 2 and kept[0] == rows and of.outputs in (None, kept[1]):
            fits.append(index)
    for name in _LOGITS:
        named = [index for index in fits if outputs[index].name.lower() == name]
        if len(named) == 1:
            return named[0]
    return fits[0] if len(fits) == 1 else None
