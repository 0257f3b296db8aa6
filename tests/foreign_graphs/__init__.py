"""Graphs that exporters write and that no build of ours makes: each kind a function.

for name, graph in GRAPHS.items():
    model, samples = write(graph(), folder, name)
"""

import numpy as np
import onnx

from . import convolutions, files, products, sequences, structures

GRAPHS = {
    graph.__name__: graph
    for module in (products, convolutions, sequences, files, structures)
    for graph in module.GRAPHS
}
"""By name, functions that give a `building.Foreign`: model, feeds and axes of samples."""


def write(foreign, folder, name):
    """Write the model and its feeds; the paths of the `.onnx` and the `.npz`."""
    path, samples = folder / f"{name}.onnx", folder / f"{name}.npz"
    if foreign.external:
        onnx.save(
            foreign.model,
            path,
            save_as_external_data=True,
            location=f"{name}.bin",
            size_threshold=0,
        )
    else:
        onnx.save(foreign.model, path)
    np.savez(samples, **foreign.feeds)
    return path, samples
