"""Losses between layers: their papers' formulas, and what they are blind to."""

from itertools import permutations

import numpy as np
import pytest
import torch
from edgestill.pipeline.distill import feature_losses

# --- losses between layers --------------------------------------------------------------------


def features(*shape, scale=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def orthogonal(size):
    return torch.linalg.qr(features(size, size, seed=9)).Q


def test_cosine_is_numpys():
    s, t = features(6, 4), features(6, 4, seed=1)
    a, b = s.numpy(), t.numpy()
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert feature_losses.cosine(s, t).item() == pytest.approx(1 - cosines.mean(), rel=1e-12)


def test_cosine_of_tokens_is_the_mean_over_them():
    s, t = features(3, 4, 5), features(3, 4, 5, seed=1)
    each = [feature_losses.cosine(s[:, :, i], t[:, :, i]).item() for i in range(5)]
    assert feature_losses.cosine(s, t).item() == pytest.approx(np.mean(each), rel=1e-12)


def test_cosine_forgets_scale_and_is_two_for_opposites():
    s, t = features(6, 4), features(6, 4, seed=1)
    assert feature_losses.cosine(3.0 * s, t).item() == pytest.approx(
        feature_losses.cosine(s, t).item()
    )
    assert feature_losses.cosine(s, -s).item() == pytest.approx(2.0)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5), (6, 4, 3, 2)])
def test_hint_is_half_the_mean_squared_error(shape):
    s, t = features(*shape), features(*shape, seed=1)
    wanted = 0.5 * ((s - t).numpy() ** 2).mean()
    assert feature_losses.hint(s, t).item() == pytest.approx(wanted, rel=1e-12)


def test_hint_pools_whichever_is_larger_along_each_axis():
    s, t = features(2, 3, 8, 2), features(2, 3, 4, 6, seed=1)
    pooled_s = s.numpy().reshape(2, 3, 4, 2, 2).mean(3)
    pooled_t = t.numpy().reshape(2, 3, 4, 2, 3).mean(4)
    wanted = 0.5 * ((pooled_s - pooled_t) ** 2).mean()
    assert feature_losses.hint(s, t).item() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("places", [(5,), (3, 4)])
def test_attention_is_the_papers_formula(places):
    s, t = features(6, 4, *places), features(6, 7, *places, seed=1)
    maps = []
    for x in (s, t):
        q = (x.numpy() ** 2).sum(1).reshape(6, -1)
        maps.append(q / np.linalg.norm(q, axis=1, keepdims=True))
    wanted = np.linalg.norm(maps[0] - maps[1], axis=1).mean()
    assert feature_losses.attention(s, t).item() == pytest.approx(wanted, rel=1e-12)


def test_attention_pools_the_larger_map():
    s, t = features(6, 4, 6), features(6, 7, 3, seed=1)
    q = (s.numpy() ** 2).sum(1).reshape(6, 3, 2).mean(2)
    told = (t.numpy() ** 2).sum(1)
    maps = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, told)]
    wanted = np.linalg.norm(maps[0] - maps[1], axis=1).mean()
    assert feature_losses.attention(s, t).item() == pytest.approx(wanted, rel=1e-12)


def test_attention_forgets_the_scale_of_each_sample_and_the_order_of_channels():
    s, t = features(6, 4, 3, 3), features(6, 7, 3, 3, seed=1)
    scaled = (
        s[:, [2, 0, 3, 1]] * torch.linspace(0.1, 9.0, 6, dtype=torch.float64)[:, None, None, None]
    )
    assert feature_losses.attention(scaled, t).item() == pytest.approx(
        feature_losses.attention(s, t).item()
    )


def test_similarity_is_the_papers_formula():
    s, t = features(6, 4), features(6, 7, 2, seed=1)
    grams = []
    for x in (s, t):
        q = x.numpy().reshape(6, -1)
        g = q @ q.T
        grams.append(g / np.linalg.norm(g, axis=1, keepdims=True))
    wanted = ((grams[0] - grams[1]) ** 2).sum() / 36
    assert feature_losses.similarity(s, t).item() == pytest.approx(wanted, rel=1e-12)


def test_similarity_forgets_rotation_and_scale_but_not_shift():
    s, t = features(6, 4), features(6, 7, seed=1)
    wanted = feature_losses.similarity(s, t).item()
    assert feature_losses.similarity(5.0 * s @ orthogonal(4), t).item() == pytest.approx(wanted)
    assert feature_losses.similarity(s + 3.0, t).item() != pytest.approx(wanted, rel=0.05)


def huber(error):
    return np.where(np.abs(error) <= 1, 0.5 * error**2, np.abs(error) - 0.5)


def relations(x):
    """Distances of pairs in units of their mean, and cosines at the middle of triplets."""
    x = x.numpy()
    between = np.array([np.linalg.norm(x[i] - x[j]) for i, j in permutations(range(len(x)), 2)])
    cosines = []
    for i, j, k in permutations(range(len(x)), 3):
        a, b = x[i] - x[j], x[k] - x[j]
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    return between / between.mean(), np.array(cosines)


