"""What the integers of a model's input and output mean, and the JSON beside a file that says so.

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
class Scales:
    """Of a model that takes and gives integers.

    Attributes:
        input: what it takes.
        output: what it gives.
    """

    input: Scaled
    output: Scaled

    def write(self, model: Path) -> Path:
        """As JSON beside a model; its path."""
        path = beside(model, ".json")
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> Self:
        """Those of a parsed JSON document, which may say more."""
        return cls(scaled(known["input"]), scaled(known["output"]))

    @classmethod
    def read(cls, model: Path) -> Self | None:
        """Those that the JSON file beside a model says; None where there is no such file."""
        path = beside(model, ".json")
        if not path.is_file():
            return None
        return cls.of(json.loads(path.read_text(encoding="utf-8")))


def beside(model: Path, suffix: str) -> Path:
    """A file that belongs to a model: ``int8-static.micro.json``."""
    return model.with_suffix(suffix)


def scaled(known: Mapping[str, Any]) -> Scaled:
    """An input or output as JSON has it."""
    return Scaled(**{**known, "shape": tuple(known["shape"])})
