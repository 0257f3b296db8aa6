"""The one training loop: repeatable, fair to both students, and stopped when it goes wrong."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from edgestill.errors import ModelError
from edgestill.pipeline.distill import student, targets, teacher
from edgestill.pipeline.distill.loop import Arrays, evaluate, fit, hard_labels, logits_of
from edgestill.pipeline.models import deployed
from edgestill.pipeline.models.weights import restore
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe import Architecture, Schedule, Soft, Teacher
from edgestill.pipeline.records import SPLITS, DataRecord
from safetensors.torch import load_file, save_file

DATA = DataRecord(
    source="test", labels=("a", "b", "c"), sample_shape=(6, 6), layout="hw", dtype="float32",
    mean=(0.0,), std=(1.0,), counts={}, dropped=0, notes=(), fingerprint="",
)  # fmt: skip
NET = Architecture(model="mlp1", width=8)
SHORT = Schedule(epochs=3, batch_size=16, learning_rate=0.05)


@pytest.fixture(autouse=True)
def _one_thread():
    """Small models train many times slower on two threads where another process has one."""
    were = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(were)


def drawn(samples=96, seed=0, noise=0.0):
    """Images of which each class is brighter than the last, and some wrong labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, samples)
    x = (rng.normal(size=(samples, 6, 6)) + y[:, None, None]).astype(np.float32)
    wrong = rng.random(samples) < noise
    return Arrays(x, np.where(wrong, rng.integers(0, 3, samples), y).astype(np.int64))


def fresh(model="mlp1", seed=0):
    torch.manual_seed(seed)
    return deployed(model, 4, DATA)


def run(model, *, loss=hard_labels, seed=0, schedule=SHORT, train=None, validation=None):
    return fit(
        model, train or drawn(), validation or drawn(60, 1), schedule, loss,
        seed=seed, progress=Silent(), what="a model",
    )  # fmt: skip


@pytest.fixture
def data(tmp_path):
    """The data stage's output, small."""
    for i, split in enumerate(SPLITS):
        arrays = drawn(96 if split == "train" else 48, i)
        np.save(tmp_path / f"x_{split}.npy", arrays.x)
        np.save(tmp_path / f"y_{split}.npy", arrays.y)
    return SimpleNamespace(path=tmp_path, record=DATA)


def made(tmp_path, name, function, **inputs):
    """A stage's output: what it recorded and where its files lie."""
    (tmp_path / name).mkdir()
    record = function(tmp_path / name, Silent(), **inputs)
    return SimpleNamespace(path=tmp_path / name, record=record)


# --- repeatable -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["mlp1", "resnet8"])
def test_the_same_seed_trains_the_same_weights_bit_for_bit(model):
    nets = [fresh(model) for _ in range(2)]
    curves = [run(net).curve for net in nets]
    first, second = (net.state_dict() for net in nets)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert [e.loss for e in curves[0]] == [e.loss for e in curves[1]]


def test_another_seed_trains_other_weights(tmp_path, data):
    one, same, other = (
        made(
            tmp_path, str(i), student.learn, architecture=NET, schedule=SHORT, data=data, seed=seed
        )
        for i, seed in enumerate((0, 0, 1))
    )
    assert one.record.weights_sha256 == same.record.weights_sha256
    assert one.record.weights_sha256 != other.record.weights_sha256


def test_training_changes_the_weights_and_learns():
    net = fresh()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    fitted = run(net, schedule=Schedule(epochs=8, batch_size=16, learning_rate=0.05))
    assert not torch.equal(before["backbone.1.weight"], net.state_dict()["backbone.1.weight"])
    assert fitted.best.validation_accuracy > 0.85
    assert fitted.curve[-1].loss < fitted.curve[0].loss / 2


# --- fair -------------------------------------------------------------------------------------


def test_students_with_and_without_a_teacher_see_the_same_batches():
    seen = {"plain": [], "soft": []}

    def watched(name, weight):
        def loss(logits, labels, rows):
            seen[name].append(rows.tolist())
            return weight * F.cross_entropy(logits, labels)

        return loss

    run(fresh(), loss=watched("plain", 1.0))
    run(fresh(seed=5), loss=watched("soft", 0.3))
    assert seen["plain"] == seen["soft"]
    assert len(seen["plain"]) == 3 * 6
    for start in (0, 6, 12):
        epoch = np.concatenate(seen["plain"][start : start + 6])
        assert sorted(epoch) == list(range(96))
    assert seen["plain"][:6] != seen["plain"][6:12]


def test_rows_are_where_the_batchs_samples_stand_in_train():
    train = drawn()

    def loss(logits, labels, rows):
        assert np.array_equal(train.y[rows], labels.numpy())
        return F.cross_entropy(logits, labels)

    assert len(run(fresh(), loss=loss, train=train).curve) == 3


def test_a_student_distilled_with_alpha_zero_is_the_plain_student_bit_for_bit(tmp_path, data):
    (tmp_path / "t").mkdir()
    logits = np.random.default_rng(0).normal(size=(96, 3)).astype(np.float32)
    np.save(tmp_path / "t" / targets.LOGITS, logits)
    taught = SimpleNamespace(path=tmp_path / "t", record=None)
    lesson = {"architecture": NET, "schedule": SHORT, "data": data, "seed": 3}
    plain = made(tmp_path, "plain", student.learn, **lesson)
    off, on = (
        made(tmp_path, f"alpha{a}", student.learn, soft=Soft(alpha=a), targets=taught, **lesson)
        for a in (0.0, 0.9)
    )
    assert off.record.weights_sha256 == plain.record.weights_sha256
    assert on.record.weights_sha256 != plain.record.weights_sha256
    assert (plain.record.distilled, on.record.distilled) == (False, True)


