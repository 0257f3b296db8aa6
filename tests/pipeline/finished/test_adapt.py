"""What an adaptation has from the run: the student, its samples, the budgets of the device."""

from pathlib import Path

import pytest
import report_example
from edgestill.errors import DataError
from edgestill.pipeline.finished.adapt import Start, holds_for_any
from edgestill.pipeline.judge.budgets import BUDGETS
from edgestill.pipeline.recipe.files import bundled, load


@pytest.fixture
def start():
    """A student of the digits, of which nothing is on disk."""
    own = load(bundled("digits"))
    return Start(Path("run"), report_example.report(), own, Path("student.safetensors"))


def test_budgets_of_the_device_hold_for_any_task_and_those_of_scores_do_not():
    kept = {key for key in BUDGETS if holds_for_any(key)}
    assert {"max_p50_ms", "max_size_kib", "max_arena_kib", "max_drop_vs_fp32"} <= kept
    assert not kept & {"min_score", "max_drop_vs_teacher", "min_agreement", "max_worst_class_drop"}
    assert not holds_for_any("min_accuracy")
    assert not holds_for_any("min_recall.cat")


def test_the_recipe_is_that_of_the_run_without_its_teacher_and_its_scores(start):
    made = start.recipe(None, ["data.source='npz:new.npz'", "distill.epochs=3"], seed=4)
    assert made.name == "digits-adapted"
    assert made.teacher.is_none
    assert (made.student.model, made.student.width) == ("resnet8", 8)
    assert made.student.weights == Path("student.safetensors").absolute()
    assert (made.seed, made.distill.epochs) == (4, 3)
    assert made.distill.learning_rate == start.own.distill.learning_rate
    assert made.data.mean == start.report.data.mean
    assert made.data.layout == start.report.data.layout
    assert set(made.gate.budgets()) == {
        "max_drop_vs_fp32", "max_p50_ms", "max_peak_memory_mib", "max_size_kib"
    }  # fmt: skip
    assert start.left_out() == ("min_accuracy", "max_drop_vs_teacher")


def test_sounds_of_another_rate_come_to_that_of_the_student(start):
    data = start.report.data.model_copy(update={"front_end": {"sample_rate_hz": 16000}})
    told = ["data.source='npz:new.npz'"]
    assert start.recipe(None, told).data.audio.sample_rate is None
    heard = Start(
        start.run, start.report.model_copy(update={"data": data}), start.own, start.weights
    )
    assert heard.recipe(None, told).data.audio.sample_rate == 16000


def test_a_file_of_keys_stands_over_the_run_and_overrides_over_both(start, tmp_path):
    more = tmp_path / "more.toml"
    more.write_text("[distill]\nepochs = 5\nbatch_size = 8\n[gate]\nmin_accuracy = 0.7\n")
    made = start.recipe(more, ["data.source='npz:new.npz'", "distill.epochs=6"])
    assert (made.distill.epochs, made.distill.batch_size) == (6, 8)
    assert made.gate.min_accuracy == 0.7
    assert made.gate.max_p50_ms == start.own.gate.max_p50_ms


def test_another_task_has_none_of_the_keys_of_classes(start):
    own = start.own
    smooth = own.model_copy(
        update={"distill": own.distill.model_copy(update={"label_smoothing": 0.1})}
    )
    start = Start(start.run, start.report, smooth, start.weights)
    source = ["data.source='npz:new.npz'"]
    assert start.recipe(None, source).distill.label_smoothing == 0.1
    assert start.recipe(None, source, task="regression").distill.label_smoothing == 0.0


def test_other_samples_are_refused_with_both(start):
    own = start.report.data
    start.check(own)
    with pytest.raises(DataError, match="layout tc") as caught:
        start.check(own.model_copy(update={"layout": "tc"}))
    assert "the student of digits takes" in caught.value.expected
    with pytest.raises(DataError, match="9 token ids"):
        start.check(own.model_copy(update={"vocabulary": 9}))
    with pytest.raises(DataError, match="16000"):
        start.check(own.model_copy(update={"front_end": {"sample_rate": 16000}}))
