"""SoftLosses targets: asked once, of the views the student sees, and stored where they belong."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from edgestill.errors import DataError, ModelError, RecipeError
from edgestill.pipeline.distill import student, targets
from edgestill.pipeline.distill.batches import Batches
from edgestill.pipeline.distill.inputs import (
    Distillation,
    Samples,
    StudentInputs,
    TargetsInputs,
    Teachers,
    Training,
)
from edgestill.pipeline.distill.targets import identities, open_targets
from edgestill.pipeline.models import deployed
from edgestill.pipeline.models.weights import WEIGHTS, restore, save
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.distill import SoftLosses, SoftTargets
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import DataRecord, ModelRecord, TargetsRecord

ROWS = 300
AUGMENT = Augment(crop=1, flip=True, mixup=0.3)
NET = Architecture(model="resnet8", width=4)
SOFT = SoftLosses(alpha=0.5)


pytestmark = pytest.mark.usefixtures("one_thread")


def record(classes=3, **told):
    counts = {"train": tuple(int(n) for n in np.bincount(np.arange(ROWS) % classes))}
    return DataRecord(**{
        "source": "test", "task": "classification", "sample_shape": (5, 5, 2), "layout": "hwc",
        "labels": tuple(f"c{i}" for i in range(classes)), "dtype": "float32", "mean": (0.0, 1.0),
        "std": (1.0, 2.0), "rows": {"train": ROWS}, "counts": counts, "dropped": 0, "notes": (),
        "fingerprint": "", **told,
    })  # fmt: skip


@pytest.fixture
def data(tmp_path):
    """The data stage's output, small."""
    return laid_down(tmp_path, record())


def laid_down(folder, told):
    rng = np.random.default_rng(0)
    for split, rows in (("train", ROWS), ("validation", 40), ("test", 30), ("calibration", 20)):
        x = rng.normal(size=(rows, *told.sample_shape)).astype(np.float32)
        y = rng.permutation(np.arange(rows) % told.classes)
        if told.task == "embedding":
            y = np.zeros((rows, 0), np.float32)
        if told.task == "regression":
            y = rng.normal(size=(rows, told.classes)).astype(np.float32)
        np.save(folder / f"x_{split}.npy", x)
        np.save(folder / f"y_{split}.npy", y)
    return SimpleNamespace(path=folder, record=told)


class Recording:
    """A teacher that keeps what it was shown; its answers are a function of that alone."""

    def __init__(self, outputs=3, scale=1.0, dies_at=None):
        self.outputs, self.scale, self.dies_at = outputs, scale, dies_at
        self.shown, self.asked = {}, []

    def __call__(self, *_):
        """Stands in for the class ``TeacherAnswers``."""
        return nullcontext(_Asked(self))

    def answer(self, x, split, rows):
        if len(self.asked) == self.dies_at:
            raise KeyboardInterrupt
        self.asked.append((split, len(rows)))
        for row, sample in zip(rows.tolist(), x, strict=True):
            self.shown.setdefault((split, row), []).append(sample.copy())
        flat = x.reshape(len(x), -1).astype(np.float64)
        weights = np.random.default_rng(7).normal(size=(flat.shape[1], self.outputs))
        return (self.scale * flat @ weights).astype(np.float32)


class _Asked:
    def __init__(self, recording):
        self.outputs, self._answer = recording.outputs, recording.answer

    def __call__(self, x, split, rows):
        return self._answer(x, split, rows)


def known(**told):
    return ModelRecord(**{
        "model": NET.model, "width": NET.width, "outputs": 3, "parameters": 1, "seed": 0,
        "distilled": False, "origin": "loaded", "curve": (), "best_epoch": None,
        "validation_score": 1.0, "weights_sha256": "", **told,
    })  # fmt: skip


