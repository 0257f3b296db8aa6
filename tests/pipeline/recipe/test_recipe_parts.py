"""The sections of a recipe, each by itself."""

import re

import pytest
from edgestill.pipeline.recipe import loss_names, task_names
from edgestill.pipeline.recipe.architecture import Student, Teacher
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.benchmark import Benchmark
from edgestill.pipeline.recipe.compress import Compress
from edgestill.pipeline.recipe.distill import Distill
from edgestill.pipeline.recipe.export import Export
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.recipe.model_names import PATH_KINDS, TEACHER_FORMS, TEACHER_KINDS
from edgestill.pipeline.recipe.part import Part
from edgestill.pipeline.recipe.recipe import Recipe
from edgestill.pipeline.recipe.training import Schedule
from pydantic import ValidationError


@pytest.mark.parametrize("part", [Augment, Benchmark, Compress, Distill, Export, Schedule])
def test_every_section_but_the_required_ones_has_defaults_and_is_frozen(part):
    section = part()
    assert isinstance(section, Part)
    name = next(iter(part.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(section, name, getattr(section, name))


def test_a_path_is_no_ingredient_and_a_name_is_one():
    assert "device" not in Benchmark(device="board.toml").ingredients()
    assert Teacher(model="onnx:/models/big.onnx").ingredients()["model"] == "onnx"
    assert Teacher(model="timm:resnet18").ingredients()["model"] == "timm:resnet18"
    assert "weights" not in Teacher(model="mlp2").ingredients()


def test_a_base_part_has_its_own_keys_only():
    assert set(Distill(epochs=3).only(Schedule).ingredients()) == set(Schedule.model_fields)


def test_every_kind_of_teacher_is_offered_in_the_description_of_the_key():
    assert len(TEACHER_FORMS) == len(TEACHER_KINDS)
    description = Teacher.model_fields["model"].description
    assert all(form in description for form in TEACHER_FORMS)
    assert {"onnx", "logits", "hf"} == PATH_KINDS


def test_a_student_is_no_file():
    assert Student(model="resnet8").width == 8
    with pytest.raises(ValidationError, match="a family and a depth in one name"):
        Student(model="onnx:big.onnx")


def test_a_gate_without_a_budget_is_refused():
    assert Gate(max_size_kib=10.0).budgets() == {"max_size_kib": 10.0}
    with pytest.raises(ValidationError, match="at least one budget"):
        Gate()


def test_the_app_takes_formats_that_are_known_each_once():
    gate = Gate(max_size_kib=10.0, runtimes=("litert", "onnx"))
    assert gate.runtimes == ("litert", "onnx")
    assert gate.budgets() == {"max_size_kib": 10.0}
    with pytest.raises(ValidationError, match=r"any of onnx, .*did you mean 'litert'"):
        Gate(max_size_kib=10.0, runtimes=("lite-rt",))
    for wrong in ((), ("onnx", "onnx")):
        with pytest.raises(ValidationError, match="each once"):
            Gate(max_size_kib=10.0, runtimes=wrong)


def test_the_app_takes_formats_that_are_exported():
    tree = {"name": "a", "data": {"source": "digits"}, "teacher": {"model": "resnet20"}}
    tree |= {"student": {"model": "resnet8"}, "export": {"formats": ("onnx", "litert")}}
    gate = {"max_size_kib": 10.0}
    assert Recipe(**tree, gate=gate | {"runtimes": ("litert",)}).gate.runtimes == ("litert",)
    with pytest.raises(ValidationError, match=r"gate\.runtimes, which names openvino"):
        Recipe(**tree, gate=gate | {"runtimes": ("litert", "openvino")})


def test_the_nearest_task_is_suggested():
    assert task_names.known_task("regression") == "regression"
    with pytest.raises(ValueError, match="did you mean 'regression'"):
        task_names.known_task("regresion")


def test_views_vary_if_anything_is_set():
    assert not Augment().varies
    assert Augment(flip=True).varies


def test_the_nearest_loss_is_suggested_and_a_function_of_the_users_is_a_loss():
    assert loss_names.known_layer_loss("my_module:my_loss") == "my_module:my_loss"
    with pytest.raises(ValueError, match="kd"):
        loss_names.known_soft_loss("kdd")


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        (("normalize", "softmaks"), "did you mean 'softmax' by 'softmaks'?"),
        (("normalise",), "did you mean 'normalize' by 'normalise'?"),
        (("normalize", "tea"), "not 'tea'"),
        (("softmax",), "'normalize' first, for every model normalizes by itself"),
        ((), "'normalize' first"),
        (("normalize", "softmax", "sigmoid"), "then 'softmax' or 'sigmoid' or nothing"),
        (("normalize", "normalize"), "'normalize' first"),
        (("normalize", "front-end"), "no split keeps what they were"),
    ],
)
def test_what_stands_inside_is_known_and_true(inside, says):
    with pytest.raises(ValidationError, match=re.escape(says)):
        Export(inside=inside)


def test_what_stands_behind_the_logits_is_read_from_what_stands_inside():
    assert Export().activation is None
    assert Export(inside=("normalize", "softmax")).activation == "softmax"
    assert Export(inside=("normalize", "sigmoid")).activation == "sigmoid"


@pytest.mark.parametrize(
    ("formats", "variants", "fits"),
    [
        (("onnx", "litert"), ("fp32", "int8-static"), True),
        (("onnx", "litert"), ("int8-qat",), True),
        (("onnx", "ort"), ("int8-static",), False),
        (("onnx", "litert"), ("int8-dynamic",), False),
    ],
)
def test_integers_at_both_ends_are_about_static_int8_files_of_litert(formats, variants, fits):
    tree = {
        "name": "m",
        "data": {"source": "digits"},
        "teacher": {"model": "mlp1"},
        "student": {"model": "mlp1"},
        "gate": {"min_accuracy": 0.5},
        "compress": {"variants": variants},
        "export": {"formats": formats, "litert_io": "int8"},
    }
    if fits:
        assert Recipe.model_validate(tree).export.litert_io == "int8"
        return
    with pytest.raises(ValidationError, match="is about no other files"):
        Recipe.model_validate(tree)
