"""What is kept of the ranges that a training with rounding learned."""

import numpy as np
import pytest
import torch
from edgestill.exporters.learned_ranges import LearnedRanges
from edgestill.pipeline.compress.train import learned_ranges, qat
from rounding_models import KINDS, calibrated, lived_in, samples

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


@pytest.mark.parametrize("name", list(KINDS))
def test_ranges_are_those_of_the_integers_and_extremes_those_of_the_floats(name, tmp_path):
    model = calibrated(*lived_in(name))
    data = KINDS[name][0]
    x = samples(data, 12)
    with torch.no_grad():
        before = model(torch.from_numpy(x[:2]))
        found = learned_ranges.of(model, x, data)
        torch.testing.assert_close(model(torch.from_numpy(x[:2])), before, rtol=0, atol=0)
    running = model.running()
    count = len(running)
    assert found.extremes.shape == (count, learned_ranges.SAMPLES, 2)
    assert found.ranges.shape == (count, 2)
    for (low, high), rounding in zip(found.ranges, running, strict=True):
        scale, _ = rounding.calculate_qparams()
        assert high - low == pytest.approx(255 * float(scale))
        assert low <= 0 <= high
    first = values_before_the_first_rounding(qat.without_rounding(model), model, x[0])
    assert found.extremes[0, 0].tolist() == pytest.approx([first.min(), first.max()], rel=1e-5)
    found.write(tmp_path / "ranges.npz")
    again = LearnedRanges.read(tmp_path / "ranges.npz")
    for part in ("samples", "extremes", "ranges"):
        np.testing.assert_array_equal(getattr(again, part), getattr(found, part))
    np.testing.assert_array_equal(again.samples, x[: learned_ranges.SAMPLES])


def values_before_the_first_rounding(graph, model, sample):
    """What the float graph computes where the first activation is rounded."""
    modules = dict(model.net.named_modules())
    running = model.running()
    node = next(n for n in model.net.graph.nodes if modules.get(str(n.target)) is running[0])
    seen = {}

    class Noting(torch.fx.Interpreter):
        def run_node(self, n):
            seen[n.name] = super().run_node(n)
            return seen[n.name]

    with torch.no_grad():
        Noting(graph).run(torch.from_numpy(np.stack([sample, sample])))
    return seen[node.args[0].name].numpy()
