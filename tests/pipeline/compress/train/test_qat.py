"""int8-qat: rounds where the runtime computes in int8, learns from the teacher, answers alike."""

import sys
from collections import Counter
from dataclasses import replace
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny
import torch
from edgestill.errors import HostError, NoEffectError, UsageError
from edgestill.exporters import metadata as facts
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline import build
from edgestill.pipeline.compress.inputs import TunedInputs
from edgestill.pipeline.compress.int8.saturation import saturable
from edgestill.pipeline.compress.method import Job
from edgestill.pipeline.compress.methods import METHODS
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.compress.train import contract, qat
from edgestill.pipeline.compress.train import stage as tuning
from edgestill.pipeline.compress.train.rounding_sensitivity import largest_change, propagates
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.distill import loop, student, targets, teacher, teacher_answers
from edgestill.pipeline.distill.batches import Batches
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.distill.inputs import (
    Distillation,
    Samples,
    StudentInputs,
    TargetsInputs,
    TeacherInputs,
    Teachers,
    Training,
)
from edgestill.pipeline.distill.loop import TrainingSetup, evaluate, fit, new_view_each_epoch
from edgestill.pipeline.engine import keys
from edgestill.pipeline.judge import parity
from edgestill.pipeline.judge.answers import REFERENCE, logits
from edgestill.pipeline.models import deployed, example, parameters
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture, Teacher
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.compress import Compress, Qat
from edgestill.pipeline.recipe.distill import LayerPair, SoftLosses, SoftTargets, TeacherLayers
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.recipe.recipe import Recipe
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import SPLITS, DataRecord, Epoch
from onnx import numpy_helper
from sklearn.datasets import load_digits
from torch import nn

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


def record(shape, layout, dtype="float32", **more):
    return DataRecord(
        source="test", task="classification", labels=tuple("abcdefghij"), sample_shape=shape,
        layout=layout, dtype=dtype, mean=(0.5,), std=(2.0,), rows={}, counts={}, dropped=0,
        notes=(), fingerprint="", **more,
    )  # fmt: skip


KINDS = {
    "resnet8": (record((12, 12, 3), "hwc"), 16),
    "mobilenet3": (record((12, 12, 3), "hwc"), 8),
    "conv1d3": (record((40, 6), "tc"), 16),
    "transformer1": (record((24,), "tokens", "int32", vocabulary=50), 64),
}


def samples(data, count, seed=0):
    rng = np.random.default_rng(seed)
    if data.layout != "tokens":
        return rng.normal(size=(count, *data.sample_shape)).astype(np.float32)
    ids = rng.integers(1, data.vocabulary, (count, *data.sample_shape)).astype(np.int32)
    lengths = rng.integers(1, data.sample_shape[0] + 1, (count, 1))
    return np.where(np.arange(data.sample_shape[0]) < lengths, ids, data.pad).astype(np.int32)


def lived_in(name):
    """A model whose batch norms have seen data, and one of whose channels is dead."""
    data, width = KINDS[name]
    torch.manual_seed(0)
    model = deployed(Architecture(model=name, width=width), data)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.eps = 0.1
        nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    with torch.no_grad():
        for norm in norms[:1]:
            norm.weight[0], norm.bias[0] = 0.0, 2.0
    return model.eval(), data


SEVEN = plan(Compress(types="u8s8", reduce_range="always"))


def calibrated(model, data, how=SEVEN):
    found = qat.prepared(model, data, how)
    qat.calibrate(found, [samples(data, 32, seed) for seed in range(3)])
    return found


@torch.no_grad()
def answers_without_rounding(model, data):
    """What a captured model answers in float, to one sample, which may be shorter, and to five."""
    for rounding in model.roundings():
        rounding.disable_fake_quant()
    batches = [torch.from_numpy(samples(data, count)) for count in (1, 5)]
    if data.layout == "tokens":
        batches[0] = batches[0][:, :8]
    found = [(x, model(x)) for x in batches]
    for rounding in model.roundings():
        rounding.enable_fake_quant()
    return found


