"""Torch programs into Core ML's ``.mlpackage`` folders, each zipped into one file.

Nothing is run: Core ML is a part of Apple's systems.
"""

import json
import logging
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import coremltools as ct
import numpy as np
import torch
from coremltools.optimize.coreml import (
    OpLinearQuantizerConfig,
    OptimizationConfig,
    linear_quantize_weights,
)

from .protocol import Request, each, serve

_TARGET = ct.target.iOS16  # the first that stores weights in int8
_PRECISIONS: Mapping[str, Any] = {
    "float32": ct.precision.FLOAT32,
    "float16": ct.precision.FLOAT16,
    "int8-weights": ct.precision.FLOAT32,
}
"""What is computed in, by the scheme that a request names."""
_DAY = (1980, 1, 1, 0, 0, 0)
"""The date of all files in a zip, so that the same model is the same file."""


def convert(folder: Path, request: Request) -> dict[str, Any]:
    """Make the package of each model."""
    gives: dict[str, tuple[int, ...]] = {}

    def one(model: Request) -> None:
        program = torch.export.load(str(folder / model["program"])).run_decompositions({})
        (given,) = program.graph.output_node().args[0]
        gives[model["name"]] = tuple(given.meta["val"].shape)
        made = ct.convert(
            program,
            convert_to="mlprogram",
            compute_precision=_PRECISIONS[model["scheme"]],
            minimum_deployment_target=_TARGET,
            skip_model_load=True,
            outputs=[ct.TensorType(name=request["output"], dtype=np.float32)],
        )
        if model["scheme"] == "int8-weights":
            made = linear_quantize_weights(made, _EVERY_WEIGHT)
        spec = made.get_spec()
        ct.utils.rename_feature(spec, spec.description.input[0].name, request["input"])
        named = ct.models.MLModel(spec, weights_dir=made.weights_dir, skip_model_load=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            package = Path(work) / "m.mlpackage"
            named.save(str(package))
            _zip(package, Path(model["target"]))

    refused = each(request["models"], one)
    return {"refused": refused, "gives": gives, "by": f"coremltools {ct.__version__}"}


_EVERY_WEIGHT = OptimizationConfig(
    global_config=OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0)
)


def _zip(package: Path, target: Path) -> None:
    """A package's folder as one file, stored as it is, under the name of the file."""
    _with_fixed_names(package / "Manifest.json")
    model = package / "Data" / "com.apple.CoreML" / "model.mlmodel"
    # It is written with its maps in any order.
    model.write_bytes(ct.utils.load_spec(str(model)).SerializeToString(deterministic=True))
    top = target.name.removesuffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(package.rglob("*")):
            if file.is_file():
                name = f"{top}/{file.relative_to(package).as_posix()}"
                archive.writestr(zipfile.ZipInfo(name, _DAY), file.read_bytes())


def _with_fixed_names(manifest: Path) -> None:
    """Entries of the manifest are named for their paths; coremltools draws names at random."""
    known = json.loads(manifest.read_text(encoding="utf-8"))
    entries = known["itemInfoEntries"]
    names = {old: str(uuid5(NAMESPACE_URL, entry["path"])) for old, entry in entries.items()}
    known["itemInfoEntries"] = {names[old]: entry for old, entry in sorted(entries.items())}
    known["rootModelIdentifier"] = names[known["rootModelIdentifier"]]
    manifest.write_text(json.dumps(known, indent=2, sort_keys=True), encoding="utf-8")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(convert)
