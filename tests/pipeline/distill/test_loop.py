"""The one training loop: repeatable, fair to both students, and stopped when it goes wrong."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from edgestill.devices import accelerators
from edgestill.errors import ModelError
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.distill import student, targets, teacher
from edgestill.pipeline.distill.inputs import (
    Distillation,
    Samples,
    StudentInputs,
    TargetsInputs,
    TeacherInputs,
    Teachers,
    Training,
)
from edgestill.pipeline.distill.loop import TrainingSetup, evaluate, logits_of
from edgestill.pipeline.models import deployed
from edgestill.pipeline.models.weights import WEIGHTS, restore
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture, Teacher
from edgestill.pipeline.recipe.distill import SoftLosses, SoftTargets
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import SPLITS, Epoch, ModelRecord, TargetsRecord
from edgestill.pipeline.tasks import of
from safetensors.torch import load_file, save_file
from small_trainings import DATA, PLAIN, SHORT, Told, copied, drawn, fresh, run

pytestmark = pytest.mark.usefixtures("one_thread")
NET = Architecture(model="mlp1", width=8)


@pytest.fixture
def data(tmp_path):
    """The data stage's output, small."""
    for i, split in enumerate(SPLITS):
        arrays = drawn(96 if split == "train" else 48, i)
        np.save(tmp_path / f"x_{split}.npy", arrays.x)
        np.save(tmp_path / f"y_{split}.npy", arrays.y)
    return SimpleNamespace(path=tmp_path, record=DATA)


def made(tmp_path, name, function, inputs):
    """A stage's output: what it recorded and where its files lie."""
    (tmp_path / name).mkdir()
    work = tmp_path / f"work-{name}"
    work.mkdir()
    record = function(tmp_path / name, Silent(), inputs, work)
    return SimpleNamespace(path=tmp_path / name, record=record)


def trained(tmp_path, name, data, *, seed, distillation=None):
    """The student stage, run."""
    training = Training(Samples(data, PLAIN, 0), SHORT, distillation)
    return made(tmp_path, name, student.train_student, StudentInputs(NET, None, training, seed))


def stored_answers(tmp_path, name, data, taught):
    """The targets stage, run for one teacher."""
    inputs = TargetsInputs(Teachers((taught,), (1.0,)), SoftTargets(), Samples(data, PLAIN, 0))
    return made(tmp_path, name, targets.make_targets, inputs)


def known(model="mlp1", width=4, **told):
    """The record of a teacher."""
    return ModelRecord(
        model=model, width=width, outputs=3, parameters=1, seed=0, distilled=False,
        origin="loaded", curve=(), best_epoch=None, validation_score=1.0, weights_sha256="", **told,
    )  # fmt: skip


def answered(tmp_path, name, logits, x):
    """Stored targets of these logits, [views, n, classes]."""
    folder = tmp_path / name
    folder.mkdir()
    np.save(folder / targets.LOGITS, logits.astype(np.float16))
    np.save(folder / targets.ROWS, targets.identities(x))
    record = TargetsRecord(
        views=len(logits), rows=len(x), outputs=3, kept=3, bytes=0, train_score=1.0, answered=(),
    )  # fmt: skip
    return SimpleNamespace(path=folder, record=record)


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
        trained(tmp_path, str(i), data, seed=seed) for i, seed in enumerate((0, 0, 1))
    )
    assert one.record.weights_sha256 == same.record.weights_sha256
    assert one.record.weights_sha256 != other.record.weights_sha256


@pytest.mark.parametrize("seed", range(4))
def test_training_changes_the_weights_and_learns(seed):
    net = fresh(seed=seed)
    before = copied(net)
    told = Schedule(epochs=16, batch_size=16, learning_rate=0.1)
    fitted = run(net, schedule=told, seed=seed)
    assert not torch.equal(before["backbone.1.weight"], net.state_dict()["backbone.1.weight"])
    assert fitted.best.validation_score > 0.85  # 0.88 to 0.95 over seeds 0 to 7
    assert fitted.curve[-1].loss < fitted.curve[0].loss / 4  # 0.07 to 0.13 of it


# --- fair -------------------------------------------------------------------------------------


