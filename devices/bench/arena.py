"""The memory that a model needs on a microcontroller, counted in a child process.

>>> arena_of(Path("model.tflite")).arena.total_bytes          # doctest: +SKIP
55984
"""

from pathlib import Path

from ..onboard.measure.answer import ArenaAnswer
from ..onboard.measure.job import ArenaJob
from ..place.place import Local

_SECONDS = 300.0


def arena_of(path: Path) -> ArenaAnswer:
    """The arena of a `.tflite` file, and how its inputs and outputs are quantized.

    Raises:
        HostError: the toolchain tflite-micro is not set up.
        ModelError: TensorFlow Lite Micro cannot load or run it.
        MeasureError: the child died or ran out of time.
    """
    return Local().run(ArenaJob(str(path)), timeout_s=_SECONDS)