def asked(tmp_path, data, name="targets", *, views=2, augment=AUGMENT, seed=5, work="work", **told):
    """The targets stage, run, of a teacher that no file can be made of; ``told`` goes to it."""
    (tmp_path / name).mkdir()
    (tmp_path / work).mkdir(exist_ok=True)
    teacher = SimpleNamespace(path=tmp_path, record=known(origin="black box"))
    inputs = TargetsInputs(
        Teachers(told.get("teachers", (teacher,)), told.get("shares", (1.0,))),
        told.get("options", SoftTargets(views=views)),
        Samples(data, augment, seed),
    )
    found = targets.make_targets(tmp_path / name, Silent(), inputs, tmp_path / work)
    return SimpleNamespace(path=tmp_path / name, record=found)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- what is asked ----------------------------------------------------------------------------


def test_the_teacher_sees_each_view_once_and_exactly_that_which_the_student_will_see(
    tmp_path, data, monkeypatch
):
    teacher = Recording()
    monkeypatch.setattr(targets, "TeacherAnswers", teacher)
    made = asked(tmp_path, data, views=3)
    assert {len(shown) for (split, _), shown in teacher.shown.items() if split == "train"} == {3}
    monkeypatch.undo()

    seen = []
    inner = Batches.__call__

    def watched(self, rows, view, *ranks):
        batch = inner(self, rows, view, *ranks)
        for row, x in zip(rows.tolist(), batch.x.numpy(), strict=True):
            expected = teacher.shown["train", row][view]
            assert np.array_equal(x, expected)
            seen.append((row, view))
        return batch

    monkeypatch.setattr(Batches, "__call__", watched)
    distilled(tmp_path, data, targets=made)
    # Epoch e sees view e modulo 3; the last samples, which fill no batch, wait.
    assert [view for _, view in seen[:: ROWS // 16 * 16]] == [0, 1, 2, 0]


def distilled(tmp_path, data, name="student", epochs=4, **told):
    """The student stage, run."""
    (tmp_path / name).mkdir()
    work = tmp_path / f"work-{name}"
    work.mkdir()
    schedule = Schedule(epochs=epochs, batch_size=16, learning_rate=0.01)
    training = Training(Samples(data, AUGMENT, 5), schedule, Distillation(SOFT, **told))
    inputs = StudentInputs(NET, None, training, seed=1)
    return student.train_student(tmp_path / name, Silent(), inputs, work)


def test_a_batch_gets_the_answers_to_its_own_rows_and_view(tmp_path, data, monkeypatch):
    teacher = Recording()
    monkeypatch.setattr(targets, "TeacherAnswers", teacher)
    made = asked(tmp_path, data)
    train = np.load(data.path / "x_train.npy")
    target, batches = open_targets(made, train), Batches(data.record, _split(data), AUGMENT, 5)
    for view in (1, 0):
        rows = np.array([299, 4, 4, 130])
        x = batches(rows, view).x.numpy()
        found = target(rows, view)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found, teacher.answer(x, "train", rows), rtol=1e-3, atol=1e-3)


def _split(data):
    return SimpleNamespace(
        x=np.load(data.path / "x_train.npy"), y=np.load(data.path / "y_train.npy")
    )


def test_answers_are_stored_in_half_precision_numbers_of_a_regression_in_single(
    tmp_path, data, monkeypatch
):
    monkeypatch.setattr(targets, "TeacherAnswers", Recording())
    made = asked(tmp_path, data)
    stored = np.load(made.path / targets.LOGITS)
    assert (stored.dtype, stored.shape) == (np.float16, (2, ROWS, 3))
    assert made.record.bytes == sum(len(part) for part in contents(made.path).values())
    assert made.record.train_score == (stored[0].argmax(1) == _split(data).y).mean()
    assert made.record.answered == ("validation", "test")
    other = tmp_path / "regression"
    other.mkdir()
    numbers = laid_down(
        other, record(task="regression", answer_mean=(0.0,) * 3, answer_std=(1.0,) * 3)
    )
    monkeypatch.setattr(targets, "TeacherAnswers", Recording(scale=1e6))
    made = asked(other, numbers)
    assert np.load(made.path / targets.LOGITS).dtype == np.float32


def test_vectors_of_an_embedding_are_stored_as_they_are(tmp_path, monkeypatch):
    vectors = laid_down(tmp_path, record(task="embedding"))
    monkeypatch.setattr(targets, "TeacherAnswers", Recording(outputs=20))
    made = asked(tmp_path, vectors)
    assert np.load(made.path / targets.LOGITS).shape == (2, ROWS, 20)
    assert made.record.train_score == 1.0  # they are the truth


def test_an_answer_beyond_half_precision_is_refused(tmp_path, data, monkeypatch):
    monkeypatch.setattr(targets, "TeacherAnswers", Recording(scale=1e6))
    with pytest.raises(ModelError, match="numbers up to 6"):
        asked(tmp_path, data)


def test_views_of_recorded_answers_are_refused(tmp_path, data, monkeypatch):
    monkeypatch.setattr(targets, "TeacherAnswers", Recording())
    recorded = (SimpleNamespace(path=tmp_path, record=known(origin="recorded")),)
    for name, told in (("a", {"views": 2}), ("b", {"views": 1}), ("c", {"views": 0})):
        with pytest.raises(RecipeError, match="only the samples themselves were answered"):
            asked(tmp_path, data, name, teachers=recorded, **told)
    for name, views in (("d", 1), ("e", 0)):
        asked(tmp_path, data, name, teachers=recorded, views=views, augment=Augment(), work=name)


# --- many classes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "top_k", "kept"), [(256, 0, 256), (257, 0, 64), (300, 10, 10), (3, 9, 3), (3, 2, 2)]
)
def test_beyond_256_classes_only_the_likeliest_are_kept(classes, top_k, kept):
    assert targets.kept_of(classes, top_k, record(classes)) == kept


