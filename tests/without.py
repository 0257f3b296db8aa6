"""Children of tests that lack libraries."""

import json
import os
import shutil
from pathlib import Path

TRAIN = (
    *("torch", "torchao", "torchvision", "onnxscript", "onnx_ir", "onnx-ir", "safetensors"),
    *("scikit-learn", "sklearn", "scipy", "joblib", "sympy", "networkx"),
)
"""What `edgestill[train]` brings, by its names for import and for pip."""


def environment(folder: Path, missing=TRAIN) -> dict[str, str]:
    """The environment of a process without libraries; the folder is for what hides them."""
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("without_site.py"), folder / "sitecustomize.py")
    (folder / "missing.json").write_text(json.dumps(missing))
    return {**os.environ, "PYTHONPATH": str(folder)}