# --- the teacher ------------------------------------------------------------------------------


def test_asking_leaves_the_models_statistics_alone_and_answers_each_sample_by_itself():
    net, x = fresh("resnet8"), drawn(40).x
    net.train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    together = torch.cat([logits for logits, _ in logits_of(net, x)])
    alone = torch.cat([logits for one in x for logits, _ in logits_of(net, one[None])])
    assert not net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    assert not together.requires_grad


def test_targets_are_the_teachers_logits_in_train_order_in_eval_mode(tmp_path, data):
    part = Teacher(model="resnet8", width=4, epochs=8, batch_size=16, learning_rate=0.02)
    taught = made(
        tmp_path, "teacher", teacher.teach, teacher=part, weights_sha256=None, data=data, seed=0
    )
    asked = made(tmp_path, "targets", targets.ask, teacher=taught, data=data)
    stored = np.load(asked.path / targets.LOGITS)
    net = deployed("resnet8", 4, DATA)
    restore(net, taught.path / teacher.WEIGHTS)
    train = Arrays(np.load(data.path / "x_train.npy"), np.load(data.path / "y_train.npy"))
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(train.x)).numpy()
    np.testing.assert_allclose(stored, expected, rtol=1e-5, atol=1e-5)
    assert stored.dtype == np.float32
    assert asked.record.train_accuracy == (expected.argmax(1) == train.y).mean()
    assert int(net.state_dict()["backbone.bn1.num_batches_tracked"]) <= 8 * 6


def test_a_teacher_that_answers_nan_is_refused_with_the_row(tmp_path, data):
    x = np.load(data.path / "x_train.npy")
    x[17] = 3e38
    np.save(data.path / "x_train.npy", x)
    (tmp_path / "teacher").mkdir()
    net = fresh()
    save_file(
        {k: 100.0 * v for k, v in net.state_dict().items()}, tmp_path / "teacher" / teacher.WEIGHTS
    )
    taught = SimpleNamespace(
        path=tmp_path / "teacher", record=SimpleNamespace(model="mlp1", width=4)
    )
    with pytest.raises(ModelError, match="not finite, for row 17 of train"):
        made(tmp_path, "targets", targets.ask, teacher=taught, data=data)


# --- the best epoch, and none -----------------------------------------------------------------


def test_the_model_is_left_at_its_best_epoch():
    validation = drawn(60, 1, noise=0.3)
    schedule = Schedule(epochs=12, batch_size=16, learning_rate=0.1)
    net = fresh()
    fitted = run(net, schedule=schedule, train=drawn(noise=0.5), validation=validation)
    accuracies = [epoch.validation_accuracy for epoch in fitted.curve]
    assert fitted.best.validation_accuracy == max(accuracies)
    assert fitted.best.epoch < 12, "a best epoch that is the last proves nothing"
    assert accuracies[-1] < max(accuracies)
    loss, accuracy = evaluate(net, validation)
    assert accuracy == fitted.best.validation_accuracy
    assert loss == pytest.approx(fitted.best.validation_loss, rel=1e-6)
    ties = [e for e in fitted.curve if e.validation_accuracy == max(accuracies)]
    assert fitted.best.validation_loss == min(e.validation_loss for e in ties)


def test_the_saved_student_has_the_accuracy_its_record_says(tmp_path, data):
    found = made(tmp_path, "s", student.learn, architecture=NET, schedule=SHORT, data=data, seed=0)
    net = deployed("mlp1", 8, DATA)
    net.load_state_dict(load_file(found.path / teacher.WEIGHTS))
    split = Arrays(*(np.load(data.path / f"{axis}_validation.npy") for axis in "xy"))
    assert evaluate(net, split)[1] == found.record.validation_accuracy


def test_a_loss_that_is_not_finite_stops_the_training_where_it_happened():
    calls = []

    def loss(logits, labels, rows):
        calls.append(rows)
        return F.cross_entropy(logits, labels) * (float("nan") if len(calls) == 8 else 1.0)

    with pytest.raises(ModelError, match="a model: found a loss of nan in epoch 2, step 2") as stop:
        run(fresh(), loss=loss)
    assert len(calls) == 8
    assert "learning_rate" in stop.value.fix


def test_a_loss_that_is_not_finite_on_validation_stops_the_training_too():
    validation = drawn(60, 1)
    validation.x[3] = 3e38
    with pytest.raises(ModelError, match="in epoch 1, on validation"):
        run(fresh(), validation=validation)


def test_the_last_samples_that_fill_no_batch_wait_for_another_epoch():
    sizes = []

    def loss(logits, labels, rows):
        sizes.append(len(rows))
        return F.cross_entropy(logits, labels)

    run(fresh(), loss=loss, train=drawn(41))
    assert sizes == [16, 16] * 3


def test_every_step_is_told_with_its_loss():
    told = []

    class Told(Silent):
        def steps(self, what, total):
            self.total = total
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def advance(self, detail=""):
            told.append(detail)

    progress = Told()
    fit(fresh(), drawn(), drawn(60, 1), SHORT, hard_labels, seed=0, progress=progress, what="m")
    assert len(told) == progress.total == 18
    assert told[0].startswith("loss ")
    assert "validation accuracy" in told[-1]
