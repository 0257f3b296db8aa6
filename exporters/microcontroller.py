"""What a microcontroller's program has to know of a model: its arena, and what its integers mean.

>>> Scaled("int8", (1, 2), 0.5, -128).as_integers([[0.0, 1.0]]).tolist()
[[-128, -126]]
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SUFFIX = ".micro.tflite"
"""Of the model's file; by this name it runs in TensorFlow Lite Micro."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A model's input or output: a number is ``scale * (integer - zero_point)``.

    Attributes:
        dtype: of the integers, such as ``int8``.
        shape: of one query.
        scale: None: its numbers are what they are, such as token ids.
        zero_point: None where there is no scale.
    """

    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None

    def as_integers(self, numbers: "ArrayLike") -> "NDArray[Any]":
        """Numbers as the model takes them, rounded to the nearest and kept in its range."""
        import numpy as np

        if self.scale is None or self.zero_point is None:
            return np.asarray(numbers).astype(self.dtype)
        limits = np.iinfo(self.dtype)
        # In double precision: int16 samples over a small scale have more digits than float32.
        steps = np.round(np.asarray(numbers, np.float64) / self.scale) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def as_numbers(self, integers: "NDArray[Any]") -> "NDArray[Any]":
        """What the model gives as float32."""
        import numpy as np

        if self.scale is None or self.zero_point is None:
            return integers
        whole = integers.astype(np.float32) - np.float32(self.zero_point)
        return whole * np.float32(self.scale)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model takes of a microcontroller, as the ``.json`` beside it says.

    Attributes:
        arena_bytes: the memory that the program gives it.
        counted_by: the runtime and its version.
        input: what it takes.
        output: what it gives.
    """

    arena_bytes: int
    counted_by: str
    input: Scaled
    output: Scaled

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, model: Path) -> Self:
        """What the JSON file beside a model says."""
        known = json.loads(beside(model, ".json").read_text(encoding="utf-8"))
        return cls(
            known["arena_bytes"],
            known["counted_by"],
            _scaled(known["input"]),
            _scaled(known["output"]),
        )


def beside(model: Path, suffix: str) -> Path:
    """A file that belongs to a model: ``int8-static.micro.json``."""
    return model.with_suffix(suffix)


def _scaled(known: Mapping[str, Any]) -> Scaled:
    return Scaled(**{**known, "shape": tuple(known["shape"])})