def test_fewer_outputs_are_kept_of_classes_only():
    with pytest.raises(RecipeError, match="top_k = 2 for regression"):
        targets.kept_of(3, 2, record(task="regression"))
    assert targets.kept_of(3, 0, record(task="regression")) == 3
    assert targets.kept_of(900, 0, record(task="embedding")) == 900


def test_of_300_classes_the_likeliest_keep_their_probability_and_the_rest_its_mass(
    tmp_path, monkeypatch
):
    data = laid_down(tmp_path, record(300))
    teacher = Recording(outputs=300, scale=0.3)
    monkeypatch.setattr(targets, "TeacherAnswers", teacher)
    made = asked(tmp_path, data, views=2)
    places = np.load(made.path / targets.PLACES)
    assert (places.dtype, places.shape) == (np.uint16, (2, ROWS, 64))
    assert np.load(made.path / targets.REST).dtype == np.float16
    assert (made.record.outputs, made.record.kept) == (300, 64)
    rows = np.arange(20, 60)
    x = Batches(data.record, _split(data), AUGMENT, 5)(rows, 1).x.numpy()
    answers = torch.from_numpy(teacher.answer(x, "train", rows))
    found = open_targets(made, np.load(data.path / "x_train.npy"))(rows, 1)
    assert found.shape == (40, 300)
    expected, known_ = answers.softmax(1), found.softmax(1)
    order = expected.argsort(1, descending=True)
    likeliest = order[:, :64]
    torch.testing.assert_close(
        known_.gather(1, likeliest), expected.gather(1, likeliest), rtol=5e-3, atol=1e-6
    )
    rest = known_.gather(1, order[:, 64:])
    torch.testing.assert_close(
        rest.sum(1), expected.gather(1, order[:, 64:]).sum(1), rtol=5e-3, atol=1e-6
    )
    torch.testing.assert_close(rest, rest.mean(1, keepdim=True).expand_as(rest))
    first = np.load(made.path / targets.PLACES)[0, :, 0]
    assert made.record.train_score == (first == _split(data).y).mean()


# --- killed -----------------------------------------------------------------------------------


def blocks_of(teacher):
    return sum(split == "train" for split, _ in teacher.asked)


