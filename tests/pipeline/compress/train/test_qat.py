"""int8-qat: rounds where the runtime computes in int8, learns from the teacher, answers alike."""

import sys
from dataclasses import replace
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from edgestill.errors import HostError, UsageError
from edgestill.exporters import metadata as facts
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline import build
from edgestill.pipeline.compress.inputs import TunedInputs
from edgestill.pipeline.compress.method import Job
from edgestill.pipeline.compress.methods import METHODS
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.compress.train import contract, qat
from edgestill.pipeline.compress.train import stage as tuning
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
from edgestill.pipeline.models import example
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture, Teacher
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.compress import Compress, Qat
from edgestill.pipeline.recipe.distill import LayerPair, SoftLosses, SoftTargets, TeacherLayers
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.recipe.recipe import Recipe
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import SPLITS, Epoch
from rounding_models import SEVEN, calibrated, lived_in, record, samples
from sklearn.datasets import load_digits

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


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
    monkeypatch.setattr(tuning.training_operators, "check", lambda *_: None)
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
    assert made[0].effect.notes[0] == (
        "trained further for 1 epochs with int8 rounding; the weights before this training scored "
        "better on validation and are kept"
    )
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


def test_without_rounding_it_is_the_folded_student_in_float(distilled):
    student = teacher_answers.restored(distilled.student, distilled.data.record)
    model, x = ready(distilled), torch.from_numpy(split(distilled, "test").x[:8])
    plain = qat.without_rounding(model)
    with torch.no_grad():
        torch.testing.assert_close(plain(x), student(x), rtol=1e-4, atol=1e-4)
        assert not torch.allclose(model(x), student(x), rtol=1e-4, atol=1e-4)
    assert model.roundings()  # it is a copy


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


def test_the_stage_is_planned_only_where_the_recipe_names_it(tmp_path):
    recipe = load(tiny.write(tmp_path))
    named = load(tmp_path / "recipe.toml", ['compress.variants=["fp32", "int8-qat"]'])
    for asked, there in ((recipe, 0), (named, 1)):
        steps = [step.stage for step in build.plan(asked, tmp_path / "artifacts")]
        assert steps.count("tuned") == there
    with pytest.raises(UsageError, match="no variant for which the student is trained further, "):
        build.build(recipe, artifacts=tmp_path / "artifacts", until="tuned")


def test_every_tuned_variant_has_a_method_a_stage_and_a_part_of_the_recipe():
    assert tuning.METHODS.keys() == build.TUNED_VARIANTS.keys()
    assert all(part.model_fields for _, part in build.TUNED_VARIANTS.values())
    assert "torchao" in build.TUNED_VARIANTS["int8-qat"][0].libraries


def test_a_missing_torchao_is_answered_by_the_install_that_brings_it(monkeypatch, tmp_path):
    model, data = lived_in("conv1d3")
    monkeypatch.setitem(sys.modules, "torchao.quantization.pt2e.quantize_pt2e", None)
    with pytest.raises(HostError, match=r"torchao cannot be loaded .*edgestill\[qat\]"):
        qat.prepared(model, data, SEVEN)

    def version(name):
        if name == "torchao":
            raise metadata.PackageNotFoundError(name)
        return installed(name)  # It is cached, and later tests make keys of it.

    installed = metadata.version
    keys._version.cache_clear()
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
