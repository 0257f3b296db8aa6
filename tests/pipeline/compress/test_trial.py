"""What a user's module does wrong is said before anything is trained, in one line."""

import numpy as np
import pytest
from edgestill.errors import ModelError, UsageError
from edgestill.pipeline import build as building
from edgestill.pipeline.compress import trial
from edgestill.pipeline.compress.inputs import TrialInputs
from edgestill.pipeline.engine.stage import Made
from edgestill.pipeline.models.factory import blamed
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.files import bundled, load
from edgestill.pipeline.stages import DATA, STAGES, TRIAL
from small_trainings import DATA as RECORD
from small_trainings import drawn

NAME = "modules_of_test_trial"
SOURCE = """
import sys
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

class Net(nn.Module):
    def __init__(self, act=None, **more):
        super().__init__()
        self.c, self.b, self.h = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)
        self.act = act
        for name, part in more.items():
            setattr(self, name, part)

    def body(self, x):
        return self.b(self.c(x)).relu()

    def forward(self, x):
        if self.act:
            return self.act(self, x)
        return self.h(self.body(x).mean((2, 3)))

def plain():
    return Net()

def tied():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.h = nn.Linear(36, 36), nn.Linear(36, 36), nn.Linear(36, 3)
            self.b.weight = self.a.weight
        def forward(self, x):
            return self.h(self.b(self.a(x.flatten(1)).relu()))
    return Tied()

def normed():
    net = Net()
    net.c = weight_norm(net.c)
    return net

def lazy():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))

def inplace():
    def act(net, x):
        y = net.body(x)
        y += 1
        return net.h(y.mean((2, 3)))
    return Net(act)

def numpy():
    return Net(lambda net, x: torch.from_numpy(net.h(net.body(x).mean((2, 3))).numpy()))

def detached():
    return Net(lambda net, x: net.h(net.body(x).mean((2, 3))).detach())

def frozen():
    return Net().requires_grad_(False)

def without():
    return nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(3))

def dropping():
    return Net(lambda net, x: net.h(nn.functional.dropout(net.body(x).mean((2, 3)), 0.5)))

def noisy():
    return Net(lambda net, x: net.h(net.body(x + torch.randn_like(x)).mean((2, 3))))

def of_the_batch():
    def act(net, x):
        y = net.body(x).mean((2, 3))
        return net.h(y - y.mean(0))
    return Net(act)

def running():
    net = Net()
    net.b = nn.BatchNorm2d(4, track_running_stats=False)
    return net

def infinite():
    return Net(lambda net, x: net.h(net.body(x).mean((2, 3)) / (x.amax((1, 2, 3))[:, None] * 0)))

def only_in_training():
    def act(net, x):
        if net.training:
            raise KeyError("no such key")
        return net.h(net.body(x).mean((2, 3)))
    return Net(act)

def leaves():
    def act(net, x):
        if net.training:
            sys.exit(1)
        return net.h(net.body(x).mean((2, 3)))
    return Net(act)

def nan_gradient():
    return Net(lambda net, x: net.h((net.body(x) * 0).sqrt().mean((2, 3))))

def not_stored():
    scale = torch.randn(4)
    return Net(lambda net, x: net.h(net.body(x).mean((2, 3)) * scale))

def scripted():
    return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)))

def partly_scripted():
    return nn.Sequential(nn.Flatten(), torch.jit.script(nn.Linear(36, 3)))

def branching():
    def act(net, x):
        y = net.body(x).mean((2, 3))
        return net.h(y * 2 if y.mean() > 0 else y)
    return Net(act)

def eights():
    return Net(lambda net, x: net.h(net.body(x).mean((2, 3))).reshape(-1, 3) if len(x) != 7 else x)

def unexportable():
    return Net(lambda net, x: net.h(net.body(x).mean((2, 3)) + torch.linalg.eigvals(
        net.c.weight[:, 0]).real.sum()))

def half_reached():
    return Net(unused=nn.Linear(5, 5))
"""