@pytest.fixture(scope="module", params=KINDS)
def quantized(request, tmp_path_factory):
    """A small model with 7-bit weights as a torch module, a file, and the file as it runs."""
    model, data = lived_in(request.param)
    path = tmp_path_factory.mktemp("qat") / "model.onnx"
    rounding = calibrated(model, data)
    unrounded = answers_without_rounding(rounding, data)
    reference = qat.converted(rounding)
    qat.write(reference, data, path, opset=20)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path.with_name("runs.onnx"))
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return SimpleNamespace(
        name=request.param, data=data, model=model, reference=reference, path=path,
        file=onnx.load(path),
        unrounded=unrounded,
        runs=Counter(n.op_type for n in onnx.load(path.with_name("runs.onnx")).graph.node),
    )  # fmt: skip


# --- where it rounds ----------------------------------------------------------------------------


def test_every_layer_is_computed_in_int8(quantized):
    kinds = [type(module) for module in quantized.model.modules()]
    convolutions = sum(kind in (nn.Conv1d, nn.Conv2d) for kind in kinds)
    assert quantized.runs["QLinearConv"] == convolutions
    assert quantized.runs["QGemm"] == 1, "the last layer"
    within = kinds.count(nn.Linear) - 1
    assert quantized.runs["MatMulIntegerToFloat"] + quantized.runs["QLinearMatMul"] == within + (
        2 if quantized.name == "transformer1" else 0
    ), "scores and mix of attention are products too"
    assert not {"Conv", "Gemm", "MatMul"} & set(quantized.runs)


def test_every_sum_of_a_residual_network_is_computed_in_int8(quantized):
    sums = {"resnet8": 3, "mobilenet3": 1, "conv1d3": 3, "transformer1": 0}
    assert quantized.runs["QLinearAdd"] == sums[quantized.name]
    if quantized.name != "transformer1":
        assert quantized.runs["Add"] == 1, "the normalization's"


def test_no_activation_is_left_beside_the_layer_it_belongs_to(quantized):
    assert not {"Relu", "Clip"} & set(quantized.runs) or quantized.name == "transformer1"


def producers(graph):
    return {name: node for node in graph.node for name in node.output}


def test_input_and_logits_stay_in_float(quantized):
    graph = quantized.file.graph
    made_by = producers(graph)
    assert made_by[graph.output[0].name].op_type == "Gemm"
    reached = {graph.input[0].name}
    for node in graph.node:
        if reached & set(node.input) and node.op_type in ("Cast", "Mul", "Add", "Transpose"):
            reached |= set(node.output)
    readers = {n.op_type for n in graph.node if reached & set(n.input)}
    if quantized.data.layout != "tokens":
        assert "QuantizeLinear" in readers
        rounded = {name for n in graph.node if n.op_type == "QuantizeLinear" for name in n.input}
        assert len(rounded & reached) == 1, "rounded once, in front of the first layer"


def test_what_feeds_a_softmax_is_not_rounded(quantized):
    made_by = producers(quantized.file.graph)
    softmax = [n for n in quantized.file.graph.node if n.op_type == "Softmax"]
    assert len(softmax) == (quantized.name == "transformer1")
    for node in softmax:
        scores = made_by[node.input[0]]
        assert scores.op_type == "Add"
        assert "MatMul" in {made_by[name].op_type for name in scores.input if name in made_by}