def test_what_was_answered_before_a_kill_is_not_asked_again(tmp_path, data, monkeypatch):
    monkeypatch.setattr(targets, "BLOCK", 16)  # 19 blocks a view
    whole = Recording()
    monkeypatch.setattr(targets, "TeacherAnswers", whole)
    expected = contents(asked(tmp_path, data, "whole", work="other").path)
    assert blocks_of(whole) == 38
    found = []
    for name, dies_at in (("first", 20), ("second", 1), ("third", 17)):
        monkeypatch.setattr(targets, "TeacherAnswers", Recording(dies_at=dies_at))
        with pytest.raises(KeyboardInterrupt):
            asked(tmp_path, data, name)
        found.append(json.loads((tmp_path / "work" / targets._DONE).read_text())["blocks"])
    assert found == [16, 16, 32]
    last = Recording()
    monkeypatch.setattr(targets, "TeacherAnswers", last)
    assert contents(asked(tmp_path, data, "last").path) == expected
    assert blocks_of(last) == 38 - 32


def test_a_kill_behind_the_last_block_leaves_only_the_other_splits(tmp_path, data, monkeypatch):
    dying = Recording(dies_at=6)  # 3 blocks a view, and then test
    monkeypatch.setattr(targets, "TeacherAnswers", dying)
    with pytest.raises(KeyboardInterrupt):
        asked(tmp_path, data, "first")
    assert blocks_of(dying) == 6
    last = Recording()
    monkeypatch.setattr(targets, "TeacherAnswers", last)
    made = asked(tmp_path, data, "last")
    assert blocks_of(last) == 0
    open_targets(made, np.load(data.path / "x_train.npy"))


@pytest.mark.parametrize("damage", ["cut", "absent", "other", "note"])
def test_stored_answers_that_are_damaged_are_asked_for_anew(damage, tmp_path, data, monkeypatch):
    monkeypatch.setattr(targets, "TeacherAnswers", Recording())
    expected = contents(asked(tmp_path, data, "whole", work="other").path)
    monkeypatch.setattr(targets, "TeacherAnswers", Recording(dies_at=6))
    with pytest.raises(KeyboardInterrupt):
        asked(tmp_path, data, "first")
    path = tmp_path / "work" / targets.LOGITS
    if damage == "absent":
        path.unlink()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    if damage == "other":
        np.save(path, np.zeros((2, ROWS, 4), np.float16))
    if damage == "note":
        (tmp_path / "work" / targets._DONE).write_text("{")
    last = Recording()
    monkeypatch.setattr(targets, "TeacherAnswers", last)
    assert contents(asked(tmp_path, data, "last").path) == expected
    assert blocks_of(last) == 6


# --- whose answers they are -------------------------------------------------------------------


def test_each_sample_has_an_identity_of_its_own_wherever_it_stands():
    x = np.random.default_rng(0).integers(0, 256, (500, 3, 5), np.uint8)
    found = identities(x)
    assert (found.dtype, found.shape) == (np.uint64, (500,))
    order = np.random.default_rng(1).permutation(500)
    assert np.array_equal(identities(x[order]), found[order])
    assert len(np.unique(found)) == 500


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("size", [1, 3, 8, 9, 40])
def test_any_changed_number_changes_the_identity(dtype, size):
    x = np.random.default_rng(0).integers(1, 100, (1, size)).astype(dtype)
    changed = np.repeat(x, size + 1, 0)
    changed[np.arange(size), np.arange(size)] += 1
    assert len(np.unique(identities(changed))) == size + 1


def test_samples_that_differ_in_high_bits_alone_are_told_apart():
    """A sum of words times odd numbers cannot: two highest bits cancel, whatever the numbers."""
    x = np.random.default_rng(0).normal(size=(64, 12)).astype(np.float32)
    signs = 1 - 2 * (np.arange(64)[:, None] >> np.arange(6) & 1)
    x[:] = x[0]
    x[:, 1::2] *= signs
    assert len(np.unique(identities(x))) == 64
    assert len(np.unique(identities(x[:, ::-1].copy()))) == 64


def test_swapped_places_inside_a_sample_change_its_identity():
    x = np.zeros((12, 12, 8), np.uint8)
    x[np.arange(12), np.arange(12)] = 1
    assert len(np.unique(identities(x))) == 12


