"""Every kind of source, task, teacher and student, from recipe to report, as small as it can be."""

import importlib
import json
import sys
import wave
from contextlib import nullcontext
from pathlib import Path

import edgestill
import numpy as np
import pytest
import torch
from edgestill.errors import DataError, MaterialError, ModelError, RecipeError
from edgestill.exporters import metadata
from edgestill.pipeline import build as building
from edgestill.pipeline.commands.verify_run import check
from edgestill.pipeline.engine.store import file_sha256
from edgestill.pipeline.judge.answers import logits as answers_of
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.runs.run import differences
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file

RECIPE = """
name = "small"
threads = 1
[teacher]
model = "mlp1"
width = 16
epochs = 8
batch_size = 16
learning_rate = 0.02
[student]
model = "mlp1"
width = 8
[distill]
epochs = 8
batch_size = 16
learning_rate = 0.05
[compress]
variants = ["fp32"]
[benchmark]
processes = 1
operators = false
footprint = false
seconds = 0.001
min_queries = 1
max_queries = 4
[gate]
max_size_kib = 1000
[data]
source = "npz:data.npz"
test = 0.3
validation = 0.15
calibration = 0.1
"""
"""What every build here shares; the rest is said by overrides."""

pytestmark = pytest.mark.slow

CENTRES = np.random.default_rng(0).standard_normal((3, 6)) * 2.0
CLASSES = 3

NETS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, inputs, hidden, outputs, frozen):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU())
        self.last = nn.Linear(hidden, outputs)
        self.frozen = frozen

    def forward(self, x):
        if self.frozen and self.training:
            raise RuntimeError("asked in training mode")
        return self.last(self.first(x))


def make(hidden=8, outputs=3):
    return Net(6, hidden, outputs, frozen=False)


def frozen(outputs=3):
    return Net(6, 6, outputs, frozen=True)
