"""Each loss against its paper, in float64: the formula, its limits, its gradient."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from drawn_logits import drawn, softmax
from edgestill.errors import RecipeError
from edgestill.pipeline.distill import feature_losses, losses, soft_losses
from edgestill.pipeline.recipe import loss_names
from edgestill.pipeline.recipe.distill import SoftLosses
from edgestill.pipeline.tasks import TASKS, of


def hinton(z, y, t, *, temperature, alpha):
    """The default: kd alone."""
    # Beyond the range of a recipe, too: a limit is tested.
    soft = SoftLosses.model_construct(temperature=temperature, alpha=alpha, losses={"kd": 1.0})
    return losses.distillation(soft, of("classification"))(z, F.cross_entropy(z, y), y, t)


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


# --- the other soft losses --------------------------------------------------------------------


def test_mse_is_numpys():
    z, _, t = drawn()
    assert soft_losses.mse(z, t).item() == pytest.approx(((z - t).numpy() ** 2).mean(), rel=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 8.0), (0.0, 1.0), (2.0, 0.0)])
def test_dkd_is_the_papers_formula(temperature, alpha, beta):
    z, y, t = drawn()
    rows, labels = np.arange(len(y)), y.numpy()
    parts = []
    for logits in (t, z):
        p = softmax(logits.numpy() / temperature)
        own = p[rows, labels]
        others = np.delete(p, labels + rows * p.shape[1]).reshape(len(p), -1)
        parts.append((np.stack([own, 1 - own], 1), others / others.sum(1, keepdims=True)))
    (binary_t, others_t), (binary_z, others_z) = parts
    tckd = (binary_t * np.log(binary_t / binary_z)).sum(1).mean()
    nckd = (others_t * np.log(others_t / others_z)).sum(1).mean()
    found = soft_losses.dkd(z, t, y, temperature, alpha, beta).item()
    assert found == pytest.approx(temperature**2 * (alpha * tckd + beta * nckd), rel=1e-10)


def test_dkd_with_the_teachers_own_weight_of_the_others_is_kd():
    """Equation 6, sample by sample, for the weight differs from one to the next."""
    z, y, t = drawn()
    for i in range(len(y)):
        one = slice(i, i + 1)
        others = 1.0 - softmax(t[one].numpy() / 3.0)[0, y[i]]
        found = soft_losses.dkd(z[one], t[one], y[one], 3.0, 1.0, float(others)).item()
        assert found == pytest.approx(soft_losses.kd(z[one], t[one], 3.0).item(), rel=1e-9)


def test_dist_is_the_papers_formula():
    z, _, t = drawn()
    q, p = softmax(z.numpy() / 2.0), softmax(t.numpy() / 2.0)
    inter = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(q, p, strict=True)])
    intra = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(q.T, p.T, strict=True)])
    assert soft_losses.dist(z, t, 2.0).item() == pytest.approx(4.0 * (inter + intra), rel=1e-9)


def test_standardized_logits_have_mean_zero_and_deviation_one_and_forget_scale():
    z, _, _ = drawn()
    found = soft_losses.standardize(z).numpy()
    np.testing.assert_allclose(found.mean(1), 0.0, atol=1e-12)
    np.testing.assert_allclose(found.std(1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(soft_losses.standardize(7.0 * z + 3.0).numpy(), found, rtol=1e-6)
    assert torch.isfinite(soft_losses.standardize(torch.zeros(2, 3))).all()


def test_binary_kd_is_the_formula_with_the_mean_over_labels():
    z, _, t = drawn()
    p, q = (1 / (1 + np.exp(-x.numpy() / 3.0)) for x in (t, z))
    kl = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert soft_losses.binary_kd(z, t, 3.0).item() == pytest.approx(9.0 * kl.mean(), rel=1e-10)


def test_binary_kd_of_one_label_is_kd_of_two_classes():
    z, _, t = drawn(classes=1)
    two = [torch.cat([x, torch.zeros_like(x)], dim=1) for x in (z, t)]
    found = soft_losses.binary_kd(z, t, 2.0).item()
    assert found == pytest.approx(soft_losses.kd(*two, 2.0).item(), rel=1e-12)


def test_binary_kd_at_high_temperature_matches_logits():
    """T² · KL tends to (z - t)² / 8, for a Bernoulli's variance tends to 1/4."""
    z, _, t = drawn()
    limit = soft_losses.mse(z, t).item() / 8
    distances = [
        abs(soft_losses.binary_kd(z, t, at).item() / limit - 1) for at in (3.0, 30.0, 300.0)
    ]
    assert distances[0] > 50 * distances[1] > 2500 * distances[2]
    assert distances[2] < 1e-4


