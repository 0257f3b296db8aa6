"""Masks of padding as numbers: ncnn compares no integers and has no booleans.

``ids != pad`` becomes a look-up of each id in a table of ones with a zero for the padding, which is
what ncnn's Embed layer does, ``~mask`` becomes ``1 - mask``, and a cast to float vanishes.
"""

import torch
from torch.fx import GraphModule, Node

aten = torch.ops.aten
_COMPARISONS = {aten.ne.Scalar: 0.0, aten.eq.Scalar: 1.0}
"""What a table holds for the id that is compared with; for others it is the other of 0 and 1."""
_NOT = (aten.bitwise_not.default, aten.logical_not.default)


def with_masks_as_numbers(module: GraphModule) -> GraphModule:
    """The same module, changed, with masks that were made of its token ids as floats.

    Args:
        module: a captured graph. Without a table of embeddings that its input is looked up in, it
            stays as it is, and so does what it does with a mask beside the above.
    """
    graph = module.graph
    ids = [node for node in graph.nodes if node.op == "placeholder"]
    words = next((number for node in ids if (number := _words(module, node))), None)
    if words is None:
        return module
    masks: set[Node] = set()
    for node in list(graph.nodes):
        source = node.args[0] if node.args else None
        if node.target in _COMPARISONS and source in ids:
            table = torch.full((words, 1), 1.0 - _COMPARISONS[node.target])
            table[node.args[1]] = _COMPARISONS[node.target]
            name = f"mask_{len(masks)}"
            module.register_buffer(name, table)
            with graph.inserting_before(node):
                rows = (graph.get_attr(name), source)
                looked_up = graph.call_function(aten.embedding.default, rows)
                mask = graph.call_function(aten.squeeze.dim, (looked_up, -1))
        elif source not in masks:
            continue
        elif node.target in _NOT:
            with graph.inserting_before(node):
                mask = graph.call_function(aten.rsub.Scalar, (source, 1.0))
        elif node.target is aten.to.dtype and node.args[1] is torch.float32:
            mask = source
        elif node.target is aten._assert_tensor_metadata.default:
            graph.erase_node(node)
            continue
        else:
            continue
        node.replace_all_uses_with(mask)
        graph.erase_node(node)
        masks.add(mask)
    module.recompile()
    return module


def _words(module: GraphModule, ids: Node) -> int | None:
    """Rows of the table that ids are looked up in; None: there is none."""
    for user in ids.users:
        if user.target is aten.embedding.default and user.args[1] is ids:
            table = user.args[0]
            if isinstance(table, Node) and table.op == "get_attr":
                return len(_tensor(module, str(table.target)))
    return None


def _tensor(module: torch.nn.Module, name: str) -> torch.Tensor:
    path, _, last = name.rpartition(".")
    found: torch.Tensor = getattr(module.get_submodule(path), last)
    return found