@pytest.mark.parametrize(("distance", "angle"), [(1.0, 2.0), (1.0, 0.0), (0.0, 1.0)])
def test_rkd_is_the_papers_formula(distance, angle):
    # One sample far off: an error above 1, where Huber's loss is linear.
    s, t = features(6, 4), features(6, 7, seed=1)
    s[0] *= 30.0
    (near, seen), (far, wanted) = relations(s), relations(t)
    assert np.abs(near - far).max() > 1
    parts = distance * huber(near - far).mean() + angle * huber(seen - wanted).mean()
    assert feature_losses.rkd(s, t, distance, angle).item() == pytest.approx(parts, rel=1e-10)


def test_rkd_weighs_distances_to_angles_as_the_paper_one_to_two():
    s, t = features(6, 4), features(6, 7, seed=1)
    parts = feature_losses.rkd(s, t, 1.0, 0.0) + 2.0 * feature_losses.rkd(s, t, 0.0, 1.0)
    assert feature_losses.rkd(s, t).item() == pytest.approx(parts.item(), rel=1e-12)


def test_rkd_forgets_rotation_shift_and_scale():
    s, t = features(6, 4), features(6, 7, seed=1)
    moved = 5.0 * s @ orthogonal(4) + 3.0
    assert feature_losses.rkd(moved, t).item() == pytest.approx(
        feature_losses.rkd(s, t).item(), rel=1e-9
    )
    assert feature_losses.rkd(s, moved).item() == pytest.approx(0.0, abs=1e-12)


def test_rkd_averages_places():
    s, t = features(6, 4, 3, 2), features(6, 7, seed=1)
    wanted = feature_losses.rkd(s.mean((2, 3)), t).item()
    assert feature_losses.rkd(s, t).item() == pytest.approx(wanted, rel=1e-12)


def test_rkd_compares_angles_of_the_first_samples_of_a_large_batch_and_all_distances():
    most = feature_losses.ANGLE_SAMPLES
    s, t = features(most + 5, 4), features(most + 5, 7, seed=1)
    wanted = feature_losses.rkd(s[:most], t[:most], 0.0, 1.0).item()
    assert feature_losses.rkd(s, t, 0.0, 1.0).item() == pytest.approx(wanted, rel=1e-12)
    first = feature_losses.rkd(s[:most], t[:most], 1.0, 0.0).item()
    assert feature_losses.rkd(s, t, 1.0, 0.0).item() != pytest.approx(first, rel=1e-6)


def test_rkd_of_two_samples_has_no_angle_and_of_equal_ones_is_finite():
    s, t = features(2, 4), features(2, 7, seed=1)
    assert feature_losses.rkd(s, t).item() == pytest.approx(0.0, abs=1e-12)
    same = torch.ones(5, 4, dtype=torch.float64, requires_grad=True)
    loss = feature_losses.rkd(same, features(5, 7, seed=1))
    loss.backward()
    assert loss.item() > 0.01
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (name, shape)
        for name in feature_losses.LAYER_LOSSES
        for shape in [(5, 4), (5, 4, 3), (5, 4, 3, 2)]
        if name != "attention" or len(shape) > 2  # a map needs places
    ],
)
class TestEveryLayerLoss:
    def test_is_zero_where_student_and_teacher_agree(self, name, shape):
        s = features(*shape)
        assert feature_losses.LAYER_LOSSES[name](s, s).item() == pytest.approx(0.0, abs=1e-12)

    def test_is_a_scalar_above_zero_where_they_differ(self, name, shape):
        found = feature_losses.LAYER_LOSSES[name](features(*shape), features(*shape, seed=1))
        assert found.shape == ()
        assert found.item() > 0.01

    def test_has_the_gradient_of_its_value(self, name, shape):
        t = features(*shape, seed=1)
        s = features(*shape).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: feature_losses.LAYER_LOSSES[name](x, t), s)

    def test_has_a_finite_gradient_where_features_are_dead(self, name, shape):
        s = torch.zeros(*shape, requires_grad=True)
        feature_losses.LAYER_LOSSES[name](s, features(*shape).float()).backward()
        assert torch.isfinite(s.grad).all()

    def test_has_a_finite_gradient_where_they_agree(self, name, shape):
        t = features(*shape).float()
        s = t.clone().requires_grad_()
        feature_losses.LAYER_LOSSES[name](s, t).backward()
        assert torch.isfinite(s.grad).all()

    def test_falls_when_a_student_follows_it(self, name, shape):
        t = features(*shape, seed=1)
        s = features(*shape).requires_grad_()
        before = feature_losses.LAYER_LOSSES[name](s, t).item()
        optimizer = torch.optim.Adam([s], lr=0.1)
        for _ in range(60):
            optimizer.zero_grad()
            feature_losses.LAYER_LOSSES[name](s, t).backward()
            optimizer.step()
        assert feature_losses.LAYER_LOSSES[name](s, t).item() < 0.3 * before
