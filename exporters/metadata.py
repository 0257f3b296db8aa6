"""What a model file says about itself, in ONNX metadata, so that it can be used without its recipe.

Keys: ``edgestill.task``, ``edgestill.labels``, ``edgestill.units`` (of a regression),
``edgestill.input``, ``edgestill.output`` (its name, and the softmax or sigmoid that is inside),
``edgestill.front_end`` (how raw input is encoded), ``edgestill.normalization``,
``edgestill.hashes``, ``edgestill.variant``, ``edgestill.version``; each value is JSON.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

PREFIX = "edgestill."


def stamp(path: Path, facts: Mapping[str, Any]) -> None:
    """Write facts into an ONNX file, replacing what it said before."""
    model = onnx.load(path)
    onnx.helper.set_model_props(
        model, {PREFIX + key: json.dumps(value, allow_nan=False) for key, value in facts.items()}
    )
    path.write_bytes(model.SerializeToString(deterministic=True))


def read(path: Path) -> dict[str, Any]:
    """The facts a file carries."""
    model = onnx.load(path, load_external_data=False)
    return {
        entry.key.removeprefix(PREFIX): json.loads(entry.value)
        for entry in model.metadata_props
        if entry.key.startswith(PREFIX)
    }
