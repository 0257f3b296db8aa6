"""A ``module:function`` teacher that is trained already keeps its weights, and says so."""

import numpy as np
import pytest
import torch
from edgestill.errors import ModelError, RecipeError
from edgestill.pipeline.data.arrays import open_split
from edgestill.pipeline.distill.inputs import Samples, TeacherInputs
from edgestill.pipeline.distill.loop import outputs_of
from edgestill.pipeline.distill.teacher import make_teacher
from edgestill.pipeline.distill.teacher_answers import restored
from edgestill.pipeline.distill.teacher_checks import Doubt, as_it_comes
from edgestill.pipeline.engine.stage import Made
from edgestill.pipeline.preflight import fits
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Member, Teacher
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.records import DataRecord
from edgestill.pipeline.report import words
from edgestill.pipeline.stages import DATA, TEACHER
from pydantic import ValidationError

NAME = "modules_of_test_teacher"
SOURCE = """
import torch
from torch import nn

class Scaled(nn.Module):
    # Class i where the mean of a row is near i, which it looks for in the units that it is told.
    def __init__(self, mean, std, sign):
        super().__init__()
        self.mean, self.std, self.sign = mean, std, sign
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        level = x.mean(1, keepdim=True) * self.std + self.mean
        return -self.sign * self.weight * (level - torch.tensor([10.0, 20.0, 30.0])) ** 2

def classes(mean=0.0, std=1.0, sign=1.0):
    return Scaled(mean, std, sign)

class Price(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.full((1,), 1000.0))

    def forward(self, x):
        return x.mean(1, keepdim=True) * self.weight

def price():
    return Price()

class Late(Scaled):
    steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.steps > 5:
            raise KeyError("five")
        return super().forward(x)

def late():
    return Late(20.0, 8.0, 1.0)
"""
FIELDS = {
    "source": "test", "sample_shape": (4,), "layout": "table", "dtype": "float32",
    "mean": (20.0,), "std": (8.0,), "rows": {"train": 60, "validation": 60, "test": 60},
    "dropped": 0, "notes": (), "fingerprint": "",
}  # fmt: skip
CLASSES = DataRecord(
    task="classification", labels=("a", "b", "c"), counts={"train": (20, 20, 20)}, **FIELDS
)
NUMBERS = DataRecord(
    task="regression", labels=("price",), counts={}, answer_mean=(20e3,), answer_std=(8e3,),
    **FIELDS,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _module(tmp_path, monkeypatch):
    (tmp_path / f"{NAME}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def made(tmp_path):
    """Runs the stage: the record, the outputs on validation, the truth and the warnings."""
    rng = np.random.default_rng(0)
    for split in ("train", "validation"):
        y = rng.integers(0, 3, 60)
        x = 10.0 * (y[:, None] + 1) + rng.normal(size=(60, 4))
        np.save(tmp_path / f"x_{split}.npy", x.astype(np.float32))
        np.save(tmp_path / f"y_{split}.npy", y)
        np.save(tmp_path / f"price_{split}.npy", (1000.0 * x.mean(1))[:, None].astype(np.float32))

    def run(function, record=CLASSES, **told):
        if record is NUMBERS:
            for split in ("train", "validation"):
                (tmp_path / f"price_{split}.npy").replace(tmp_path / f"y_{split}.npy")
        out = tmp_path / "out"
        out.mkdir()
        teacher = Teacher(model=f"{NAME}:{function}", batch_size=16, **told)
        data = Made(DATA, "", record, tmp_path)
        progress = Silent()
        inputs = TeacherInputs(teacher, "", Samples(data, Augment(), 0))
        found = make_teacher(out, progress, inputs, tmp_path / "work")
        split = open_split(tmp_path, "validation")
        module = restored(Made(TEACHER, "", found, out), record)
        return found, outputs_of(module, split.x, record), split, progress.warnings

    return run


@pytest.mark.parametrize("how", [{"train": False}, {"epochs": 0}])
def test_it_keeps_its_weights_and_is_measured(how, made):
    record, outputs, split, warnings = made("classes", arguments={"mean": 20.0, "std": 8.0}, **how)
    assert record.origin == "loaded"
    assert (record.curve, record.best_epoch) == ((), None)
    assert words.ORIGINS[record.origin].endswith("not trained here")
    assert record.validation_score == (outputs.argmax(1) == split.y).mean() == 1.0
    assert record.normalized
    assert warnings == []


def test_without_normalization_it_takes_the_data_in_their_own_units(made):
    record, outputs, split, warnings = made("classes", train=False, normalize=False)
    assert not record.normalized
    level = split.x.mean(1, keepdims=True)
    expected = -((level - np.array([10.0, 20.0, 30.0])) ** 2)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-3)
    assert record.validation_score == 1.0
    assert warnings == []


def test_one_that_is_no_better_than_chance_is_warned_of(made):
    record, _, _, (warning,) = made(
        "classes", train=False, normalize=False, arguments={"sign": -1.0}
    )
    assert record.validation_score < 0.4
    assert record.warnings == (warning,)
    assert "accuracy 0." in warning
    assert "not trained here" in warning
    assert "teacher.normalize" in warning


def test_by_default_it_is_trained(made):
    record, _, _, _ = made("classes", arguments={"mean": 20.0, "std": 8.0}, epochs=2)
    assert record.origin == "trained"
    assert len(record.curve) == 2
    assert record.standardized


def test_numbers_are_taken_in_the_units_of_the_labels(made):
    record, outputs, split, _ = made("price", NUMBERS, train=False, normalize=False)
    assert not record.standardized
    np.testing.assert_allclose(outputs, split.y, rtol=1e-4)
    assert record.validation_score > 0.999


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"model": "mlp1", "train": False}, "weights for 'mlp1'"),
        ({"model": "mlp1", "epochs": 0}, "epochs = 0; 1 or more train it"),
        ({"model": "onnx:a.onnx", "normalize": False}, "'onnx' takes the samples as they are"),
        ({"model": "logits:a.npz", "normalize": False}, "normalize = true"),
        ({"model": "m:f", "epochs": 0, "members": (Member(model="mlp1"),)}, "weights for 'mlp1'"),
    ],
)
def test_a_key_that_would_do_nothing_or_leave_random_weights_is_refused(told, says):
    with pytest.raises(ValidationError, match=says):
        Teacher(**told)