def test_bits_of_identities_of_near_samples_are_even():
    x = np.zeros((4096, 24), np.uint8)
    x[:, 3], x[:, 17] = np.arange(4096) % 64, np.arange(4096) // 64
    bits = identities(x)[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    assert np.abs(bits.mean(0) - 0.5).max() < 0.036  # 4.5 standard errors
    counts = np.bincount(identities(x) % np.uint64(64), minlength=64)
    assert ((counts - 64.0) ** 2 / 64.0).sum() < 115.0  # chi-square, 63 degrees, p = 0.0001


@pytest.mark.parametrize("rows", [1, 7])
def test_identities_do_not_depend_on_how_many_are_hashed_at_once(rows, monkeypatch):
    x = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    expected = identities(x)
    steps = range(0, 50, rows)
    monkeypatch.setattr(targets, "chunks", lambda n, _: (slice(i, min(i + rows, n)) for i in steps))
    assert np.array_equal(identities(x), expected)


def test_targets_of_other_samples_are_refused_with_the_first_row(tmp_path, data, monkeypatch):
    monkeypatch.setattr(targets, "TeacherAnswers", Recording())
    made = asked(tmp_path, data)
    train = np.load(data.path / "x_train.npy")
    open_targets(made, train)
    swapped = train.copy()
    swapped[[40, 90]] = train[[90, 40]]
    for x, row in ((swapped, 40), (train + 1, 0), (train[:-3], ROWS - 3), (train[1:], 0)):
        with pytest.raises(DataError, match=f"other samples \\(first: row {row} of train\\)"):
            open_targets(made, x)
    longer = np.concatenate([train, train[:2]])
    with pytest.raises(DataError, match=f"row {ROWS} of train"):
        open_targets(made, longer)


# --- asked as the student learns --------------------------------------------------------------


@pytest.fixture
def kept(tmp_path):
    """A teacher of convolutions and batch norm, as its stage leaves it."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    torch.manual_seed(3)
    model = deployed(NET, record())
    with torch.no_grad():
        model.train()(torch.randn(32, 5, 5, 2))  # statistics of its own
    save(model, folder / WEIGHTS)
    return SimpleNamespace(path=folder, record=known())


def test_with_no_views_nothing_of_train_is_stored(tmp_path, data, kept):
    made = asked(tmp_path, data, views=0, teachers=(kept,))
    assert not contents(made.path)
    assert not list((tmp_path / "work").iterdir())
    assert made.record.views == 0
    assert made.record.train_score is None


def test_a_teacher_that_is_asked_at_every_step_stays_as_it_was(tmp_path, data, kept, monkeypatch):
    from edgestill.pipeline.distill import teacher_answers

    opened = []
    inner = teacher_answers.restored

    def watched(*told):
        opened.append(inner(*told))
        return opened[-1]

    monkeypatch.setattr(teacher_answers, "restored", watched)
    made = asked(tmp_path, data, views=0, teachers=(kept,))
    found = distilled(tmp_path, data, targets=made, teachers=Teachers((kept,), (1.0,)))
    assert found.distilled
    before = deployed(NET, record())
    restore(before, kept.path / WEIGHTS)
    assert len(opened) == 2
    for teacher in opened:
        assert not any(module.training for module in teacher.modules())
        for key, value in teacher.state_dict().items():
            assert torch.equal(value, before.state_dict()[key]), key


def test_asked_at_every_step_the_teacher_teaches_what_stored_answers_do(tmp_path, data, kept):
    """Over one epoch, whose view is the first one, up to half precision."""
    stored = asked(tmp_path, data, "stored", views=1, teachers=(kept,))
    online = asked(tmp_path, data, "online", views=0, teachers=(kept,), work="none")
    one = distilled(tmp_path, data, "one", 1, targets=stored)
    other = distilled(
        tmp_path, data, "other", 1, targets=online, teachers=Teachers((kept,), (1.0,))
    )
    assert one.curve[0].loss == pytest.approx(other.curve[0].loss, rel=1e-3)
    assert one.weights_sha256 != other.weights_sha256


def test_the_record_counts_what_lies_there(tmp_path, data, kept):
    made = asked(tmp_path, data, teachers=(kept,))
    assert isinstance(made.record, TargetsRecord)
    assert made.record.rows == ROWS
    assert not list((tmp_path / "work").glob("*.npy"))
