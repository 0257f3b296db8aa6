"""Every kind of teacher, from recipe to report, as small as it can be."""

import importlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from edgestill.errors import MaterialError, ModelError, RecipeError
from edgestill.exporters import metadata
from edgestill.pipeline import build as building
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.judge.answers import logits as answers_of
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from small_builds import (
    CENTRES,
    CLASSES,
    SAID,
    build,
    images,
    onnx_file,
    points,
    recipe,
    saved,
    texts,
    until,
)

pytestmark = pytest.mark.slow


def linear():
    """Weights and biases of the classifier that knows the centres, [6, 3] and [3]."""
    return CENTRES.T.astype(np.float32), (-0.5 * (CENTRES**2).sum(1)).astype(np.float32)


def state(outputs=None):
    """A state dict of ``nets.frozen`` that answers as ``linear`` does: relu(a) - relu(-a) is a."""
    weights, bias = (torch.from_numpy(x) for x in linear())
    eye = torch.eye(CLASSES)
    return {
        "first.0.weight": torch.cat([weights, -weights], 1).T.contiguous(),
        "first.0.bias": torch.cat([bias, -bias]),
        "first.1.weight": torch.ones(6),
        "first.1.bias": torch.zeros(6),
        "first.1.running_mean": torch.zeros(6),
        "first.1.running_var": torch.ones(6),
        "first.1.num_batches_tracked": torch.tensor(1),
        "last.weight": torch.cat([eye, -eye], 1)[:outputs],
        "last.bias": torch.zeros(CLASSES)[:outputs],
    }


AS_THEY_ARE = ("data.mean=[0.0]", "data.std=[1.0]")
"""Inputs are not normalised, so that a teacher made by hand knows them."""


def labelled(folder, **more):
    x, y = points()
    np.savez(folder / "data.npz", x=x, y=y, **more)
    return x, y


def test_a_black_box_teaches_and_is_measured_by_its_answers_alone(here):
    labelled(here)
    onnx_file(here / "big.onnx", *linear())
    done = build(
        here,
        "teacher.model=onnx:big.onnx",
        "gate.min_accuracy=0.8",
        "gate.max_drop_vs_teacher=0.2",
    )
    report = done.report
    (teacher,) = report.teachers
    assert (teacher.origin, teacher.parameters) == ("black box", None)
    assert report.quality.teacher is None
    assert report.quality.teacher_score.value > 0.9
    assert report.variants.teacher is None
    assert [one.name for one in report.measured.benchmark.models] == ["fp32"]
    assert report.quality.variants[0].drop_vs_teacher.low is not None
    changed = np.load(done.run / "records" / "changed.npz")
    told = report.quality.variants[0].fidelity.changed.examples
    assert changed["fp32/rows"].tolist() == [one.sample for one in told]
    assert changed["fp32/student"].tolist() == [one.answer[0] for one in told]
    assert changed["fp32/x"].shape == (len(told), 6)


def test_recorded_answers_in_any_order_find_their_samples(here):
    x, y = labelled(here, id=np.array([f"s{i}" for i in range(240)]))
    logits = np.float32(x @ linear()[0] + linear()[1])
    order = np.random.default_rng(5).permutation(240)
    np.savez(here / "told.npz", id=np.array([f"s{i}" for i in order]), logits=logits[order])
    quality = until(here, "verify", "teacher.model=logits:told.npz").record
    # Answers that belonged to other samples would be right one time in three.
    right = (logits.argmax(1) == y).mean()
    assert quality.teacher_score.value == pytest.approx(right, abs=0.05)
    drop = quality.variants[0].drop_vs_teacher
    assert drop.low <= drop.value <= drop.high


