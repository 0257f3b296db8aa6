"""Real data, real trainings: builds that choose a student and climb the ladder by themselves."""

import numpy as np
import pytest
from edgestill.pipeline.api.build import build
from shared_data import SHARED

pytestmark = pytest.mark.slow

HOT_PIXELS = """
name = "hot-pixels"
threads = 1
[data]
source = "npz:hot.npz"
layout = "hw"
test = 0.3
validation = 0.2
calibration = 0.05
[teacher]
model = "resnet8"
width = 8
epochs = 3
batch_size = 64
learning_rate = 0.01
[student]
model = "resnet8"
width = 8
[distill]
epochs = 4
batch_size = 64
learning_rate = 0.01
[compress]
variants = ["fp32", "int8-static"]
[benchmark]
processes = 1
seconds = 0.01
max_queries = 64
footprint = false
operators = false
[search]
processes = 1
[gate]
min_accuracy = 0.85
max_drop_vs_fp32 = 0.025
max_size_kib = 60
"""
"""fp32 is too large, and int8 has the range of the hot pixels."""


@pytest.fixture
def mnist():
    path = SHARED / "mnist_28x28.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in ../shared/data")
    with np.load(path) as archive:
        return archive["x_train"][:6000], archive["y_train"][:6000]


def test_int8_that_loses_too_much_is_brought_to_ready_by_the_ladder(tmp_path, mnist):
    x, y = mnist[0].astype(np.float32) / 255.0, mnist[1]
    random = np.random.default_rng(0)
    hot = np.flatnonzero(random.random(len(x)) < 0.05)
    x[hot, random.integers(0, 28, len(hot)), random.integers(0, 28, len(hot))] = 60.0
    np.savez(tmp_path / "hot.npz", x=x, y=y)
    (tmp_path / "recipe.toml").write_text(HOT_PIXELS)
    run = build(tmp_path / "recipe.toml", artifacts=tmp_path / "artifacts", progress=False)
    search, verdict = run.report.search, run.report.verdict
    first, *rungs = search.rungs
    assert not first.fits
    assert {miss.key for miss in first.misses} & {"max_drop_vs_fp32", "min_accuracy"}
    assert rungs[-1].fits
    assert search.ended == f"{rungs[-1].nearest} is expected to be READY"
    assert search.trade is None
    assert run.outcome == "ready"
    (static,) = [one for one in verdict.variants if one.name == "int8-static"]
    assert static.outcome != "ready"
    assert verdict.ship != "int8-static"