def test_weights_are_stored_in_seven_bits_with_a_scale_a_channel_and_biases_in_32(quantized):
    stored = {t.name: numpy_helper.to_array(t) for t in quantized.file.graph.initializer}
    kept = [n for n in quantized.file.graph.node if n.op_type == "DequantizeLinear"]
    kept = [(stored[n.input[0]], stored[n.input[1]]) for n in kept if n.input[0] in stored]
    weights = [(w, scale) for w, scale in kept if w.dtype == np.int8]
    others = [(w.dtype.name, w.ndim) for w, _ in kept if w.dtype != np.int8]
    tables = [("uint8", 2)] if quantized.name == "transformer1" else []
    assert sorted(others, reverse=True) == tables + [("int32", 1)] * (len(others) - len(tables))
    layers = (nn.Conv1d, nn.Conv2d, nn.Linear)
    assert len(weights) == sum(isinstance(m, layers) for m in quantized.model.modules())
    for weight, scale in weights:
        assert np.abs(weight.astype(int)).max() == 63
        assert scale.shape == weight.shape[:1]
    floats = [
        name for name, t in stored.items() if t.ndim > 1 and t.size > 128 and t.dtype == np.float32
    ]
    assert len(floats) == len(tables), "positions alone stay in float, beside a table"


def test_a_file_is_about_a_third_of_what_its_weights_take_in_float(quantized):
    if quantized.name == "resnet8":
        assert quantized.path.stat().st_size < 0.36 * 4 * parameters(quantized.model)


def test_without_rounding_the_captured_model_answers_as_the_student_whatever_its_batch(quantized):
    for x, found in quantized.unrounded:
        with torch.no_grad():
            torch.testing.assert_close(found, quantized.model(x), rtol=1e-4, atol=1e-4)


def test_the_units_of_a_regression_stay_in_float():
    data = record((6,), "table").model_copy(
        update={"task": "regression", "labels": ("a",), "answer_mean": (4.0,), "answer_std": (3.0,)}
    )
    model = deployed(Architecture(model="mlp1", width=8), data).eval()
    graph = qat.prepared(model, data, SEVEN).net.graph
    (end,) = next(n for n in graph.nodes if n.op == "output").args[0]
    kinds = []
    while len(kinds) < 3:
        kinds.append(end.target)
        end = end.args[0]
    aten = torch.ops.aten
    assert kinds == [aten.add.Tensor, aten.mul.Tensor, aten.linear.default]


def test_a_model_without_layers_is_refused_before_it_is_trained():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(6))

        def forward(self, x):
            return (x * self.factor).tanh()

    model = Deployed(Scaled(), "table", (0.0,), (1.0,))
    with pytest.raises(NoEffectError, match="no layer of Scaled that can be quantized"):
        qat.prepared(model, record((6,), "table"), SEVEN)


# --- what the target takes ----------------------------------------------------------------------

PLANS = {
    "u8s8, pairs fit": plan(Compress(types="u8s8")).model_copy(
        update={"pairs_fit": True, "precise": False}
    ),
    "u8s8": plan(Compress(target="x86-vnni")).model_copy(update={"precise": True}),
    "s8s8": plan(Compress(target="raspberry-pi-5")).model_copy(update={"precise": True}),
    "u8u8": plan(Compress(types="u8u8")),
}


@pytest.fixture(scope="module", params=PLANS)
def planned(request, tmp_path_factory):
    """A network of pointwise and depthwise convolutions and a sum, as each target takes it."""
    how = PLANS[request.param]
    model, data = lived_in("mobilenet3")
    path = tmp_path_factory.mktemp("planned") / "model.onnx"
    reference = qat.converted(calibrated(model, data, how))
    qat.write(reference, data, path, opset=20)
    return SimpleNamespace(name=request.param, how=how, reference=reference, path=path, data=data)


def test_types_and_bits_are_those_of_the_plan(planned):
    graph = onnx.load(planned.path).graph
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    whole = {"u8": "uint8", "s8": "int8"}
    rounded = [n for n in graph.node if n.op_type == "QuantizeLinear"]
    assert {stored[n.input[2]].dtype.name for n in rounded} == {whole[planned.how.activations]}
    kept = [n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in stored]
    weights = [stored[n.input[0]] for n in kept if stored[n.input[0]].ndim > 1]
    assert len(weights) == 12
    assert {w.dtype.name for w in weights} == {whole[planned.how.weights]}
    middle = 0 if planned.how.weights == "s8" else 127
    assert max(np.abs(w.astype(int) - middle).max() for w in weights) >= 127


