"""What a microcontroller's program has to know of a model: its arena, and what its integers mean.

Needs.read(Path("int8-static.micro.tflite")).arena_bytes
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from .scaled import Scaled, Scales, beside

SUFFIX = ".micro.tflite"
"""Of the model's file; by this name it runs in TensorFlow Lite Micro."""


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
        scales = Scales.of(known)
        return cls(known["arena_bytes"], known["counted_by"], scales.input, scales.output)
