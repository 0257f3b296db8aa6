"""Which layers are chosen to be left in float, and what that is expected to save."""

import random

import pytest
from edgestill.pipeline.diagnose.layer_choice import choose
from edgestill.pipeline.diagnose.layer_costs import Edge, LayerCosts
from edgestill.pipeline.diagnose.layer_state import LayerState


def costs(gains, edges=(), in_float=(), unquantized=(), weighted=None):
    return LayerCosts(
        gains_us=gains,
        weighted=frozenset(gains if weighted is None else weighted),
        in_float=frozenset(in_float),
        unquantized=frozenset(unquantized),
        edges=edges,
        quantize_us=1.0,
        dequantize_us=1.0,
    )


def test_a_layer_is_left_in_float_only_if_it_saves_more_than_its_conversions_cost():
    edges = [Edge(0, (1,), 10), Edge(1, (2,), 10)]
    assert choose(costs({0: -50.0, 1: 19.0, 2: -50.0}, edges), 0.5) == frozenset()
    layers = costs({0: -50.0, 1: 21.0, 2: -50.0}, edges)
    assert choose(layers, 0.5) == {1}
    assert layers.saving_us(frozenset({1})) == pytest.approx(21 - 20)


def test_neighbours_that_pay_only_together_are_found_together():
    edges = [Edge(0, (1,), 10), Edge(1, (2,), 100), Edge(2, (3,), 10)]
    layers = costs({0: -50.0, 1: 15.0, 2: 15.0, 3: -50.0}, edges)
    assert layers.saving_us(frozenset({1})) < 0
    assert layers.saving_us(frozenset({2})) < 0
    assert choose(layers, 0.5) == {1, 2}
    assert layers.saving_us(frozenset({1, 2})) == pytest.approx(15 + 15 - 20)


def test_an_unfused_layer_saves_its_conversions_only_where_its_neighbours_are_in_float_too():
    edges = [Edge(None, (0,), 10), Edge(0, (1,), 10)]
    layers = costs({0: 5.0, 1: -50.0}, edges, in_float=(0,))
    # The Q and DQ of the model's input fall away; the Q for the next layer stays.
    assert layers.saving_us(frozenset({0})) == pytest.approx(5 + 20)


def test_what_adds_too_little_is_not_named():
    assert choose(costs({0: 40.0, 1: 0.3}), 0.5) == {0}


def test_an_operator_without_weights_between_integers_stays_what_it_is():
    edges = [Edge(0, (1,), 0), Edge(1, (2,), 0)]
    gains = {0: -5.0, 1: 30.0, 2: -5.0}
    assert choose(costs(gains, edges, weighted=(0, 2)), 0.5) == frozenset({0, 1})
    assert costs(gains, edges, weighted=(0, 2)).saving_us(frozenset({1})) == 0


def test_toggling_layers_gives_the_saving_of_the_whole_set():
    """Random graphs of layers: what is kept up to date is what is computed anew."""
    drawn = random.Random(0)
    for _ in range(100):
        count = drawn.randint(1, 9)
        every = range(count + 2)
        layers = LayerCosts(
            gains_us={at: drawn.uniform(-30, 30) for at in range(count)},
            weighted=frozenset(at for at in range(count) if drawn.random() < 0.6),
            in_float=frozenset(at for at in range(count) if drawn.random() < 0.3),
            unquantized=frozenset(at for at in every if drawn.random() < 0.2),
            edges=[
                Edge(
                    drawn.choice([None, *every]),
                    tuple(drawn.sample(every, drawn.randint(0, 3))),
                    drawn.randint(0, 20),
                )
                for _ in range(drawn.randint(0, 14))
            ],
            quantize_us=1.0,
            dequantize_us=0.7,
        )
        state = LayerState(layers)
        for _ in range(20):
            state.toggle(drawn.randrange(count))
            assert state.saving_us == pytest.approx(layers.saving_us(frozenset(state.chosen)))