def test_it_answers_alike_in_the_mode_that_the_plan_names(planned):
    x = samples(planned.data, 64, seed=9)
    with torch.no_grad():
        expected = planned.reference(torch.from_numpy(x)).numpy()
    for optimization in ("none", "all"):
        found = logits(
            planned.path, x, batch=64, optimization=optimization, precise=planned.how.precise
        )
        assert np.abs(found - expected).max() <= np.ptp(expected) / 255


def test_where_pairs_are_to_fit_none_saturates_and_channels_keep_more_than_seven_bits(planned):
    file = onnx.load(planned.path)
    count = sum(one.pairs for one in saturable(file))
    assert bool(count) == (planned.how.weights == "s8" and not planned.how.pairs_fit)
    if not planned.how.pairs_fit:
        return
    stored = {t.name: numpy_helper.to_array(t) for t in file.graph.initializer}
    weights = [w for w in stored.values() if w.ndim > 1 and w.dtype == np.int8]
    largest = [np.abs(w.astype(int)).reshape(len(w), -1).max(1) for w in weights]
    assert sum((channel > 64).sum() for channel in largest) > 0.8 * sum(map(len, largest))
    depthwise = [most for w, most in zip(weights, largest, strict=True) if w.shape[1:] == (1, 3, 3)]
    assert len(depthwise) == 3
    assert all((most[most > 0] == 127).all() for most in depthwise), "it pairs none"


# --- parity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("optimization", ["none", "all"])
def test_the_file_answers_as_the_torch_model_within_one_step(quantized, batch, optimization):
    x = samples(quantized.data, 64, seed=9)
    with torch.no_grad():
        expected = quantized.reference(torch.from_numpy(x)).numpy()
        before = quantized.model(torch.from_numpy(x)).numpy()
    found = logits(quantized.path, x, batch=batch, optimization=optimization)
    assert np.abs(found - expected).max() <= np.ptp(expected) / 255
    assert 0 < np.abs(found - before).max() < 0.2 * np.ptp(before), "rounded, and not ruined"


def test_a_model_moves_as_the_file_does_by_less_than_a_step_where_it_has_no_attention(quantized):
    x = torch.from_numpy(samples(quantized.data, 64, seed=9))
    with torch.no_grad():
        step = np.ptp(quantized.reference(x).numpy()) / 255
    assert propagates(quantized.reference.net) == (quantized.name == "transformer1")
    found = largest_change(quantized.reference.net, x)
    assert found == largest_change(quantized.reference.net, x)
    assert 0 < found <= step * (1 if quantized.name != "transformer1" else 5)


def test_without_rounding_a_model_moves_by_no_more_than_its_arithmetic():
    torch.manual_seed(0)
    net = torch.fx.symbolic_trace(nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)))
    graph = torch.export.export(net, (torch.randn(64, 16),)).module()
    x = torch.randn(64, 16)
    assert 0 < largest_change(graph, x) < 1e-5


def test_a_file_may_differ_by_a_step_or_by_what_its_torch_model_moves(trained):
    for moves, expected in ((0.0, None), (5.0, 5.0)):
        record = trained.record.model_copy(update={"moves": moves})
        made = SimpleNamespace(path=trained.path, record=record)
        found = parity.with_tuned(trained.path / contract.FILE, made, precise=False)
        step = np.ptp(np.load(trained.path / REFERENCE)["logits"]) / 255
        (tolerance,) = {parity.tolerance for parity in found}
        assert tolerance == pytest.approx(expected or step)
        assert all(parity.holds for parity in found)
    assert trained.record.moves == 0.0, "a convolutional network is held to one step"


# --- training -----------------------------------------------------------------------------------

