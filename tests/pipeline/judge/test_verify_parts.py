"""Parts of the verify stage: what a file is held against, and what is kept of its answers."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import report_example
import torch
from edgestill.devices.onboard.settings import Session
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline import tasks
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.judge import verify
from edgestill.pipeline.judge.quality import Running

TEST = Arrays(np.arange(12, dtype=np.float32).reshape(6, 2), np.arange(6) % 2)


def made(record, path=None):
    return SimpleNamespace(record=record, path=path)


def variant(name, **changes):
    given = {"name": name, "method": name, "in_onnx": True, "file": f"{name}.bin"}
    return SimpleNamespace(**{**given, **changes})


@pytest.fixture
def inputs(monkeypatch):
    """Inputs of the stage; what parity is asked to compare is its answer."""
    for name in ("with_module", "with_tuned", "in_other_runtime"):
        monkeypatch.setattr(
            verify.parity, name, lambda *of, name=name, **how: (name, *of, *how.items())
        )
    monkeypatch.setattr(verify, "ensemble", lambda *of: of)
    tuned = tuple(made(SimpleNamespace(method=name)) for name in ("qat", "prune"))
    models = SimpleNamespace(
        students=(made("other"), made("best"), made("worst")),
        teachers=SimpleNamespace(models=("t", "u"), shares=(0.25, 0.75)),
        tuned=tuned,
    )
    record = SimpleNamespace(
        student="best", plan=SimpleNamespace(precise="as on the target"), activation=None
    )
    data = SimpleNamespace(task="classification")
    return SimpleNamespace(
        variants=made(record, Path("files")), models=models, data=made(data), batch=5
    )


def test_a_file_is_held_against_the_torch_model_that_it_was_made_of(inputs):
    def held(name, **changes):
        return verify._parity(variant(name, **changes), inputs, TEST)

    data = inputs.data.record
    teachers = (("t", "u"), (0.25, 0.75), data)
    assert held("teacher") == ("with_module", Path("files/teacher.bin"), teachers, TEST)
    student = ((inputs.models.students[1],), (1.0,), data)
    assert held("fp32") == ("with_module", Path("files/fp32.bin"), student, TEST)
    assert held("fp32@x", method="fp32", in_onnx=False) == (
        "in_other_runtime", Path("files/fp32@x.bin"), student, TEST, 5,
    )  # fmt: skip
    for at, name in enumerate(("qat", "prune")):
        assert held(name) == (
            "with_tuned", Path(f"files/{name}.bin"), inputs.models.tuned[at],
            ("precise", "as on the target"), ("gives", None),
        )  # fmt: skip
    assert held("int8-static") == ()


def test_a_file_that_gives_probabilities_is_held_against_those_of_its_model(inputs, monkeypatch):
    monkeypatch.setattr(verify, "ensemble", lambda *_: torch.nn.Identity())
    inputs.variants.record.activation = "softmax"
    _, _, module, _ = verify._parity(variant("fp32"), inputs, TEST)
    torch.testing.assert_close(module(torch.zeros(1, 2)), torch.full((1, 2), 0.5))
    *_, gives = verify._parity(variant("qat"), inputs, TEST)
    assert gives == ("gives", tasks.of("classification").probabilities)


@pytest.mark.parametrize(
    ("exported", "changed", "alone"),
    [(True, 0, True), (True, 3, False), (False, 0, False), (False, 3, False)],
)
@pytest.mark.parametrize("precise", [True, False])
def test_a_file_is_asked_as_it_runs_and_alone_where_it_is_in_float(
    monkeypatch, exported, changed, alone, precise
):
    monkeypatch.setattr(verify, "steadiness", lambda *of, **how: (*of, how))
    running = Running(Path("files"), TEST.x, 4, 2, precise)
    path, feed, session, how = verify._steadiness(
        variant("m", changed_nodes=changed), running, TEST.x[:3], exported=exported
    )
    assert (path, list(feed), session) == (Path("files/m.bin"), ["input"], Session(precise=precise))
    np.testing.assert_array_equal(feed["input"], TEST.x[:3])
    assert how == {"alone": alone, "batch": 4}


@pytest.mark.parametrize("task", ["multi-label", "embedding"])
def test_of_tasks_without_one_class_a_sample_only_the_samples_are_kept(tmp_path, task):
    changed = SimpleNamespace(examples=[SimpleNamespace(sample=row) for row in (4, 1)])
    qualities = [
        SimpleNamespace(name="none", fidelity=None),
        SimpleNamespace(name="alike", fidelity=SimpleNamespace(task=task, changed=None)),
        SimpleNamespace(name="int8", fidelity=SimpleNamespace(task=task, changed=changed)),
    ]
    verify._save_changed(tmp_path, TEST, qualities)
    with np.load(tmp_path / verify.CHANGED) as stored:
        assert set(stored) == {"int8/x", "int8/rows"}
        assert stored["int8/rows"].tolist() == [4, 1]
        np.testing.assert_array_equal(stored["int8/x"], TEST.x[[4, 1]])


def test_classes_are_kept_in_their_columns(tmp_path):
    example = SimpleNamespace(sample=3, truth=[1], reference=[0], answer=[2])
    other = SimpleNamespace(sample=0, truth=[4], reference=[5], answer=[6])
    fidelity = SimpleNamespace(
        task="classification", changed=SimpleNamespace(examples=[example, other])
    )
    verify._save_changed(tmp_path, TEST, [SimpleNamespace(name="m", fidelity=fidelity)])
    with np.load(tmp_path / verify.CHANGED) as stored:
        columns = {name: stored[f"m/{name}"].tolist() for name in ("truth", "teacher", "student")}
        assert {stored[f"m/{name}"].dtype for name in (*columns, "rows")} == {np.dtype(np.int64)}
    assert columns == {"truth": [1, 4], "teacher": [0, 5], "student": [2, 6]}


def test_a_score_is_told_to_four_digits_or_as_unknown():
    assert verify._text(Estimate.unknown("no answers")) == "unknown"
    assert verify._text(Estimate.exact(0.12345, "t")) == "0.1235"


def test_classes_without_a_sample_of_test_are_named_by_their_place():
    data = report_example.report().data.model_copy(update={"labels": ("a", "b", "c", "d")})
    task = verify.tasks.of("multi-label")
    truth = np.array([[1, 0, 1, 0], [0, 0, 1, 0]])
    assert verify._left_out(task, truth, data) == ("b", "d")