def test_what_recorded_answers_do_not_cover_is_unknown_and_not_zero(here):
    x, _ = labelled(here, id=np.array([f"s{i}" for i in range(240)]))
    logits = np.float32(x @ linear()[0] + linear()[1])
    test = np.load(until(here, "data").path / "id_test.npy")
    kept = np.setdiff1d(np.arange(240), [int(name[1:]) for name in test])
    np.savez(here / "told.npz", id=np.array([f"s{i}" for i in kept]), logits=logits[kept])
    done = build(here, "teacher.model=logits:told.npz", "gate.min_accuracy=0.8")
    quality = done.report.quality
    assert done.report.teachers[0].origin == "recorded"
    assert done.report.targets.train_score > 0.9
    assert done.report.targets.answered == ("validation",)
    for figure in (
        quality.teacher_score,
        quality.variants[0].drop_vs_teacher,
        quality.variants[0].agreement_with_teacher,
    ):
        assert figure.value is None
        assert "not known" in figure.missing
    assert quality.variants[0].fidelity is None


def test_an_ensemble_answers_as_one_in_its_file(here):
    labelled(here)
    done = build(
        here,
        "teacher.members=[{model='mlp2', width=8, weight=3.0}]",
        "gate.min_accuracy=0.8",
    )
    report = done.report
    assert [one.model for one in report.teachers] == ["mlp1", "mlp2"]
    assert report.teachers[0].seed != report.teachers[1].seed
    assert [p for p in report.quality.teacher.parity if not p.holds] == []
    assert report.quality.teacher.score == report.quality.teacher_score
    # What was asked before the student learnt is what the file says.
    (told,) = (here / "artifacts" / "store").glob("*/logits.npy")
    x = np.load(until(here, "data").path / "x_train.npy")
    answers = answers_of(done.run / "variants" / "teacher.onnx", x, batch=1)
    np.testing.assert_allclose(np.load(told)[0], answers, rtol=2e-3, atol=1e-3)
    # Log-probabilities: the weighted mean of those of both, unlike the logits of either.
    assert np.exp(answers).sum(1).max() <= 1.0 + 1e-5
    facts = metadata.read(done.run / "variants" / "teacher.onnx")
    assert facts["model"]["name"] == "mlp1 + mlp2"


def test_functions_of_the_users_make_a_loaded_teacher_and_a_student_with_arguments(here):
    labelled(here)
    torch.save({"state_dict": state()}, here / "weights.pt")
    done = build(
        here,
        *AS_THEY_ARE,
        "teacher.model=nets:frozen",
        "teacher.weights=weights.pt",
        "student.model=nets:make",
        "student.arguments={hidden=5}",
        # Looked into at every step, and never in training mode: that would be refused.
        "distill.views=0",
        "distill.layers=[{loss='hint', teacher='first', student='first'}]",
        "gate.min_accuracy=0.8",
    )
    report = done.report
    (teacher,), (student,) = report.teachers, report.students
    assert (teacher.origin, teacher.curve) == ("loaded", ())
    assert student.arguments == {"hidden": 5}
    assert student.parameters == 6 * 5 + 5 + 2 * 5 + 5 * 3 + 3
    assert report.quality.teacher_score.value > 0.9
    assert report.targets.views == 0
    assert report.targets.train_score is None


TIMM = """
import torch

__version__ = "0"


def is_model(name):
    return name == "tiny"


def list_models():
    return ["tiny"]


def create_model(name, pretrained, num_classes, in_chans):
    assert not pretrained
    layers = [torch.nn.Conv2d(in_chans, 4, 8), torch.nn.Flatten()]
    return torch.nn.Sequential(*layers, *[torch.nn.Linear(4, k) for k in [num_classes] if k])
"""
"""What this program asks of the library timm."""


def of_halves(classes=2):
    """Weights of ``tiny`` that compare the upper half of a picture with the lower one."""
    kernel = torch.ones(4, 3, 8, 8)
    kernel[:, :, 4:] = -1.0
    head = torch.tensor([[1.0], [-1.0]]).repeat(1, 4)
    tensors = {"0.weight": kernel / 192, "0.bias": torch.zeros(4)}
    if classes:
        tensors |= {"2.weight": head, "2.bias": torch.zeros(2)}
    return tensors


