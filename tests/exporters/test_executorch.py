"""`.pte` files out of one student: what they answer, what XNNPACK does not take, what is refused.

They are made by `edgestill.exporters.converters.executorch` in its toolchain.
"""

import digit_net
import numpy as np
import pytest
import text_net
import toolchain_tools
import torch
from edgestill.errors import ModelError
from edgestill.exporters import executorch
from edgestill.exporters.package import NotCarried
from edgestill.pipeline.judge.other_runtimes import outputs, steadiness

pytestmark = pytest.mark.slow
NAMES = ("fp32", "int8-static", "int8-dynamic", "int8-weights", "fp16", "pruned")


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    toolchain_tools.python_of("executorch")
    return digit_net.job(tmp_path_factory.mktemp("pte"), NAMES)


@pytest.fixture(scope="module")
def made(job):
    return executorch.packages(job)


def test_it_answers_as_torch_in_float_and_decides_alike_in_int8(job, made):
    x, expected = digit_net.held_out()
    assert digit_net.agreement(expected, np.eye(10)[digit_net.digits()[1][-len(x) :]]) > 0.9
    found = outputs(job.folder / "fp32.pte", x, batch=1)
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)
    for name in ("int8-static", "int8-dynamic"):
        found = outputs(job.folder / f"{name}.pte", x, batch=1)
        assert found.dtype == np.float32
        assert digit_net.agreement(found, expected) >= 0.98, name
        assert np.abs(found - expected).max() <= 0.1 * np.ptp(expected), name
    assert made["int8-static"].model.bytes < 0.6 * made["fp32"].model.bytes


def test_static_int8_of_a_text_leaves_attention_in_float(tmp_path):
    """One range for scores and the mask on padding made 12 % of decisions others."""
    toolchain_tools.python_of("executorch")
    job, expected = text_net.job(tmp_path)
    executorch.packages(job)
    rounded = outputs(tmp_path / "int8-static.pte", job.calibration, batch=1)
    assert np.abs(rounded - expected).max() <= 0.05 * np.ptp(expected)


def test_it_answers_in_one_way(job, made):
    steady = steadiness(job.folder / "int8-static.pte", digit_net.held_out()[0][:8], batch=1)
    assert (steady.faults, steady.samples) == ((), 8)


def test_all_of_our_own_nets_is_delegated_with_their_means_as_pools(made):
    for name in ("fp32", "int8-static"):
        package = made[name]
        assert (package.runtime, package.apart, package.suffix) == ("executorch", True, ".pte")
        assert "All its nodes are delegated to XNNPACK." in package.about
        assert "ExecuTorch 1.5.1 with torchao 0.18" in package.about


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fp16", "ExecuTorch has no fp16: its inputs would be half floats"),
        ("int8-weights", "only with int8 activations"),
        ("pruned", "its torch module is not kept"),
    ],
)
def test_what_it_cannot_carry_has_its_reason(made, name, reason):
    assert isinstance(made[name], NotCarried)
    assert reason in made[name].reason


class Cumulated(torch.nn.Module):
    """XNNPACK neither cumulates nor has an arc tangent."""

    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(6, 4)

    def forward(self, x):
        return torch.atan(self.last(torch.cumsum(torch.cumsum(x, 1), 1)))


class Sorted(torch.nn.Module):
    """ExecuTorch exports a sort and has no kernel for it."""

    def forward(self, x):
        return x.sort(1).values


def job_of(net, tmp_path):
    toolchain_tools.python_of("executorch")
    samples = np.random.default_rng(0).random((8, 6), dtype=np.float32)
    return digit_net.job(tmp_path, ("fp32",), net=net, samples=samples, batch=2)


def test_what_is_not_delegated_is_named_with_its_number(tmp_path):
    net = Cumulated().eval()
    job = job_of(net, tmp_path)
    about = executorch.packages(job)["fp32"].about
    assert "3 nodes are not delegated to XNNPACK but computed by portable kernels" in about
    assert "atan, cumsum ×2" in about
    with torch.no_grad():
        expected = net(torch.from_numpy(job.calibration)).numpy()
    found = outputs(tmp_path / "fp32.pte", job.calibration[:5], batch=2)
    np.testing.assert_allclose(found, expected[:5], atol=1e-5)


def test_a_file_that_fails_when_it_runs_is_refused_with_the_words(tmp_path):
    with pytest.raises(ModelError, match=r"\.pte \(Failed to load method forward"):
        executorch.packages(job_of(Sorted().eval(), tmp_path))
    assert not (tmp_path / "fp32.pte").exists()
