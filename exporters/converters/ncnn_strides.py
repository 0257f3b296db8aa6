"""Every second row or column of an image as a pool of one pixel: ncnn slices without a step.

So do the shortcuts of a ResNet that have no weights (He et al. 2015, §3.3, option A).
"""

from typing import Any

import torch
from torch.fx import GraphModule, Node

aten = torch.ops.aten
_PLACES = (2, 3)
"""The axes of rows and of columns in a query of images."""


def with_steps_as_pools(module: GraphModule) -> GraphModule:
    """The same module, changed: slices with a step over whole rows or columns are pools.

    Args:
        module: a captured graph. Other slices stay as they are.
    """
    graph = module.graph
    for node in list(graph.nodes):
        if (axis := _whole_axis_with_a_step(node)) is None:
            continue
        stride = [node.args[4] if axis == each else 1 for each in _PLACES]
        with graph.inserting_before(node):
            pool = graph.call_function(aten.max_pool2d.default, (node.args[0], [1, 1], stride))
        pool.meta = dict(node.meta)  # its shape, for a slice behind it
        node.replace_all_uses_with(pool)
        graph.erase_node(node)
    module.recompile()
    return module


def _whole_axis_with_a_step(node: Node) -> int | None:
    """Of which axis of images a node takes every so manieth; None: it does something else."""
    if node.target is not aten.slice.Tensor or len(node.args) < 5:
        return None
    value = node.meta.get("val")
    arguments: Any = node.args
    source, axis, start, end, step = arguments
    if not isinstance(value, torch.Tensor) or value.dim() != 4 or not isinstance(source, Node):
        return None
    extent = source.meta["val"].shape[axis] if "val" in source.meta else None
    whole = start in (None, 0) and (end is None or (extent is not None and end >= extent))
    stepped = axis in _PLACES and whole and isinstance(step, int) and step > 1
    return int(axis) if stepped else None