def test_binary_kd_of_extreme_logits_is_finite():
    z = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = soft_losses.binary_kd(z, -z.detach(), 1.0)
    loss.backward()
    assert loss.item() == pytest.approx(1e4)
    assert torch.isfinite(z.grad).all()


EVERY = [(task, name) for task in TASKS.values() for name in task.soft_losses]


@pytest.mark.parametrize(("task", "name"), EVERY)
class TestEverySoftLoss:
    def test_is_zero_where_student_and_teacher_agree(self, task, name):
        z, y, _ = drawn()
        assert losses.soft_loss(name, task)(z, z, y, SoftLosses()).item() == pytest.approx(
            0.0, abs=1e-10
        )

    def test_is_above_zero_where_they_differ(self, task, name):
        z, y, t = drawn()
        assert losses.soft_loss(name, task)(z, t, y, SoftLosses()).item() > 0.01

    def test_has_the_gradient_of_its_value(self, task, name):
        z, y, t = drawn()
        loss = losses.soft_loss(name, task)
        assert torch.autograd.gradcheck(lambda s: loss(s, t, y, SoftLosses()), z.requires_grad_())

    def test_takes_part_in_the_whole(self, task, name):
        z, y, t = drawn()
        hard = z.pow(2).mean()
        soft = SoftLosses(losses={name: 2.0}, alpha=0.25, temperature=3.0)
        alone = losses.soft_loss(name, task)(z, t, y, soft)
        found = losses.distillation(soft, task)(z, hard, y, t)
        assert found.item() == pytest.approx((0.75 * hard + 0.5 * alone).item(), rel=1e-12)

    def test_needs_labels_for_dkd_alone(self, task, name):
        z, _, t = drawn()
        if name == "dkd":
            with pytest.raises(ValueError, match="dkd needs labels"):
                losses.distillation(SoftLosses(losses={name: 1.0}), task)(z, z.mean(), None, t)
        else:
            found = losses.distillation(SoftLosses(losses={name: 1.0}), task)(z, z.mean(), None, t)
            assert found.item() > 0.01

    def test_is_let_through(self, task, name):
        losses.check(SoftLosses(losses={name: 1.0}), task)

    def test_draws_a_student_to_the_teachers_answers(self, task, name):
        z, y, t = drawn(samples=32)
        student = z.clone().requires_grad_()
        optimizer = torch.optim.Adam([student], lr=0.3)
        for _ in range(120):
            optimizer.zero_grad()
            losses.soft_loss(name, task)(student, t, y, SoftLosses()).backward()
            optimizer.step()
        assert (z.argmax(1) == t.argmax(1)).float().mean() < 0.5
        assert (student.argmax(1) == t.argmax(1)).float().mean() > 0.95

    def test_is_one_a_recipe_may_name(self, task, name):
        assert SoftLosses(losses={name: 1.0}).losses == {name: 1.0}


def test_a_weighted_sum_is_the_sum_of_its_parts():
    z, y, t = drawn()
    soft = SoftLosses(losses={"kd": 0.5, "dkd": 2.0}, standardize=True, temperature=2.0, alpha=0.7)
    hard = F.cross_entropy(z, y)
    found = losses.distillation(soft, of("classification"))(z, hard, y, t)
    a, b = soft_losses.standardize(z), soft_losses.standardize(t)
    parts = 0.5 * soft_losses.kd(a, b, 2.0) + 2.0 * soft_losses.dkd(a, b, y, 2.0, 1.0, 8.0)
    wanted = 0.3 * hard + 0.7 * parts
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (task, name)
        for task in TASKS.values()
        for name in loss_names.SOFT_LOSSES
        if name not in task.soft_losses
    ],
)
def test_a_soft_loss_that_a_task_does_not_have_is_refused_with_those_it_has(task, name):
    with pytest.raises(RecipeError) as caught:
        losses.check(SoftLosses(losses={name: 1.0}), task)
    assert caught.value.where == "distill.losses"
    assert caught.value.found == repr(name)
    for known in task.soft_losses:
        assert repr(known) in caught.value.expected
    assert repr(task.name) in caught.value.expected
    assert "losses = { " in caught.value.fix


def test_standardized_outputs_are_for_classes_only():
    losses.check(SoftLosses(standardize=True), of("classification"))
    with pytest.raises(RecipeError, match="standardize"):
        losses.check(SoftLosses(standardize=True), of("multi-label"))


def test_the_tables_name_what_a_recipe_may_name():
    assert set(feature_losses.LAYER_LOSSES) == set(loss_names.LAYER_LOSSES)
    assert {name for task in TASKS.values() for name in task.soft_losses} == set(
        loss_names.SOFT_LOSSES
    )
    meant = {loss for task in TASKS.values() for loss in task.soft_losses.values()}
    assert meant == set(soft_losses.SOFT_LOSSES)