@pytest.fixture(autouse=True)
def _module(tmp_path, monkeypatch):
    (tmp_path / f"{NAME}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def tried(tmp_path):
    """Runs the stage on a function of the module; returns its record and what it warned of."""
    samples = drawn(24)
    np.save(tmp_path / "x_train.npy", samples.x)
    np.save(tmp_path / "y_train.npy", samples.y)
    data = Made(DATA, "0" * 64, RECORD, tmp_path)

    def run(function, *, trained=True):
        architecture = Architecture(model=f"{NAME}:{function}")
        inputs = TrialInputs("student.model", architecture, "", trained, True, 18, data)
        told = Silent()
        return trial.try_out(tmp_path, told, inputs), told.warnings

    return run


REFUSED = {
    "inplace": ("cannot be trained (RuntimeError", "in place of y += 1"),
    "numpy": ("in training mode", "torch operators"),
    "detached": ("depends on no trainable parameter", "detach"),
    "frozen": ("no trainable parameter", "requires_grad"),
    "without": ("no trainable parameter", "requires_grad"),
    "dropping": ("two answers to the same samples in eval mode: Dropout ", "self.training"),
    "noisy": ("in eval mode: RandomNormalLike 'node_randn_like' acts as in", "no random numbers"),
    "of_the_batch": ("alone than in a batch", "training mode"),
    "running": ("alone than in a batch", "training mode"),
    "infinite": ("NaN or infinity in its output", ""),
    "only_in_training": ("in training mode (KeyError: 'no such key')", ""),
    "leaves": ("in training mode (SystemExit: 1)", ""),
    "nan_gradient": ("NaN or infinity in a gradient", ""),
    "not_stored": ("once its weights are stored", "parameters and buffers"),
    "scripted": ("torch.jit", "without torch.jit.script"),
    "partly_scripted": ("torch.jit", "without torch.jit.script"),
    "branching": ("cannot be exported to ONNX", "torch.where"),
    "unexportable": ("cannot be exported to ONNX", ""),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("function", REFUSED)
def test_a_module_that_would_fail_later_is_refused_before(function, tried, capfd):
    says, fix = REFUSED[function]
    with pytest.raises(ModelError) as refused:
        tried(function)
    text = str(refused.value)
    assert says in text
    assert fix in text
    assert function in text
    assert "\n" not in text
    assert "Next steps" not in text
    assert "\x1b" not in text
    assert ModelError.exit_code == 3
    # torch prints the graph that it had when it gave up.
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("function", ["plain", "tied", "normed", "lazy"])
def test_a_module_that_trains_and_exports_passes(function, tried, capfd):
    record, warnings = tried(function)
    assert record.parameters == record.trained > 0
    assert warnings == []
    assert capfd.readouterr() == ("", "")


def test_weights_that_no_gradient_reaches_are_warned_of(tried):
    record, (warning,) = tried("half_reached")
    assert record.parameters - record.trained == 30
    assert "no gradient reaches 30 of its 93 trainable parameters" in warning


@pytest.mark.parametrize("function", ["frozen", "detached", "inplace"])
def test_a_teacher_that_is_not_trained_need_not_be_trainable(function, tried):
    record, _ = tried(function, trained=False)
    assert record.trained == 0


def test_no_memory_and_no_space_are_not_the_module_s_fault():
    for error in (MemoryError(), OSError(28, "No space left on device")):
        with pytest.raises(type(error)), blamed("here", "run"):
            raise error


def test_the_trial_stands_before_all_that_trains():
    assert STAGES.index(TRIAL.name) < STAGES.index("teacher")


def test_a_family_of_ours_has_no_trial(tmp_path):
    (tmp_path / "r.toml").write_text(
        'name = "m"\n[data]\nsource = "digits"\n[teacher]\nmodel = "mlp1"\n'
        '[student]\nmodel = "mlp1"\n[gate]\nmin_accuracy = 0.5\n'
    )
    steps = building.plan(load(tmp_path / "r.toml"), tmp_path)
    assert TRIAL.name not in [step.stage for step in steps]


def test_a_build_until_a_trial_that_there_is_not_is_refused():
    with pytest.raises(UsageError, match="no model from a function of yours"):
        building.build(bundled("digits"), until="trial")


def test_modules_of_the_user_have_one_each(tmp_path):
    samples = drawn(240)
    np.savez(tmp_path / "own.npz", x=samples.x, y=samples.y)
    (tmp_path / "r.toml").write_text(
        f'name = "m"\n[data]\nsource = "npz:own.npz"\n[teacher]\nmodel = "{NAME}:plain"\n'
        f'[student]\nmodel = "{NAME}:lazy"\n[gate]\nmin_accuracy = 0.5\n'
    )
    steps = building.plan(load(tmp_path / "r.toml"), tmp_path)
    assert [step.stage for step in steps][:4] == ["data", "trial", "trial", "teacher"]
