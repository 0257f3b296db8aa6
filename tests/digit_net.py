"""A small network that knows digits, for tests of what formats answer."""

from functools import cache

import numpy as np
import torch
from edgestill.exporters import onnx
from edgestill.exporters.package import Finished, Job
from sklearn.datasets import load_digits

TRAINED = 1300


class DigitNet(torch.nn.Module):
    """Two convolutions with batch norm, and a mean over both axes as our families have it."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(16)
        self.second = torch.nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.third = torch.nn.Conv2d(32, 32, 3, padding=1)
        self.last = torch.nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.first((x - 0.3) / 0.38)))
        x = torch.relu(self.second(x))
        x = torch.relu(self.third(x) + x)
        return self.last(x.mean((2, 3)))


@cache
def digits():
    """Images [1797, 1, 8, 8] in 0 to 1, and their labels."""
    data = load_digits()
    return data.images[:, None].astype(np.float32) / 16, data.target.astype(np.int64)


@cache
def trained():
    """The network after some epochs on the first images; always the same one."""
    torch.manual_seed(0)
    net, (x, y) = DigitNet(), digits()
    x, y = torch.from_numpy(x[:TRAINED]), torch.from_numpy(y[:TRAINED])
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(8):
        for rows in torch.randperm(TRAINED).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return net.eval()


@cache
def held_out():
    """Images that the network was not trained on, and what it answers."""
    x, net = digits()[0][TRAINED:], trained()
    with torch.no_grad():
        return x, net(torch.from_numpy(x)).numpy()


def job(folder, names, *, net=None, samples=None, batch=1):
    """A job for an exporter: `fp32` with its module, and the other names without one."""
    net = trained() if net is None else net
    samples = digits()[0][:64] if samples is None else samples
    models = []
    for name in names:
        file = folder / f"{name}.onnx"
        onnx.export(net, torch.from_numpy(np.repeat(samples[:1], 2, axis=0)), file, opset=20)
        models.append(Finished(name, file, net if name == "fp32" else None))
    return Job(folder, tuple(models), calibration=samples, batch=batch, log=folder)


def agreement(found, expected):
    """The share of samples that are decided alike."""
    return (found.argmax(1) == expected.argmax(1)).mean()
