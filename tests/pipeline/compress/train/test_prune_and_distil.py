"""pruned: refused before training where nothing can go, otherwise cut, trained and written."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from edgestill.errors import NoEffectError, RecipeError
from edgestill.exporters.onnx import INPUT
from edgestill.pipeline.compress.train import contract, prune_and_distil
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.distill.batches import Batches
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.distill.loop import TrainingSetup, new_view_each_epoch
from edgestill.pipeline.models import deployed, parameters
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.compress import Prune
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import DataRecord

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = DataRecord(
    source="test", task="classification", labels=tuple("abc"), sample_shape=(6,), layout="table",
    dtype="float32", mean=(0.0,), std=(1.0,), rows={"train": 48}, counts={"train": (16,) * 3},
    dropped=0, notes=(), fingerprint="",
)  # fmt: skip
WIDE = Architecture(model="mlp2", width=32)


def test_a_share_that_can_go_is_accepted_and_draws_no_random_number():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    prune_and_distil.check_possible(WIDE, DATA, 0.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_share_that_cannot_go_is_refused_before_any_training():
    with pytest.raises(RecipeError):
        prune_and_distil.check_possible(WIDE, DATA, 0.99)
    with pytest.raises(NoEffectError):
        prune_and_distil.check_possible(Architecture(model="mlp1", width=2), DATA, 0.5)


@pytest.mark.slow
def test_a_student_is_cut_trained_by_its_own_schedule_and_written(tmp_path):
    y = np.arange(48) % 3
    x = np.random.default_rng(0).normal(y[:, None], 0.3, (48, 6)).astype(np.float32)
    np.save(tmp_path / "x_calibration.npy", x[:12])
    np.save(tmp_path / "y_calibration.npy", y[:12])
    torch.manual_seed(0)
    model = deployed(WIDE, DATA).eval()
    before, schedules = parameters(model), []

    @contextmanager
    def open_training(model, schedule):
        schedules.append(schedule)
        train = Arrays(x, y)
        yield TrainingSetup(
            Batches(DATA, train, Augment(), 0), train, DATA, schedule, hard_labels(DATA, schedule),
            new_view_each_epoch, 0,
        )  # fmt: skip

    tuned = prune_and_distil.train(
        contract.StudentToTune(
            model=model,
            settings=Prune(prune_share=0.4, prune_epochs=2),
            plan=None,
            schedule=Schedule(epochs=9, batch_size=16, learning_rate=0.03),
            open_training=open_training,
            data=SimpleNamespace(path=tmp_path, record=DATA),
            opset=18,
            out=tmp_path,
            work=None,
            progress=Silent(),
        )
    )
    (schedule,) = schedules
    assert (schedule.epochs, schedule.learning_rate, schedule.batch_size) == (2, 0.03, 16)
    assert len(tuned.fitted.curve) == 2
    assert not tuned.rounds
    assert parameters(tuned.reference) < before
    kept = [layer.out_features for layer in tuned.reference.backbone if hasattr(layer, "weight")]
    macs = [6 * a + a * b + b * 3 for a, b, _ in (kept, (32, 32, 3))]
    assert macs[0] <= 0.6 * macs[1]
    assert tuned.effect.notes[0].startswith(f"{1 - macs[0] / macs[1]:.1%} of the multiply-acc")
    session = onnxruntime.InferenceSession(
        tmp_path / contract.FILE, providers=["CPUExecutionProvider"]
    )
    (answers,) = session.run(None, {INPUT: x})
    with torch.no_grad():
        expected = tuned.reference.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-5)
