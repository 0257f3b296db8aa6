"""Names of a graph and of the graphs inside it, and new ones."""

import foreign_graphs
from edgestill.devices.onboard.model.names import fresh, graphs_of, nodes_of, tensor_names


def test_a_fresh_name_is_the_wanted_one_or_has_a_number_behind_it():
    taken = {"w"}
    assert [fresh(name, taken) for name in ("v", "w", "w", "v")] == ["v", "w_1", "w_2", "v_1"]
    assert taken == {"v", "w", "v_1", "w_1", "w_2"}


def test_graphs_inside_count_with_their_operators_and_tensors():
    graph = foreign_graphs.GRAPHS["layer_in_a_loop"]().model.graph
    outer, *inner = graphs_of(graph)
    assert outer is graph
    assert len(inner) == 1
    assert len(list(nodes_of(graph))) == len(graph.node) + len(inner[0].node)
    own = {name for node in inner[0].node for name in node.output}
    assert own
    assert own | {"w", graph.input[0].name} <= tensor_names(graph)
    assert "" not in tensor_names(graph)
