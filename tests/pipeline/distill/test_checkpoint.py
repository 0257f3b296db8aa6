"""A training that is killed resumes to the same weights, from a sound checkpoint only."""

import pytest
import torch
from edgestill.pipeline.distill import checkpoint, loop
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.models import deployed
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.augment import Augment
from small_trainings import DATA, PLAIN, SHORT, TEXTS, Told, copied, drawn, run, texts

pytestmark = pytest.mark.usefixtures("one_thread")


KILLED = {
    "adamw, one cycle, ema, clip, dropout": {
        "model": "dscnn1",
        "schedule": {"ema": 0.8, "clip": 0.5},
    },
    "sgd, cosine, warm-up, augmented": {
        "model": "resnet8",
        "schedule": {"optimizer": "sgd", "schedule": "cosine", "warmup": 0.3},
        "augment": Augment(crop=1, flip=True, mixup=0.3),
    },
    "sgd, ema, a bridge": {
        "model": "dscnn1",
        "schedule": {"optimizer": "sgd", "ema": 0.5, "label_smoothing": 0.1},
        "bridge": True,
    },
    "adamw, cosine, a bridge, bf16": {
        "model": "mlp1",
        "schedule": {"schedule": "cosine", "precision": "bf16"},
        "bridge": True,
    },
    "texts, dropout": {
        "model": "transformer1",
        "schedule": {"clip": 1.0, "ema": 0.9},
        "augment": Augment(token_dropout=0.2),
        "texts": True,
    },
}


class Killable:
    """One training that can be killed behind a step and taken up again."""

    def __init__(self, work, model, schedule, augment=PLAIN, bridge=False, texts=False):
        self.work, self.kind, self.augment = work, model, augment
        self.schedule = SHORT.model_copy(update=schedule)
        self.data, self.bridge = TEXTS if texts else DATA, bridge

    def run(self, *, kill=None, seed=0, work=True):
        """Weights, those of the bridge, curve and best epoch; None where it was killed."""
        torch.manual_seed(seed)
        model = deployed(Architecture(model=self.kind, width=4), self.data)
        extra = (torch.nn.Parameter(torch.randn(3, 3)),) if self.bridge else ()
        hard = hard_labels(self.data, self.schedule)

        def loss(outputs, batch):
            return hard(outputs @ extra[0] if extra else outputs, batch)

        def each(step):
            if step == kill:
                raise KeyboardInterrupt

        source = texts if self.data is TEXTS else drawn
        told = {"train": source(), "validation": source(60, 1), "data": self.data, "extra": extra}
        told |= {"augment": self.augment, "schedule": self.schedule, "loss": loss}
        self.progress = Told(each)
        try:
            fitted = run(model, progress=self.progress, work=self.work if work else None, **told)
        except KeyboardInterrupt:
            return None
        curve = [epoch.model_copy(update={"seconds": 0.0}) for epoch in fitted.curve]
        return copied(model), [p.detach() for p in extra], curve, fitted.best.epoch


def same(one, other):
    assert one[0].keys() == other[0].keys()
    assert all(torch.equal(one[0][key], other[0][key]) for key in one[0])
    assert all(map(torch.equal, one[1], other[1]))
    assert one[2:] == other[2:]


@pytest.mark.parametrize("told", KILLED.values(), ids=KILLED)
def test_a_training_that_is_killed_goes_on_to_the_same_weights_bit_for_bit(
    told, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    training = Killable(tmp_path, **told)
    whole = training.run(work=False)
    # What is left then: a checkpoint in an epoch, before its last step, at its end, in the next.
    for number, kill in enumerate((4, 9, 2, 3)):
        assert training.run(kill=kill, seed=number) is None
    same(training.run(seed=9), whole)  # from other first weights, other random numbers
    assert training.progress.notes[0] == "  a model: resumes after step 14 of 18"
    assert training.progress.total == len(training.progress.told) == 4


def test_a_training_may_be_killed_wherever_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    told = {"model": "mlp1", "schedule": {"ema": 0.8, "clip": 0.5}}
    whole = Killable(tmp_path, **told).run(work=False)
    for kill in (2, 6, 7, 8, 12, 13, 17, 18):  # 6 steps an epoch
        work = tmp_path / str(kill)
        work.mkdir()
        training = Killable(work, **told)
        assert training.run(kill=kill) is None
        same(training.run(seed=9), whole)


def test_a_training_that_is_killed_at_its_very_end_has_nothing_left_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    training = Killable(tmp_path, **KILLED["adamw, one cycle, ema, clip, dropout"])
    whole = training.run()
    assert checkpoint.read(tmp_path).facts["step"] == 18
    same(training.run(seed=9), whole)
    assert training.progress.total == 0
    assert "accuracy" in training.progress.notes[-1]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_checkpoint_begins_anew(damage, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    training = Killable(tmp_path, **KILLED["adamw, one cycle, ema, clip, dropout"])
    whole = training.run(work=False)
    assert training.run(kill=9) is None
    path = tmp_path / checkpoint.FILE
    content = bytearray(path.read_bytes())
    content[-100] ^= 16
    path.write_bytes(content[:-100] if damage == "cut" else content)
    same(training.run(), whole)
    assert training.progress.total == 18


def test_checkpoints_do_not_change_a_training_and_are_not_written_at_every_step(
    tmp_path, monkeypatch
):
    written = []
    monkeypatch.setattr(checkpoint, "write", lambda *told: written.append(told))
    training = Killable(tmp_path, **KILLED["adamw, one cycle, ema, clip, dropout"])
    without = training.run(work=False)
    same(training.run(), without)
    assert not written
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    same(training.run(), without)
    assert len(written) == 18


def test_tensors_without_names_are_numbered_and_filled_again():
    kept = checkpoint.numbered([torch.ones(2), torch.zeros(3)])
    assert list(kept) == ["0", "1"]
    others = [torch.full((2,), 7.0), torch.full((3,), 7.0)]
    checkpoint.fill(others, kept)
    assert [other.tolist() for other in others] == [[1.0, 1.0], [0.0, 0.0, 0.0]]
