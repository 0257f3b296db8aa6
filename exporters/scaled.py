"""What a file takes and gives where that is not what the ``.onnx`` file does, and the JSON of it.

Integers that stand for numbers, floats in place of bytes, axes in another order.

>>> Scaled("int8", (1, 2), 0.5, -128).as_taken([[0.0, 1.0]]).tolist()
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
        axes: which axis of a query of the data set's samples each of its axes is, such as
            ``(0, 2, 3, 1)`` where the samples have their channels first and it has them last;
            None: they are the same.
    """

    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None
    axes: tuple[int, ...] | None = None

    def as_taken(self, samples: "ArrayLike") -> "NDArray[Any]":
        """Samples as the model takes them; integers are rounded to the nearest, in their range."""
        import numpy as np

        numbers = self.arranged(samples)
        if self.scale is None or self.zero_point is None:
            return numbers
        limits = np.iinfo(self.dtype)
        # In double precision: int16 samples over a small scale have more digits than float32.
        steps = np.round(numbers.astype(np.float64) / self.scale) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def arranged(self, samples: "ArrayLike") -> "NDArray[Any]":
        """Samples with the model's order of axes, and with its type where no scale makes it."""
        import numpy as np

        numbers = np.asarray(samples)
        if self.axes is not None:
            numbers = np.ascontiguousarray(numbers.transpose(self.axes))
        return numbers if self.scale is not None else numbers.astype(self.dtype, copy=False)

    def in_data_order(self, arranged: "NDArray[Any]") -> "NDArray[Any]":
        """What ``arranged`` gave, with the axes of the data set's samples again."""
        import numpy as np

        if self.axes is None:
            return arranged
        return np.ascontiguousarray(arranged.transpose(np.argsort(self.axes)))

    def as_numbers(self, integers: "NDArray[Any]") -> "NDArray[Any]":
        """What the model gives as float32."""
        import numpy as np

        if self.scale is None or self.zero_point is None:
            return integers
        whole = integers.astype(np.float32) - np.float32(self.zero_point)
        return whole * np.float32(self.scale)


@dataclass(frozen=True, slots=True)
class Scales:
    """Of a model that takes something else than the ``.onnx`` file.

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
    axes = known.get("axes")
    return Scaled(
        **{**known, "shape": tuple(known["shape"]), "axes": None if axes is None else tuple(axes)}
    )