LEARNT = Schedule(epochs=10, batch_size=32, learning_rate=0.02)


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    """A student of a teacher, on a few handwritten digits, one thread."""
    folder = tmp_path_factory.mktemp("digits")
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8).astype(np.float32)
    bounds = dict(zip(SPLITS, ((0, 800), (800, 1000), (1000, 1200), (1200, 1797)), strict=True))
    (folder / "data").mkdir()
    for split, (start, end) in bounds.items():
        np.save(folder / "data" / f"x_{split}.npy", x[start:end])
        np.save(folder / "data" / f"y_{split}.npy", y[start:end])
    rows = {split: end - start for split, (start, end) in bounds.items()}
    told = record((8, 8), "hw").model_copy(update={"mean": (5.0,), "std": (6.0,), "rows": rows})
    data = SimpleNamespace(path=folder / "data", record=told)

    def made(name, function, inputs):
        out, work = folder / name, folder / f"work-{name}"
        out.mkdir()
        work.mkdir()
        return SimpleNamespace(path=out, record=function(out, Silent(), inputs, work))

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    samples = Samples(data, Augment(), 0)
    part = Teacher(model="resnet8", width=8, epochs=6, batch_size=32, learning_rate=0.01)
    model = made("teacher", teacher.make_teacher, TeacherInputs(part, None, samples))
    teachers = Teachers((model,), (1.0,))
    inputs = TargetsInputs(teachers, SoftTargets(), samples)
    stored = made("targets", targets.make_targets, inputs)
    training = Training(samples, LEARNT, Distillation(SoftLosses(), stored))
    inputs = StudentInputs(Architecture(model="resnet8", width=4), None, training, 0)
    best = made("student", student.train_student, inputs)
    torch.set_num_threads(threads)
    return SimpleNamespace(
        folder=folder,
        data=data,
        teachers=teachers,
        targets=stored,
        student=best,
        training=training,
    )


def tuned(distilled, name, *, settings=None, students=None, **distillation):
    """The tuned stage, run; ``distillation`` replaces fields of the student's."""
    out, work = distilled.folder / name, distilled.folder / f"work-{name}"
    out.mkdir()
    work.mkdir(exist_ok=True)
    changed = replace(distilled.training.distillation, **distillation)
    inputs = TunedInputs(
        plan=plan(Compress(reduce_range="always")),
        opset=20,
        students=students or (distilled.student,),
        training=replace(distilled.training, distillation=changed),
        method="int8-qat",
        settings=settings or Qat(qat_epochs=3, qat_learning_rate=0.002),
    )
    return SimpleNamespace(path=out, record=tuning.tune(out, Silent(), inputs, work))


@pytest.fixture(scope="module")
def trained(distilled):
    were = torch.get_num_threads()
    torch.set_num_threads(1)
    found = tuned(distilled, "tuned")
    torch.set_num_threads(were)
    return found


def split(distilled, name):
    return Arrays(*(np.load(distilled.data.path / f"{part}_{name}.npy") for part in "xy"))


def test_training_on_lowers_the_loss_that_rounding_costs(distilled, trained):
    curve = trained.record.curve
    assert [epoch.epoch for epoch in curve] == [1, 2, 3]
    rounded = ready(distilled)
    with student.open_training(rounded, distilled.training, 0) as setup, torch.no_grad():
        rows = setup.batches.order(LEARNT.batch_size, 0, 0)
        batches = [setup.batches(some, setup.view_of(0)) for some in rows]
        before = np.mean([setup.loss(rounded(one.x), one).item() for one in batches])
    assert curve[-1].loss < before


def test_trained_on_a_student_is_as_good_as_quantized_afterwards(distilled, trained, tmp_path):
    data, test = distilled.data.record, split(distilled, "test")
    export(
        teacher_answers.restored(distilled.student, data),
        example(data),
        tmp_path / "m.onnx",
        opset=20,
    )
    shown = {INPUT: split(distilled, "calibration").x}
    how = plan(Compress(reduce_range="always"))
    METHODS["int8-static"](
        Job(
            tmp_path / "m.onnx", tmp_path / "q.onnx", shown, how, "minmax", 99.99, lambda *_: 0, 0.0
        )
    )
    static, own = (
        (logits(path, test.x, batch=64).argmax(1) == test.y).mean()
        for path in (tmp_path / "q.onnx", trained.path / contract.FILE)
    )
    assert own > 0.85
    assert own >= static - 0.01


