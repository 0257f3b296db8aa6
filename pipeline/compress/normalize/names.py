"""Names that cannot clash with what a tool adds.

with names_apart(model) as mark:
    tool(model)                     # adds 'x|_scale' beside a tensor 'x|'
# afterwards 'x|' is 'x' again, and 'x|_scale' is 'x_scale' unless the model had such a tensor

Quantizers and converters name what they add after what they find: ``x_scale`` for ``x``. A model
that has both is then broken without a word. With a mark at the end of every name of the model, what
is added cannot have a name of the model, whatever the tool appends.
"""

from collections.abc import Callable, Mapping, MutableSequence

import onnx

from ....devices.onboard.model.names import graphs_of, tensor_names

MARK = "|"


def apart(model: onnx.ModelProto) -> frozenset[str]:
    """Mark every name of tensors and operators, in place.

    Returns:
        The names as they were, for `together`.
    """
    names = _all_names(model.graph)
    _rename(model.graph, {name: name + MARK for name in names})
    return frozenset(names)


def together(model: onnx.ModelProto, names: frozenset[str]) -> None:
    """Take the marks away, in place; what a tool added keeps its own where it would clash.

    Args:
        model: what the tool made of the marked model.
        names: as `apart` returned them.
    """
    given: dict[str, str] = {name + MARK: name for name in names}
    taken = set(names)
    for name in sorted(_all_names(model.graph) - given.keys()):
        plain = name.replace(MARK, "")
        given[name] = plain if plain not in taken else name
        taken.add(given[name])
    _rename(model.graph, given)


def unmarked(text: str) -> str:
    """A message about a marked model as the user knows its names."""
    return text.replace(MARK, "")


def _all_names(graph: onnx.GraphProto) -> set[str]:
    nodes = {node.name for one in graphs_of(graph) for node in one.node}
    return (tensor_names(graph) | nodes) - {""}


def _rename(graph: onnx.GraphProto, given: Mapping[str, str]) -> None:
    def new(name: str) -> str:
        return given.get(name, name)

    for one in list(graphs_of(graph)):
        for node in one.node:
            if node.name:
                node.name = new(node.name)
            _in_place(node.input, new)
            _in_place(node.output, new)
        for value in (*one.input, *one.output, *one.value_info, *one.initializer):
            value.name = new(value.name)
        for sparse in one.sparse_initializer:
            sparse.values.name = new(sparse.values.name)
        for annotation in one.quantization_annotation:
            annotation.tensor_name = new(annotation.tensor_name)


def _in_place(names: MutableSequence[str], new: Callable[[str], str]) -> None:
    for place, name in enumerate(names):
        names[place] = new(name)