def test_students_with_and_without_a_teacher_see_the_same_batches():
    seen = {"plain": [], "soft": []}

    def watched(name, weight):
        def loss(logits, batch):
            seen[name].append(batch.rows.tolist())
            return weight * F.cross_entropy(logits, batch.y)

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

    def loss(logits, batch):
        assert np.array_equal(train.y[batch.rows], batch.y.numpy())
        assert np.array_equal(train.x[batch.rows], batch.x.numpy())
        return F.cross_entropy(logits, batch.y)

    assert len(run(fresh(), loss=loss, train=train).curve) == 3


def test_a_student_distilled_with_alpha_zero_is_the_plain_student_bit_for_bit(tmp_path, data):
    logits = np.random.default_rng(0).normal(size=(1, 96, 3))
    taught = answered(tmp_path, "t", logits, np.load(data.path / "x_train.npy"))
    plain = trained(tmp_path, "plain", data, seed=3)
    off, on = (
        trained(
            tmp_path,
            f"alpha{a}",
            data,
            seed=3,
            distillation=Distillation(SoftLosses(alpha=a), taught),
        )
        for a in (0.0, 0.9)
    )
    assert off.record.weights_sha256 == plain.record.weights_sha256
    assert on.record.weights_sha256 != plain.record.weights_sha256
    assert (plain.record.distilled, on.record.distilled) == (False, True)


# --- the teacher ------------------------------------------------------------------------------


def test_asking_leaves_the_models_statistics_alone_and_answers_each_sample_by_itself():
    net, x = fresh("resnet8"), drawn(40).x
    net.train()
    before = copied(net)
    together = torch.cat([logits for logits, _ in logits_of(net, x, DATA)])
    alone = torch.cat([logits for one in x for logits, _ in logits_of(net, one[None], DATA)])
    assert not net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    assert not together.requires_grad


def test_targets_are_the_teachers_logits_in_train_order_in_eval_mode(tmp_path, data):
    part = Teacher(model="resnet8", width=4, epochs=8, batch_size=16, learning_rate=0.02)
    inputs = TeacherInputs(part, None, Samples(data, PLAIN, 0))
    taught = made(tmp_path, "teacher", teacher.make_teacher, inputs)
    asked = stored_answers(tmp_path, "targets", data, taught)
    stored = np.load(asked.path / targets.LOGITS)[0]
    net = deployed(Architecture(model="resnet8", width=4), DATA)
    restore(net, taught.path / teacher.WEIGHTS)
    train = Arrays(np.load(data.path / "x_train.npy"), np.load(data.path / "y_train.npy"))
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(train.x)).numpy()
    np.testing.assert_allclose(stored, expected, rtol=1e-3, atol=1e-3)
    assert stored.dtype == np.float16
    assert asked.record.train_score == (stored.argmax(1) == train.y).mean()
    assert asked.record.answered == (), "its own file is asked about test, later"
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
    taught = SimpleNamespace(path=tmp_path / "teacher", record=known())
    with pytest.raises(ModelError, match="not finite, for row 17 of train"):
        stored_answers(tmp_path, "targets", data, taught)


# --- the best epoch, and none -----------------------------------------------------------------


def test_the_model_is_left_at_its_best_epoch():
    validation = drawn(60, 1, noise=0.3)
    schedule = Schedule(epochs=12, batch_size=16, learning_rate=0.1)
    net = fresh()
    fitted = run(net, schedule=schedule, train=drawn(noise=0.5), validation=validation)
    accuracies = [epoch.validation_score for epoch in fitted.curve]
    assert fitted.best.validation_score == max(accuracies)
    assert fitted.best.epoch < 12, "a best epoch that is the last proves nothing"
    assert accuracies[-1] < max(accuracies)
    loss, accuracy = evaluate(net, validation, DATA)
    assert accuracy == fitted.best.validation_score
    assert loss == pytest.approx(fitted.best.validation_loss, rel=1e-6)
    ties = [e for e in fitted.curve if e.validation_score == max(accuracies)]
    assert fitted.best.validation_loss == min(e.validation_loss for e in ties)


def rare(samples, seed):
    """Samples of which 90 % are of one class."""
    found = drawn(samples, seed, noise=0.3)
    kept = np.flatnonzero((found.y == 0) | (np.arange(samples) % 15 == 0))
    return Arrays(found.x[kept], found.y[kept])