def test_the_biases_that_folding_batch_norm_makes_are_trained_too(distilled):
    model = ready(distilled)
    model.train()
    model(torch.from_numpy(split(distilled, "calibration").x)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_record_scores_the_torch_model_that_the_file_was_made_of(distilled, trained):
    validation = split(distilled, "validation")
    found = logits(trained.path / contract.FILE, validation.x, batch=50)
    right = float((found.argmax(1) == validation.y).mean())
    assert abs(trained.record.validation_score - right) <= 0.01
    assert trained.record.score_before == distilled.student.record.validation_score
    kept = np.load(trained.path / REFERENCE)
    again = logits(trained.path / contract.FILE, kept["x"], batch=64)
    assert np.abs(again - kept["logits"]).max() <= np.ptp(kept["logits"]) / 255
    assert trained.record.changed_nodes > 20
    assert trained.record.notes[1:] == plan(Compress(reduce_range="always")).why


def test_the_best_student_is_trained_on_by_the_teachers_answers(distilled, monkeypatch):
    seen = {}

    def method(given):
        seen["state"] = given.model.state_dict()
        with given.open_training(given.model, LEARNT) as setup:
            batch = setup.batches(np.arange(8), setup.view_of(3))
            outputs = torch.zeros(8, 10)
            seen["loss"] = setup.loss(outputs, batch).item()
            seen["hard"] = hard_labels(distilled.data.record, LEARNT)(outputs, batch).item()
        raise KeyboardInterrupt

    monkeypatch.setitem(tuning.METHODS, "int8-qat", method)
    worse = distilled.student.record.model_copy(update={"validation_score": 0.0})
    with pytest.raises(KeyboardInterrupt):
        tuned(distilled, "seen", students=(SimpleNamespace(record=worse), distilled.student))
    kept = teacher_answers.restored(distilled.student, distilled.data.record).state_dict()
    assert all(torch.equal(kept[key], value) for key, value in seen["state"].items())
    assert abs(seen["loss"] - seen["hard"]) > 0.01


def test_a_teacher_that_is_asked_meanwhile_keeps_its_statistics(distilled, monkeypatch):
    teachers = []

    def kept(*given):
        teachers.append(restored(*given))
        return teachers[-1]

    restored = teacher_answers.restored
    monkeypatch.setattr(student, "restored", kept)
    monkeypatch.setattr(tuning.qat, "write", lambda _, __, path, **___: path.write_bytes(b""))
    monkeypatch.setattr(tuning.qat, "changed", lambda *_: 1)
    none = distilled.targets.record.model_copy(update={"views": 0})
    asked = SimpleNamespace(path=distilled.targets.path, record=none)
    once = Qat(qat_epochs=1)
    pairs = (("layer2", "layer2"), ("layer1", "conv1"))
    between = TeacherLayers(
        layers=tuple(LayerPair(loss="similarity", teacher=by, student=one) for by, one in pairs)
    )
    found = tuned(
        distilled, "asked", settings=once, targets=asked, teachers=distilled.teachers,
        layers=between,
    )  # fmt: skip
    assert found.record.notes[-1] == tuning.ABSENT.format(layers="'conv1'")
    (one, *_), (made,) = teachers, distilled.teachers.models
    before = restored(made, distilled.data.record).state_dict()
    assert any(key.endswith("running_mean") for key in before)
    assert all(torch.equal(before[key], value) for key, value in one.state_dict().items())


def test_losses_between_layers_go_on_while_it_rounds(distilled, monkeypatch):
    """The batch norm behind a layer is folded, and a rounding stands behind each block."""
    weights = {}

    def method(given):
        model = qat.prepared(given.model, distilled.data.record, SEVEN)
        qat.calibrate(model, [split(distilled, "calibration").x])
        plain = [str(node) for node in model.net.graph.nodes]
        with given.open_training(model, LEARNT) as setup:
            batch = setup.batches(np.arange(8), setup.view_of(0))
            model.train()
            setup.loss(model(batch.x), batch).backward()
            weights["with"] = [one.grad.clone() for one in model.parameters()]
            fit(model, setup, progress=Silent(), what="", work=None)
        assert [str(node) for node in model.net.graph.nodes] == plain
        raise KeyboardInterrupt

    monkeypatch.setitem(tuning.METHODS, "int8-qat", method)
    none = distilled.targets.record.model_copy(update={"views": 0})
    asked = {"targets": SimpleNamespace(path=distilled.targets.path, record=none)}
    asked["teachers"] = distilled.teachers
    for name, weight in (("heavy", 1e6), ("light", 1e-6)):
        layer = LayerPair(loss="attention", teacher="layer2.0", student="layer2.0", weight=weight)
        with pytest.raises(KeyboardInterrupt):
            tuned(distilled, name, layers=TeacherLayers(layers=(layer,)), **asked)
        weights[name] = weights.pop("with")
    # Behind the block that is compared only the answers teach; before it the block does as well.
    first, last = ((weights["heavy"][i] - weights["light"][i]).abs().max() for i in (0, -1))
    assert first > 1.0
    assert last < 1e-3


def test_where_training_on_makes_it_worse_the_calibrated_student_is_kept(distilled, monkeypatch):
    def spoilt(model, setup, **_):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        worst = Epoch(epoch=1, loss=9.0, validation_loss=9.0, validation_score=0.1, seconds=0.0)
        return loop.Fitted((worst,), worst)

    def method(given):
        made.append(qat.train(given))
        raise KeyboardInterrupt

    made = []
    monkeypatch.setattr(qat, "fit", spoilt)
    monkeypatch.setattr(qat, "write", lambda *_, **__: None)
    monkeypatch.setattr(qat, "changed", lambda *_: 1)
    monkeypatch.setitem(tuning.METHODS, "int8-qat", method)
    with pytest.raises(KeyboardInterrupt):
        tuned(distilled, "spoilt")
    assert "without it was better on validation" in made[0].effect.notes[0]
    _, score = evaluate(made[0].reference, split(distilled, "validation"), distilled.data.record)
    assert score > 0.85


def setup_of(distilled, epochs=2):
    data = distilled.data.record
    schedule = Schedule(epochs=epochs, batch_size=80, learning_rate=0.002)
    batches = Batches(data, split(distilled, "train"), Augment(), 0)
    loss = hard_labels(data, schedule)
    return TrainingSetup(
        batches, split(distilled, "validation"), data, schedule, loss, new_view_each_epoch, 0
    )


def ready(distilled):
    model = teacher_answers.restored(distilled.student, distilled.data.record)
    found = qat.prepared(model, distilled.data.record, SEVEN)
    qat.calibrate(found, [split(distilled, "calibration").x])
    return found


class Killed(Silent):
    """A progress that ends the training behind a step."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def steps(self, what, total):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def advance(self, detail=""):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def test_training_repeats_and_goes_on_bit_for_bit(distilled, tmp_path, monkeypatch):
    whole, killed = ready(distilled), ready(distilled)
    fit(whole, setup_of(distilled), progress=Silent(), what="a model")
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        fit(killed, setup_of(distilled), progress=Killed(13), what="a model", work=tmp_path)
    again = ready(distilled)
    fit(again, setup_of(distilled), progress=Killed(1000), what="a model", work=tmp_path)
    assert all(
        torch.equal(value, again.state_dict()[key]) for key, value in whole.state_dict().items()
    )


def test_ranges_follow_training_and_stand_still_while_it_is_judged(distilled):
    model = ready(distilled)

    def ranges():
        return [rounding.scale.clone() for rounding in model.running()]

    x = 9.0 * torch.from_numpy(split(distilled, "train").x[:32])
    before = ranges()
    model.eval()(x)
    assert all(map(torch.equal, ranges(), before))
    model.train()(x)
    assert not any(map(torch.equal, ranges(), before))


def test_dropout_drops_in_training_alone():
    model, data = lived_in("transformer1")
    found, x = calibrated(model, data), torch.from_numpy(samples(data, 4))
    with torch.no_grad():
        assert torch.equal(found.eval()(x), found(x))
        found.train()
        for rounding in found.running():
            rounding.disable_observer()
        assert not torch.equal(found(x), found(x))
        assert torch.equal(found.eval()(x), found(x))


# --- its place ----------------------------------------------------------------------------------


def test_the_stage_is_walked_only_where_the_recipe_names_it(tmp_path):
    recipe = load(tiny.write(tmp_path))
    named = load(tmp_path / "recipe.toml", ['compress.variants=["fp32", "int8-qat"]'])
    for asked, there in ((recipe, 0), (named, 1)):
        steps = [step.stage for step in build.plan(asked, tmp_path / "artifacts")]
        assert steps.count("tuned") == there
    with pytest.raises(UsageError, match="no variant that is trained on"):
        build.build(recipe, artifacts=tmp_path / "artifacts", until="tuned")


def test_every_tuned_variant_has_a_method_a_stage_and_a_part_of_the_recipe():
    assert tuning.METHODS.keys() == build.TUNED.keys()
    assert all(part.model_fields for _, part in build.TUNED.values())
    assert "torchao" in build.TUNED["int8-qat"][0].libraries


def test_a_missing_torchao_is_answered_by_the_install_that_brings_it(monkeypatch, tmp_path):
    model, data = lived_in("conv1d3")
    monkeypatch.setitem(sys.modules, "torchao.quantization.pt2e.quantize_pt2e", None)
    with pytest.raises(HostError, match=r"torchao cannot be loaded .*edgestill\[qat\]"):
        qat.prepared(model, data, SEVEN)

    def version(name):
        if name == "torchao":
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(keys.metadata, "version", version)
    named = load(tiny.write(tmp_path), ['compress.variants=["int8-qat"]'])
    with pytest.raises(
        HostError, match=r"torchao is not installed.*pip install 'edgestill\[qat\]'"
    ):
        build.plan(named, tmp_path / "artifacts")


def test_a_build_ships_it_as_a_variant_that_is_held_against_its_torch_model(tmp_path):
    recipe = tiny.write(tmp_path)
    told = ['compress.variants=["int8-qat"]', "compress.qat_epochs=2"]
    made = build.build(recipe, artifacts=tmp_path / "art", overrides=told, until="verify")
    assert made.ran.count("tuned") == 1
    quality = made.stopped.record.variants[1]
    assert quality.name == "int8-qat"
    assert {(p.batch, p.optimization) for p in quality.parity} >= {(1, "none"), (64, "all")}
    assert all(parity.holds for parity in quality.parity)
    assert 0 < quality.parity[0].tolerance < 1
    again = build.build(recipe, artifacts=tmp_path / "art", overrides=told, until="variants")
    assert again.ran == ()
    variants = again.stopped
    (trained,) = variants.record.tuned
    assert len(trained.curve) == 2
    file = variants.path / "int8-qat.onnx"
    assert facts.read(file)["variant"] == "int8-qat"
    x = np.load(next((tmp_path / "art/store").glob("*/x_test.npy")))[:9]
    np.testing.assert_allclose(
        logits(file.with_suffix(".ort"), x, batch=3), logits(file, x, batch=3), atol=1e-5
    )


def test_a_recipe_says_how_it_is_trained_on():
    schedule = qat._schedule(LEARNT.model_copy(update={"ema": 0.9, "precision": "bf16"}), Qat())
    assert (schedule.epochs, schedule.learning_rate) == (5, LEARNT.learning_rate / 50)
    assert (schedule.ema, schedule.precision) == (0.0, "fp32")
    assert qat._schedule(LEARNT, Qat(qat_learning_rate=0.5)).learning_rate == 0.5
    assert "int8-qat" not in Recipe.model_fields["compress"].default_factory().variants