def test_members_keep_their_own_keys():
    teacher = Teacher(
        model="mlp1", members=(Member(model="m:f", train=False, normalize=False),), epochs=3
    )
    first, second = teacher.teachers()
    assert (first.is_trained, first.normalize) == (True, True)
    assert (second.is_trained, second.normalize) == (False, False)


def test_token_ids_are_not_normalized_in_any_case(tmp_path):
    (tmp_path / "r.toml").write_text(
        'name = "m"\n[data]\nsource = "digits"\n[teacher]\nmodel = "m:f"\nnormalize = false\n'
        '[student]\nmodel = "transformer1"\n[gate]\nmin_accuracy = 0.5\n'
    )
    texts = CLASSES.model_copy(
        update={
            "layout": "tokens",
            "dtype": "int32",
            "rows": dict.fromkeys(("train", "validation", "calibration", "test"), 100),
        }
    )
    with pytest.raises(RecipeError, match="normalize = false for texts"):
        fits(load(tmp_path / "r.toml"), texts)


def test_the_warning_names_the_score_and_what_chance_gives():
    text = as_it_comes(Doubt("accuracy 0.1000 on validation", "more than 0.1100"))
    assert "0.1000" in text
    assert "0.1100" in text


def test_a_module_that_fails_in_the_middle_of_its_training_is_the_user_s(made):
    torch.manual_seed(0)
    with pytest.raises(ModelError, match=r"teacher\.model .*:late: cannot be trained \(KeyError"):
        made("late", epochs=20)