def test_a_model_of_another_library_teaches_and_is_kept_with_what_it_was_made_from(here):
    images(here)
    (here / "timm.py").write_text(TIMM)
    save_file(of_halves(), here / "tiny.safetensors")
    quality = until(
        here,
        "verify",
        *("teacher.model=timm:tiny", "teacher.weights=tiny.safetensors", "data.mean=[110.0]"),
        *("data.std=[60.0]", "distill.epochs=2"),
    ).record
    assert quality.teacher_score.value > 0.95
    assert [p for p in quality.teacher.parity if not p.holds] == []
    store = here / "artifacts" / "store"
    assert [p.name for p in store.glob("*/foreign/*")] == ["tiny.safetensors"]


def test_a_model_without_its_classifier_teaches_vectors(here):
    images(here)
    (here / "timm.py").write_text(TIMM)
    save_file(of_halves(classes=0), here / "tiny.safetensors")
    record = until(
        here,
        "targets",
        *("teacher.model=timm:tiny", "teacher.weights=tiny.safetensors"),
        *("data.task=embedding", "distill.losses={cosine=1.0}"),
    ).record
    assert record.outputs == 4


TRANSFORMERS = """
import types

import torch
from safetensors.torch import load_file
from torch import nn


class Model(nn.Module):
    def __init__(self, folder):
        super().__init__()
        self.config = types.SimpleNamespace(num_labels=2, pad_token_id=None)
        self.table = nn.Embedding(400, 2)
        self.table.weight = nn.Parameter(load_file(folder + "/model.safetensors")["table"])
        # Tied, as those of many a language model are: not to be saved as they stand.
        self.tied = nn.Linear(2, 400, bias=False)
        self.tied.weight = self.table.weight

    def get_input_embeddings(self):
        return self.table

    def forward(self, input_ids, attention_mask):
        seen = self.table(input_ids) * attention_mask[..., None]
        return types.SimpleNamespace(logits=seen.sum(1))


class AutoModelForSequenceClassification:
    @staticmethod
    def from_pretrained(folder, **how):
        assert how["local_files_only"] and not how["trust_remote_code"]
        return Model(folder), {"missing_keys": []}
"""
"""What this program asks of the library transformers."""


def tokenized(folder):
    """Texts, what a recipe says of them, and a table [400, 2] of what each token tells of both."""
    texts(folder)
    tokenizers = importlib.import_module("tokenizers")
    told = ("data.source=text:reviews.csv", "data.text.max_length=48", "distill.epochs=2")
    told += ("student.model=transformer1", "student.width=16")
    file = until(folder, "data", *told, "teacher.model=transformer1").path / "tokenizer.json"
    (folder / "mine.json").write_bytes(file.read_bytes())
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    table = np.zeros((400, 2), np.float32)
    for label, words in enumerate(SAID.values()):
        for word in words:
            table[tokenizer.encode(word, add_special_tokens=False).ids, label] += 3.0
    return (*told, "data.text.tokenizer=mine.json"), table


def test_a_folder_of_a_language_model_teaches_texts_of_its_own_tokenizer(here):
    told, table = tokenized(here)
    (here / "transformers.py").write_text(TRANSFORMERS)
    (here / "bert").mkdir()
    (here / "bert" / "config.json").write_text("{}")
    save_file({"table": torch.from_numpy(table)}, here / "bert" / "model.safetensors")
    quality = until(here, "verify", *told, "teacher.model=hf:bert").record
    assert quality.teacher_score.value > 0.8
    assert [p for p in quality.teacher.parity if not p.holds] == []


def test_a_black_box_of_one_length_is_asked_at_every_step_about_texts_cut_short(here):
    told, table = tokenized(here)
    nodes = [
        helper.make_node("Gather", ["w", "ids"], ["each"]),
        helper.make_node("ReduceSum", ["each", "axes"], ["z"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 48])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(table, "w"),
            numpy_helper.from_array(np.array([1], np.int64), "axes"),
        ],
    )
    saved(here / "sum.onnx", graph)
    told += ("teacher.model=onnx:sum.onnx",)
    assert until(here, "teacher", *told).record.validation_score > 0.8
    # It would refuse texts of another length than its own.
    online = ("distill.views=0", "augment.token_dropout=0.1")
    assert until(here, "student", *told, *online).record.model == "transformer1"