"""
"""A user's module: a network to train and one that may only be asked."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with the user's module in it, where the command is run."""
    for name in ("nets", "timm", "transformers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    yield tmp_path
    for name in ("nets", "timm", "transformers"):
        sys.modules.pop(name, None)


def recipe(folder, *overrides):
    """A recipe file, and a read recipe with what the overrides say."""
    path = folder / "recipe.toml"
    path.write_text(RECIPE)
    return load(path, overrides)


def build(folder, *overrides, **more):
    """A finished build; its run is whole and its page drawn."""
    done = edgestill.build(recipe(folder, *overrides), artifacts=folder / "artifacts", **more)
    assert differences(done.run) == []
    assert (done.run / "report.html").stat().st_size > 10_000
    assert done.report.verdict.outcome == "ready", done.report.verdict.why
    fp32 = done.report.quality.variants[0]
    assert [p for p in fp32.parity if not p.holds] == []
    return done


def until(folder, stage, *overrides):
    """What a build that stops after a stage made last."""
    return edgestill.build(
        recipe(folder, *overrides), artifacts=folder / "artifacts", until=stage
    ).stopped


def points(number=240):
    """Three clouds in six dimensions."""
    y = np.arange(number) % CLASSES
    noise = np.random.default_rng(1).standard_normal((number, 6))
    return (CENTRES[y] + noise).astype(np.float32), y


def linear():
    """Weights and biases of the classifier that knows the centres, [6, 3] and [3]."""
    return CENTRES.T.astype(np.float32), (-0.5 * (CENTRES**2).sum(1)).astype(np.float32)


def onnx_file(path, weights, bias):
    """A black box: one fully connected layer."""
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["z"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", len(bias)])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    saved(path, graph)


def saved(path, graph):
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    path.write_bytes(model.SerializeToString())


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


# --- text -------------------------------------------------------------------------------------


SAID = {"bad": ["dull", "broken", "awful"], "good": ["bright", "lovely", "superb"]}


def texts(folder, number=240):
    """Reviews of two kinds, told by a few words among many that say nothing."""
    pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    random = np.random.default_rng(0)
    idle = [f"word{i}" for i in range(30)]
    lines = ["text,label"]
    for i in range(number):
        label = ("bad", "good")[i % 2]
        words = [*random.choice(idle, random.integers(3, 12)), *random.choice(SAID[label], 2)]
        lines.append(f"{' '.join(random.permutation(words))},{label}")
    (folder / "reviews.csv").write_text("\n".join(lines))


def test_texts_teach_a_transformer_and_it_ships_with_its_tokenizer_in_int8(here):
    texts(here)
    done = build(
        here,
        "data.source=text:reviews.csv",
        "data.text.max_length=16",
        "data.text.vocabulary=120",
        "teacher.model=transformer1",
        "teacher.width=32",
        "student.model=transformer1",
        "student.width=32",
        "distill.initialize=true",
        "distill.learning_rate=0.01",
        "compress.variants=['int8-static']",
        "gate.min_accuracy=0.85",
    )
    report = done.report
    fp32, int8 = report.quality.variants
    assert fp32.score.value > 0.95
    # With the scores of attention on 256 levels it would answer like a coin.
    assert int8.score.value > fp32.score.value - 0.02
    assert report.data.layout == "tokens"
    assert report.data.dtype == "int32"
    ship = report.verdict.ship
    shipped = done.run / "models"
    assert (shipped / "tokenizer.json").read_bytes() == (
        done.run / "variants" / "tokenizer.json"
    ).read_bytes()
    facts = metadata.read(shipped / f"small-{ship}.onnx")
    assert facts["task"] == "classification"
    assert facts["labels"] == ["bad", "good"]
    assert facts["input"] == {
        "name": "input", "dtype": "int32", "shape": ["batch", 16], "layout": "tokens",
    }  # fmt: skip
    assert facts["front_end"] == report.data.front_end
    assert facts["front_end"]["max_length"] == 16
    assert check(done.run).faults == ()


def test_a_student_starts_from_the_layers_of_its_teacher(here):
    texts(here)
    edgestill.build(
        recipe(
            here,
            *("data.source=text:reviews.csv", "data.text.max_length=16"),
            *("teacher.model=transformer1", "student.model=transformer1", "student.width=16"),
            *("distill.initialize=true", "distill.epochs=1", "distill.learning_rate=1e-7"),
        ),
        artifacts=here / "artifacts",
        until="student",
    )
    teacher, *students = models(here, "teacher"), *models(here, "student")
    (teacher,) = teacher
    apart = {
        record["distilled"]: float((weights["backbone.embedding.weight"] - before).abs().max())
        for record, weights in students
        for before in [teacher[1]["backbone.embedding.weight"]]
    }
    assert apart[True] < 1e-3
    assert apart[False] > 1e-2


def models(folder, stage):
    """Records and weights of a stage in the store."""
    for entry in sorted((folder / "artifacts" / "store").glob("*/entry.json")):
        told = json.loads(entry.read_text())
        if told["stage"] == stage:
            yield told["record"], load_file(entry.parent / "weights.safetensors")


# --- sound ------------------------------------------------------------------------------------

RATE, CLIP = 4000, 800


def clip(label, speaker, random):
    """A fifth of a second of a low or a high tone, in a voice of its own, int16."""
    hz = (300, 1200)[label] * (1.0 + 0.05 * speaker)
    tone = np.sin(2 * np.pi * hz * np.arange(CLIP) / RATE + random.uniform(0, 6))
    return np.int16(8000 * tone + 300 * random.standard_normal(CLIP))


def test_sound_is_split_by_speaker_and_the_front_end_travels_with_the_model(here):
    random = np.random.default_rng(0)
    spoken = [(i % 2, i // 12) for i in range(144)]
    clips = [clip(label, speaker % 4, random) for label, speaker in spoken]
    np.savez(
        here / "clips.npz",
        audio=np.concatenate(clips),
        offsets=np.arange(len(clips) + 1) * CLIP,
        label=np.array([label for label, _ in spoken]),
        speaker=np.array([speaker for _, speaker in spoken]),
        id=np.arange(len(clips)),
        labels=np.array(["low", "high"]),
        sample_rate=RATE,
    )
    done = build(
        here,
        "data.source=audio:clips.npz",
        "data.group=speaker",
        "data.audio.seconds=0.2",
        "data.audio.mels=12",
        "augment.shift=1",
        "distill.views=2",
        "teacher.model=dscnn1",
        "student.model=dscnn1",
        "gate.min_accuracy=0.7",
    )
    data = next(p.parent for p in (here / "artifacts" / "store").glob("*/id_test.npy"))
    speakers = {
        split: {spoken[int(i)][1] for i in np.load(data / f"id_{split}.npy")}
        for split in ("train", "validation", "calibration", "test")
    }
    judging = speakers["validation"] | speakers["test"]
    assert not speakers["validation"] & speakers["test"]
    assert not judging & (speakers["train"] | speakers["calibration"])
    facts = metadata.read(done.run / "models" / "small-fp32.onnx")
    assert facts["front_end"] == done.report.data.front_end
    assert facts["front_end"]["front_end"] == "log-mel"
    assert facts["front_end"]["sample_rate_hz"] == RATE
    assert facts["labels"] == ["low", "high"]
    assert json.loads((done.run / "models" / "front_end.json").read_text()) == facts["front_end"]


def test_a_folder_of_sound_files_is_taken_as_it_lies(here):
    random = np.random.default_rng(0)
    for i in range(40):
        path = here / "sounds" / ("low", "high")[i % 2] / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(clip(i % 2, 0, random).tobytes())
    data = until(here, "data", "data.source=audio:sounds", "data.audio.seconds=0.2").record
    assert sorted(data.labels) == ["high", "low"]
    assert sum(data.rows.values()) == 40
    assert data.layout == "hw"


# --- tables -----------------------------------------------------------------------------------


def test_windows_of_a_table_teach_a_convolution_over_time(here):
    random = np.random.default_rng(0)
    lines = ["subject,ax,ay,label"]
    for recording in range(24):
        label = ("rest", "walk")[recording % 2]
        time = np.arange(80)
        sway = np.sin(time * 0.8 + random.uniform(0, 6)) * (label == "walk")
        for a, b in zip(sway, random.standard_normal(80) * 0.3, strict=True):
            lines.append(f"{recording},{a + b:.4f},{b:.4f},{label}")
    (here / "sensors.csv").write_text("\n".join(lines))
    done = build(
        here,
        "data.source=table:sensors.csv",
        "data.table.window=16",
        "data.table.stride=8",
        "data.group=subject",
        "teacher.model=conv1d2",
        "teacher.width=8",
        "teacher.epochs=3",
        "student.model=conv1d1",
        "student.width=4",
        "distill.epochs=4",
        "augment.noise=0.1",
        "distill.views=2",
        "compress.variants=['int8-static']",
        "gate.min_accuracy=0.8",
    )
    data = done.report.data
    assert (data.layout, data.sample_shape) == ("tc", (16, 2))
    assert len(data.mean) == len(data.std) == 2
    facts = metadata.read(done.run / "models" / f"small-{done.report.verdict.ship}.onnx")
    assert facts["front_end"]["window"] == 16
    assert facts["front_end"]["columns"] == ["ax", "ay"]


def test_a_regression_is_judged_by_r2_in_its_own_units_and_keeps_it_in_int8(here):
    random = np.random.default_rng(0)
    x = random.standard_normal((300, 3))
    y = 20_000 + 3_000 * x[:, 0] - 2_000 * np.abs(x[:, 1]) + 100 * random.standard_normal(300)
    rows = [f"{a:.4f},{b:.4f},{c:.4f},{z:.2f}" for (a, b, c), z in zip(x, y, strict=True)]
    (here / "houses.csv").write_text("\n".join(["a,b,c,price", *rows]))
    done = build(
        here,
        "data.source=table:houses.csv",
        "data.task=regression",
        "data.target=['price']",
        "distill.losses={mse=1.0}",
        "teacher.epochs=20",
        "distill.epochs=20",
        "student.width=16",
        "compress.variants=['int8-static']",
        "gate.min_score=0.8",
    )
    quality = done.report.quality
    assert quality.metric == "R²"
    assert done.report.data.labels == ("price",)
    assert done.report.data.counts == {}
    assert abs(done.report.data.answer_mean[0] - y.mean()) < 1_000
    fp32, int8 = quality.variants
    assert 100 < fp32.metrics["RMSE"] < 3_000
    assert abs(int8.score.value - fp32.score.value) < 0.02
    # Numbers leave in float: int8's 256 levels would give far fewer than one a sample.
    answers = np.load(done.run / "records" / "answers" / "int8-static.npy")
    assert len(np.unique(answers)) > 0.9 * len(answers)
    assert quality.gain.difference.value is not None
    assert check(done.run).faults == ()
    (done.run / "records" / "golden.npz").rename(here / "golden.npz")
    golden = dict(np.load(here / "golden.npz"))
    golden["int8-static.onnx"] += 0.2 * np.ptp(golden["int8-static.onnx"])
    np.savez(done.run / "records" / "golden.npz", **golden)
    manifest = json.loads((done.run / "manifest.json").read_text())
    manifest["files"]["records/golden.npz"] = file_sha256(done.run / "records" / "golden.npz")
    (done.run / "manifest.json").write_text(json.dumps(manifest))
    (fault,) = check(done.run).faults
    assert fault.startswith("int8-static.onnx: outputs differ by")


def test_several_labels_a_sample_are_judged_by_map(here):
    random = np.random.default_rng(0)
    x = random.standard_normal((200, 6)).astype(np.float32)
    y = np.stack([x[:, 0] > 0.3, x[:, 1] + x[:, 2] > 0.0, x[:, 3] < -0.4], 1)
    np.savez(here / "data.npz", x=x, y=y.astype(np.uint8), labels=np.array(["wet", "hot", "far"]))
    done = build(
        here,
        "data.task=multi-label",
        "teacher.class_weights=true",
        "distill.losses={kd=1.0}",
        "gate.min_score=0.7",
        "gate.max_worst_class_drop=0.9",
    )
    quality = done.report.quality
    assert quality.metric == "mAP"
    assert done.report.data.labels == ("wet", "hot", "far")
    told = quality.variants[0].fidelity
    assert [one.name for one in told.classes] == ["wet", "hot", "far"]
    changed = np.load(done.run / "records" / "changed.npz")
    assert set(changed) == {"fp32/x", "fp32/rows"}
    assert len(changed["fp32/x"]) == len(told.changed.examples)


# --- vectors ----------------------------------------------------------------------------------


def test_vectors_of_an_onnx_file_are_learnt_without_any_label(here):
    x, _ = points()
    np.savez(here / "data.npz", x=x)
    random = np.random.default_rng(2)
    onnx_file(
        here / "encoder.onnx",
        random.standard_normal((6, 12)).astype(np.float32),
        random.standard_normal(12).astype(np.float32),
    )
    done = build(
        here,
        "data.task=embedding",
        "teacher.model=onnx:encoder.onnx",
        "student.width=16",
        "distill.losses={cosine=1.0}",
        "distill.epochs=20",
        "compress.variants=['int8-static']",
        "gate.min_score=0.9",
    )
    report = done.report
    assert report.plain_students == ()
    assert report.quality.gain is None
    assert report.quality.metric == "cosine"
    assert report.quality.teacher_score.value == pytest.approx(1.0)
    assert report.targets.outputs == report.students[0].outputs == 12
    assert report.data.labels == ()
    assert not (done.run / "models" / "labels.txt").exists()
    assert report.quality.variants[0].fidelity.figures["recall@1"].value > 0.5
    assert check(done.run).faults == ()


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_recorded_vectors_must_be_there_for_every_split_that_judges(here, missing):
    x, _ = points()
    np.savez(here / "data.npz", x=x, id=np.arange(len(x)))
    told = ("data.task=embedding", "distill.losses={cosine=1.0}", "teacher.model=logits:v.npz")
    kept = np.ones(len(x), bool)
    np.savez(here / "v.npz", id=np.arange(len(x)), logits=x)
    data = until(here, "data", *told).path
    kept[np.load(data / f"id_{missing}.npy").astype(int)] = False
    np.savez(here / "v.npz", id=np.flatnonzero(kept), logits=x[kept])
    with pytest.raises(ModelError, match=f"no recorded vectors of {missing}"):
        until(here, "teacher", *told)


# --- teachers that are known by their answers ---------------------------------------------------


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
    assert done.report.targets.answered == ()
    for figure in (
        quality.teacher_score,
        quality.variants[0].drop_vs_teacher,
        quality.variants[0].agreement_with_teacher,
    ):
        assert figure.value is None
        assert "not known" in figure.missing
    assert quality.variants[0].fidelity is None


# --- teachers that are modules ------------------------------------------------------------------


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
    with pytest.raises(ModelError, match=r"student\.model: cannot be loaded"):
        building.plan(recipe(here, "student.model=nowhere:make"), here / "artifacts")


# --- views and layers ---------------------------------------------------------------------------


def images(folder, number=96):
    """Small pictures with a bright left or right half."""
    random = np.random.default_rng(0)
    y = np.arange(number) % 2
    x = random.integers(0, 120, (number, 8, 8, 3))
    x[y == 0, :4] += 100
    x[y == 1, 4:] += 100
    np.savez(folder / "data.npz", x=x.astype(np.uint8), y=y)


PICTURES = (
    "teacher.model=resnet8", "teacher.width=6", "teacher.epochs=4", "student.model=resnet8",
    "student.width=4", "distill.epochs=6", "augment.crop=1", "augment.flip=true",
)  # fmt: skip


def test_each_view_of_a_picture_is_answered_once_and_stored(here):
    images(here)
    record = until(here, "targets", *PICTURES, "distill.views=3").record
    (stored,) = (here / "artifacts" / "store").glob("*/logits.npy")
    answers = np.load(stored)
    assert answers.shape == (3, record.rows, 2)
    assert (np.ptp(answers, axis=0).max(1) > 0).mean() > 0.9


def test_a_teacher_is_asked_about_augmented_pictures_at_every_step_and_looked_into(here):
    images(here)
    done = build(
        here,
        *PICTURES,
        "distill.views=0",
        "distill.layers=[{loss='attention', teacher='layer1', student='layer1'}]",
    )
    report = done.report
    assert report.quality.teacher.score.value > 0.9
    assert report.quality.variants[0].score.value > 0.8
    assert list((here / "artifacts" / "store").glob("*/logits.npy")) == []
    # Batch norm of the teacher is as the teacher's own training left it.
    digests = {file_sha256(p) for p in here.glob("artifacts/store/*/weights.safetensors")}
    assert report.teachers[0].weights_sha256 in digests


# --- teachers that have nothing to teach ---------------------------------------------------------


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
        edgestill.build(recipe(here, *kind(*fault())), artifacts=here / "artifacts", around=around)
    assert refusal.value.exit_code == 3
    assert entered == ["data", "teacher"]


def test_a_family_gives_no_vectors(here):
    np.savez(here / "data.npz", x=points()[0])
    with pytest.raises(ModelError, match="whose outputs are classes"):
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


def test_a_split_of_repeated_samples_alone_is_refused(here):
    x, y = points(60)
    parts = {"train": x, "test": x[:30] + 9, "validation": x[:30] + 9, "calibration": x[30:] - 9}
    arrays = {f"x_{split}": part for split, part in parts.items()}
    arrays |= {f"y_{split}": np.float32(y[: len(part)]) for split, part in parts.items()}
    np.savez(here / "data.npz", **arrays)
    with pytest.raises(DataError, match="no sample of validation that does not stand in another"):
        until(here, "data", "data.task=regression", "data.duplicates=drop")


def test_a_teacher_that_gives_every_sample_one_vector_is_refused(here):
    np.savez(here / "data.npz", x=points()[0])
    told = as_onnx(np.zeros((6, 12), np.float32), np.ones(12, np.float32))
    with pytest.raises(ModelError, match="same vector for every sample"):
        until(here, "teacher", "data.task=embedding", "distill.losses={cosine=1.0}", *told)
