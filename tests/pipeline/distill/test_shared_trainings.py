"""A training that several processes share gives what one process gives: the same steps."""

import pytest
import torch
from edgestill.errors import RecipeError
from edgestill.pipeline.engine.ranks import Ranks, sharing
from threads_as_processes import together
from training_steps import TRAININGS, Kit, trained_by

pytestmark = pytest.mark.usefixtures("one_thread")

CLOSE = {"rtol": 1e-3, "atol": 1e-4}
"""After six steps; docs/training.md names it."""


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return Kit(tmp_path_factory.mktemp("kit"))


@pytest.mark.parametrize("name", TRAININGS)
def test_two_processes_train_what_one_trains(kit, name):
    ((expected, told),) = trained_by(kit, name, 1, together)
    found = trained_by(kit, name, 2, together)
    for state, _ in found:
        for key, value in state.items():
            assert torch.equal(value, found[0][0][key]), "both have the same bits"
            torch.testing.assert_close(value, expected[key], **CLOSE)
    for epoch, one in zip(found[0][1], told, strict=True):
        assert epoch == pytest.approx(one, rel=1e-3, abs=1e-4)


def test_shared_trainings_repeat_bit_for_bit(kit):
    one, other = (trained_by(kit, "layers", 3, together)[0] for _ in range(2))
    assert one[1] == other[1]
    assert all(torch.equal(value, other[0][key]) for key, value in one[0].items())


def test_per_process_statistics_would_train_something_else(kit, monkeypatch):
    """The comparison above can tell: without the shared batch norm it fails."""
    from contextlib import nullcontext

    from edgestill.pipeline.distill import loop

    ((expected, _),) = trained_by(kit, "labels", 1, together)
    monkeypatch.setattr(loop, "shared_layers", lambda *_: nullcontext())
    found, _ = trained_by(kit, "labels", 2, together)[0]
    assert not all(torch.allclose(value, expected[key], **CLOSE) for key, value in found.items())


def test_more_processes_than_samples_in_a_batch_are_refused(kit):
    with (
        sharing(Ranks(0, 14)),
        pytest.raises(RecipeError, match="found batch_size = 13 for 14 processes"),
    ):
        trained_by(kit, "labels", 1, lambda size, one: [one(Ranks(0, 14))])
