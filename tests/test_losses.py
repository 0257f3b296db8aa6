"""The loss against its paper (Hinton, Vinyals & Dean 2015), in float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from edgestill.pipeline.distill.losses import hinton


def drawn(samples=6, classes=5, scale=3.0):
    """Logits of a student and a teacher, and labels."""
    generator = torch.Generator().manual_seed(0)
    z, t = (
        scale * torch.randn(samples, classes, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    return z, torch.randint(0, classes, (samples,), generator=generator), t


def softmax(logits):
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_loss_is_the_papers_formula(temperature, alpha):
    z, y, t = drawn()
    p, q = softmax(t.numpy() / temperature), softmax(z.numpy() / temperature)
    soft = (p * (np.log(p) - np.log(q))).sum(1).mean()
    hard = -np.log(softmax(z.numpy())[np.arange(len(y)), y.numpy()]).mean()
    found = hinton(z, y, t, temperature=temperature, alpha=alpha).item()
    assert found == pytest.approx((1 - alpha) * hard + alpha * temperature**2 * soft, rel=1e-12)


def test_the_soft_term_is_zero_and_flat_where_student_and_teacher_agree():
    z, y, _ = drawn()
    student = z.clone().requires_grad_()
    loss = hinton(student, y, z, temperature=4.0, alpha=1.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-14)
    assert student.grad.abs().max().item() < 1e-14


def test_the_soft_term_is_above_zero_where_they_differ():
    z, y, t = drawn()
    assert hinton(z, y, t, temperature=4.0, alpha=1.0).item() > 0.1


def test_alpha_zero_is_cross_entropy_bit_for_bit():
    z, y, t = drawn()
    found = hinton(z.float(), y, t.float(), temperature=4.0, alpha=0.0)
    assert torch.equal(found, F.cross_entropy(z.float(), y))


def test_a_constant_added_to_the_teachers_logits_changes_nothing():
    z, y, t = drawn()
    one, other = (hinton(z, y, t + c, temperature=3.0, alpha=0.7).item() for c in (0.0, 50.0))
    assert other == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_gradient_is_that_of_the_loss(alpha):
    z, y, t = drawn()

    def loss(student):
        return hinton(student, y, t, temperature=3.0, alpha=alpha)

    assert torch.autograd.gradcheck(loss, z.requires_grad_())


def test_at_high_temperature_the_gradient_matches_logits():
    """Equation 4: ∂C/∂z tends to (z - v) / (N T²) for zero-mean logits; T² takes T out again."""
    z, y, t = drawn()
    limit = (z - z.mean(1, keepdim=True)) - (t - t.mean(1, keepdim=True))
    limit /= z.numel()  # N classes, and the mean over the batch
    distances = []
    for temperature in (10.0, 100.0, 1000.0):
        student = z.clone().requires_grad_()
        hinton(student, y, t, temperature=temperature, alpha=1.0).backward()
        distances.append((student.grad - limit).abs().max().item() / limit.abs().max().item())
    assert distances[0] > 5 * distances[1] > 25 * distances[2]
    assert distances[2] < 0.005


def test_extreme_logits_give_a_finite_loss():
    z = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = hinton(z, torch.tensor([1]), -z.detach(), temperature=1.0, alpha=0.5)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(z.grad).all()


def test_no_gradient_flows_where_the_teacher_was_asked_without():
    z, y, t = drawn()
    z.requires_grad_()
    hinton(z, y, t, temperature=2.0, alpha=0.5).backward()
    assert z.grad.abs().sum().item() > 0
    assert t.grad is None
