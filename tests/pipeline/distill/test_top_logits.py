"""The largest logits of an answer, and all logits again from them."""

import numpy as np
import pytest
import torch
from drawn_logits import drawn, softmax
from edgestill.pipeline.distill import top_logits

# --- soft targets kept in part ----------------------------------------------------------------


def test_top_keeps_the_largest_logits_and_the_mass_of_the_others():
    _, _, t = drawn(classes=7)
    indices, kept, rest = top_logits.top(t, 3)
    order = np.argsort(-t.numpy(), axis=1)
    np.testing.assert_array_equal(indices.numpy(), order[:, :3])
    np.testing.assert_array_equal(kept.numpy(), np.take_along_axis(t.numpy(), order[:, :3], 1))
    others = np.take_along_axis(t.numpy(), order[:, 3:], 1)
    np.testing.assert_allclose(rest.numpy(), np.log(np.exp(others).sum(1)), rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 6, 7])
def test_the_kept_probabilities_are_those_of_the_whole(k):
    _, _, t = drawn(classes=7)
    indices, kept, rest = top_logits.top(t, k)
    dense = top_logits.expand(indices, kept, rest, 7)
    assert dense.shape == t.shape
    found, wanted = (softmax(x.numpy()) for x in (dense, t))
    at = indices.numpy()
    np.testing.assert_allclose(
        np.take_along_axis(found, at, 1), np.take_along_axis(wanted, at, 1), rtol=1e-12
    )
    assert torch.equal(dense.argmax(1), t.argmax(1))


def test_the_others_share_their_mass_evenly():
    _, _, t = drawn(classes=7)
    indices, kept, rest = top_logits.top(t, 2)
    dense = top_logits.expand(indices, kept, rest, 7)
    others = dense.scatter(1, indices, torch.nan)
    for row, mass in zip(others, rest, strict=True):
        (share,) = row[~row.isnan()].unique()
        assert 5 * share.exp().item() == pytest.approx(mass.exp().item(), rel=1e-12)


@pytest.mark.parametrize("k", [7, 8, 1000])
def test_all_classes_kept_are_the_logits_themselves(k):
    _, _, t = drawn(classes=7)
    indices, kept, rest = top_logits.top(t, k)
    assert indices.shape == (len(t), 7)
    assert torch.isneginf(rest).all()
    assert torch.equal(top_logits.expand(indices, kept, rest, 7), t)


def test_all_but_one_kept_are_exact():
    _, _, t = drawn(classes=7)
    torch.testing.assert_close(
        top_logits.expand(*top_logits.top(t, 6), 7), t, rtol=1e-14, atol=1e-14
    )


def test_places_stored_as_small_integers_are_taken():
    _, _, t = drawn(classes=7)
    indices, kept, rest = top_logits.top(t.float(), 3)
    wanted = top_logits.expand(indices, kept, rest, 7)
    assert torch.equal(top_logits.expand(indices.to(torch.int32), kept, rest, 7), wanted)
    assert wanted.dtype == torch.float32