@pytest.mark.parametrize(
    ("select_by", "weighted", "chosen"),
    [
        (None, False, "accuracy"),
        (None, True, "balanced accuracy"),
        ("balanced accuracy", False, "balanced accuracy"),
        ("macro-F1", True, "macro-F1"),
        ("accuracy", True, "accuracy"),
    ],
)
def test_the_epoch_that_is_kept_is_the_best_by_the_metric_that_chooses(select_by, weighted, chosen):
    validation = rare(900, 1)
    schedule = Schedule(epochs=10, batch_size=16, learning_rate=0.05, class_weights=weighted)
    net, metric = fresh(), of("classification").named(chosen)
    fitted = run(
        net, schedule=schedule, validation=validation, select_by=select_by,
        train=drawn(noise=0.5),
    )  # fmt: skip
    found = [epoch.validation_score for epoch in fitted.curve]
    assert fitted.best.validation_score == max(found)
    assert evaluate(net, validation, DATA, metric)[1] == pytest.approx(max(found))
    others = [
        evaluate(net, validation, DATA, each)[1] for each in of("classification").reported[:3]
    ]
    assert len(set(others)) == 3, "metrics that agree would not tell which one chose"


def test_of_a_metric_that_is_better_when_lower_the_lowest_is_kept():
    setup = TrainingSetup(
        None, None, DATA.model_copy(update={"task": "regression"}), SHORT, None, None, 0,
        select_by="RMSE",
    )  # fmt: skip
    kept = Epoch(epoch=1, loss=1.0, validation_loss=1.0, validation_score=2.0, seconds=0.0)
    assert setup.better(9.0, 1.9, than=kept)
    assert not setup.better(0.1, 2.1, than=kept)
    assert setup.better(0.9, 2.0, than=kept)
    assert not setup.better(1.0, 2.0, than=kept)


def test_the_saved_student_has_the_accuracy_its_record_says(tmp_path, data):
    found = trained(tmp_path, "s", data, seed=0)
    net = deployed(NET, DATA)
    net.load_state_dict(load_file(found.path / teacher.WEIGHTS))
    split = Arrays(*(np.load(data.path / f"{axis}_validation.npy") for axis in "xy"))
    assert evaluate(net, split, DATA)[1] == found.record.validation_score


def test_a_loss_that_is_not_finite_stops_the_training_where_it_happened():
    calls = []

    def loss(logits, batch):
        calls.append(batch.rows)
        return F.cross_entropy(logits, batch.y) * (float("nan") if len(calls) == 8 else 1.0)

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

    def loss(logits, batch):
        sizes.append(len(batch.rows))
        return F.cross_entropy(logits, batch.y)

    run(fresh(), loss=loss, train=drawn(41))
    assert sizes == [16, 16] * 3


def test_every_step_is_told_with_its_loss():
    progress = Told()
    run(fresh(), progress=progress)
    assert len(progress.told) == progress.total == 18
    assert progress.told[0].startswith("loss ")
    assert "validation accuracy" in progress.told[-1]
    (note,) = progress.notes
    assert re.fullmatch(r"  a model: best epoch \d, accuracy 0\.\d{4} on validation", note)


# --- a training that goes wrong ---------------------------------------------------------------


def test_the_best_weights_are_kept_where_a_training_stops(tmp_path):
    states = []
    net = fresh()

    def loss(logits, batch):
        states.append(copied(net))
        return F.cross_entropy(logits, batch.y) * (float("inf") if len(states) == 15 else 1.0)

    with pytest.raises(ModelError, match="a loss of inf in epoch 3, step 3") as stop:
        run(net, loss=loss, work=tmp_path)
    epoch = int(re.search(r"the best so far, epoch (\d), is kept as ", stop.value.fix)[1])
    assert str(tmp_path / WEIGHTS) in stop.value.fix
    kept, expected = load_file(tmp_path / WEIGHTS), states[6 * epoch]
    assert all(torch.equal(kept[key], expected[key]) for key in expected)


def test_a_training_that_stops_in_its_first_epoch_has_nothing_to_keep(tmp_path):
    with pytest.raises(ModelError, match="epoch 1, step 1") as stop:
        run(fresh(), loss=lambda z, _: z.sum() * float("nan"), work=tmp_path)
    assert "kept" not in stop.value.fix
    assert not list(tmp_path.iterdir())


