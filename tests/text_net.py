"""A transformer with random weights, texts of which most are padded, and a job to export it."""

import numpy as np
import torch
from edgestill.exporters import onnx
from edgestill.exporters.package import Finished, Job
from edgestill.pipeline.models.signature import Signature
from edgestill.pipeline.models.transformer import Transformer


def job(folder):
    """The job of fp32 and static int8, and the logits that torch gives for its calibration."""
    torch.manual_seed(0)
    net = Transformer(2, 32, Signature((12,), "tokens", 3, 50, 0)).eval()
    random = np.random.default_rng(0)
    ids = random.integers(1, 50, (40, 12)).astype(np.int32)
    for row, length in enumerate(random.integers(2, 13, 40)):
        ids[row, length:] = 0
    models = []
    for name in ("fp32", "int8-static"):
        onnx.export(net, torch.from_numpy(ids[:2]), folder / f"{name}.onnx", opset=20)
        models.append(Finished(name, folder / f"{name}.onnx", net if name == "fp32" else None))
    with torch.no_grad():
        expected = net(torch.from_numpy(ids)).numpy()
    return Job(folder, tuple(models), calibration=ids), expected