def test_a_kind_of_teacher_is_no_student(here):
    with pytest.raises(RecipeError, match=r"student\.model: found 'timm:resnet18'"):
        recipe(here, "student.model=timm:resnet18")


def test_a_student_of_a_module_that_is_not_there_is_refused_before_any_work(here):
    labelled(here)
    with pytest.raises(ModelError, match=r"student\.model: no module 'nowhere' in"):
        building.plan(recipe(here, "student.model=nowhere:make"), here / "artifacts")


def wrong_number():
    weights, bias = linear()
    return np.hstack([weights, weights]), np.hstack([bias, bias])


def not_finite():
    weights, bias = linear()
    return weights * np.float32("nan"), bias


def knows_nothing():
    return np.zeros((6, 3), np.float32), np.eye(3, dtype=np.float32)[0]


def as_onnx(weights, bias):
    onnx_file(Path("t.onnx"), weights, bias)
    return ("teacher.model=onnx:t.onnx",)


def as_recorded(weights, bias):
    np.savez("t.npz", id=np.arange(240), logits=np.float32(points()[0] @ weights + bias))
    return ("teacher.model=logits:t.npz",)


def as_weights(weights, bias):
    """The last layer of ``nets.frozen`` makes of what is right what is asked for."""
    tensors = state()
    tensors["last.weight"] = torch.zeros(len(bias), 6)
    tensors["last.bias"] = torch.from_numpy(bias)
    if not np.isfinite(weights).all():
        # Finite numbers that overflow on the way, as no look at the weights can tell.
        tensors["first.0.weight"] *= 1e38
        tensors["last.weight"][:] = 1e38
    torch.save(tensors, "t.pt")
    return *AS_THEY_ARE, "teacher.model=nets:frozen", "teacher.weights=t.pt"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (wrong_number, "6"),
        (not_finite, "NaN or infinity|not finite"),
        (knows_nothing, "more than one who knows nothing reaches"),
    ],
)
@pytest.mark.parametrize("kind", [as_onnx, as_recorded, as_weights])
def test_a_teacher_with_nothing_to_teach_is_refused_before_a_student_learns(
    here, kind, fault, said
):
    labelled(here, id=np.arange(240))
    entered = []

    def around(stage):
        entered.append(stage)
        return nullcontext()

    with pytest.raises(MaterialError, match=said) as refusal:
        pipeline.build(recipe(here, *kind(*fault())), artifacts=here / "artifacts", around=around)
    assert refusal.value.exit_code == 3
    # A module of the user is tried first; whether it teaches anything only its stage can tell.
    assert [stage for stage in entered if stage != "trial"] == ["data", "teacher"]


def test_a_family_gives_no_vectors(here):
    np.savez(here / "data.npz", x=points()[0])
    with pytest.raises(ModelError, match="whose outputs are the classes"):
        until(here, "teacher", "data.task=embedding", "distill.losses={cosine=1.0}")


def test_teachers_of_vectors_of_several_lengths_are_refused(here):
    np.savez(here / "data.npz", x=points()[0])
    random = np.random.default_rng(0)
    for width in (5, 7):
        weights = random.standard_normal((6, width)).astype(np.float32)
        onnx_file(here / f"{width}.onnx", weights, weights[0])
    with pytest.raises(ModelError, match=r"'onnx:5.onnx' gives 5, 'onnx:7.onnx' gives 7"):
        until(
            here,
            "targets",
            *("data.task=embedding", "distill.losses={cosine=1.0}", "teacher.model=onnx:5.onnx"),
            "teacher.members=[{model='onnx:7.onnx'}]",
        )


def test_a_teacher_that_gives_every_sample_one_vector_is_refused(here):
    np.savez(here / "data.npz", x=points()[0])
    told = as_onnx(np.zeros((6, 12), np.float32), np.ones(12, np.float32))
    with pytest.raises(ModelError, match="same vector for every sample"):
        until(here, "teacher", "data.task=embedding", "distill.losses={cosine=1.0}", *told)