def test_a_loss_that_keeps_rising_stops_the_training():
    calls = []

    def loss(logits, batch):
        calls.append(1)
        return F.cross_entropy(logits, batch.y) + (
            1.3 ** (len(calls) - 60) if len(calls) > 60 else 0
        )

    told = Schedule(epochs=20, batch_size=16, learning_rate=0.05)
    with pytest.raises(ModelError, match=r"a loss that rises \(lately .* in epoch 1\d, step"):
        run(fresh(), loss=loss, schedule=told)
    assert 60 < len(calls) < 110


def test_a_loss_that_rises_to_that_of_a_model_that_knows_nothing_does_not_stop_the_training():
    # A fitted last layer starts low; the peak of the learning rate may undo it for a while.
    def trained(**more):
        calls = []

        def loss(logits, batch):
            calls.append(1)
            return F.cross_entropy(logits, batch.y) * (0.01 if len(calls) < 20 else 1.0)

        told = Schedule(epochs=20, batch_size=16, learning_rate=1e-5)
        return run(fresh(), loss=loss, schedule=told, **more)

    with pytest.raises(ModelError, match="a loss that rises"):
        trained()
    assert len(trained(untaught=math.log(3.0)).curve) == 20


@pytest.mark.parametrize("seed", range(6))
def test_a_noisy_loss_does_not_stop_the_training(seed):
    random = np.random.default_rng(seed)

    def loss(logits, batch):
        return F.cross_entropy(logits, batch.y) * float(random.lognormal(0.0, 1.0))

    told = Schedule(epochs=20, batch_size=16, learning_rate=0.1)
    train = drawn(seed=seed, noise=0.3)
    assert len(run(fresh(seed=seed), loss=loss, schedule=told, train=train, seed=seed).curve) == 20


# --- the average, the clip, the precision -----------------------------------------------------


def test_the_weights_that_ship_are_those_of_the_average():
    net = fresh("resnet8")
    mean = {key: value.double() for key, value in copied(net).items()}

    def each(step):
        decay = min(0.7, (1 + step) / (10 + step))
        for key, value in copied(net).items():
            mean[key] = decay * mean[key] + (1 - decay) * value.double()
        last.update(copied(net))

    last = {}
    fitted = run(net, schedule=Schedule(epochs=1, batch_size=16, ema=0.7), progress=Told(each))
    for key, value in net.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), mean[key], rtol=1e-4, atol=1e-6)
    key = "backbone.conv1.weight"
    assert not torch.equal(net.state_dict()[key], last[key])
    assert evaluate(net, drawn(60, 1), DATA)[1] == fitted.best.validation_score


@pytest.mark.parametrize("clip", [0.0, 0.1])
def test_clip_bounds_the_norm_of_the_gradient_of_all_parameters(clip):
    net, bridge = fresh(), torch.nn.Parameter(torch.ones(3))
    norms = []

    def each(_):
        gradients = [p.grad for p in (*net.parameters(), bridge)]
        norms.append(torch.cat([g.flatten() for g in gradients]).norm().item())

    def loss(logits, batch):
        return 100.0 * F.cross_entropy(logits * bridge, batch.y)

    schedule = SHORT.model_copy(update={"clip": clip})
    run(net, schedule=schedule, loss=loss, extra=(bridge,), progress=Told(each))
    if clip:
        assert max(norms) <= clip * (1 + 1e-5)
    else:
        assert min(norms) > 0.1


def test_bfloat16_trains_in_half_precision_and_ships_in_single(monkeypatch):
    def trained(precision, *features):
        monkeypatch.setattr(
            accelerators.host, "describe", lambda: SimpleNamespace(features=features)
        )
        net = fresh()
        fitted = run(net, schedule=SHORT.model_copy(update={"precision": precision}))
        assert all(p.dtype == torch.float32 for p in net.parameters())
        assert all(torch.isfinite(p).all() for p in net.parameters())
        assert fitted.best.validation_score > 0.4
        return copied(net)["backbone.1.weight"]

    single, half = trained("fp32", "avx512_bf16"), trained("bf16")
    assert not torch.equal(single, half)
    assert torch.equal(trained("auto", "avx2"), single)
    for feature in ("avx512_bf16", "amx_bf16", "bf16"):
        assert torch.equal(trained("auto", "avx2", feature), half)
