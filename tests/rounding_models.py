"""Small models of each family that round as int8 does, and samples for them."""

import numpy as np
import torch
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.compress.train import qat
from edgestill.pipeline.models import deployed
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.compress import Compress
from edgestill.pipeline.records import DataRecord
from torch import nn


def record(shape, layout, dtype="float32", **more):
    return DataRecord(
        source="test", task="classification", labels=tuple("abcdefghij"), sample_shape=shape,
        layout=layout, dtype=dtype, mean=(0.5,), std=(2.0,), rows={}, counts={}, dropped=0,
        notes=(), fingerprint="", **more,
    )  # fmt: skip


KINDS = {
    "resnet8": (record((12, 12, 3), "hwc"), 16),
    "mobilenet3": (record((12, 12, 3), "hwc"), 8),
    "conv1d3": (record((40, 6), "tc"), 16),
    "transformer1": (record((24,), "tokens", "int32", vocabulary=50), 64),
}


def samples(data, count, seed=0):
    rng = np.random.default_rng(seed)
    if data.layout != "tokens":
        return rng.normal(size=(count, *data.sample_shape)).astype(np.float32)
    ids = rng.integers(1, data.vocabulary, (count, *data.sample_shape)).astype(np.int32)
    lengths = rng.integers(1, data.sample_shape[0] + 1, (count, 1))
    return np.where(np.arange(data.sample_shape[0]) < lengths, ids, data.pad).astype(np.int32)


def lived_in(name):
    """A model whose batch norms have seen data, and one of whose channels is dead."""
    data, width = KINDS[name]
    torch.manual_seed(0)
    model = deployed(Architecture(model=name, width=width), data)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.eps = 0.1
        nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    with torch.no_grad():
        for norm in norms[:1]:
            norm.weight[0], norm.bias[0] = 0.0, 2.0
    return model.eval(), data


SEVEN = plan(Compress(types="u8s8", reduce_range="always"))


def calibrated(model, data, how=SEVEN):
    found = qat.prepared(model, data, how)
    qat.calibrate(found, [samples(data, 32, seed) for seed in range(3)])
    return found
