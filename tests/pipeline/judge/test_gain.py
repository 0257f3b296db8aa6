"""What distillation gained over the same students trained on labels alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.judge import gain as judged
from edgestill.pipeline.judge import students
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.sampling import Sampling


class _Kept:
    """Students that each answer a share of test rightly."""

    def __init__(self, *shares):
        self.shares = shares

    def __iter__(self):
        seeds = range(len(self.shares))
        return iter([SimpleNamespace(record=SimpleNamespace(seed=seed)) for seed in seeds])

    def __len__(self):
        return len(self.shares)


@pytest.mark.parametrize("seeds", [1, 4])
def test_the_gain_of_distillation_is_above_0_where_the_teacher_helped(monkeypatch, seeds):
    labels = np.arange(400) % 2
    test = Arrays(np.zeros((400, 1)), labels)

    def answered(models, _test, _data, _answered):
        right = [np.arange(400) < round(400 * share) for share in models.shares]
        return [np.eye(2)[np.where(one, labels, 1 - labels)] for one in right]

    monkeypatch.setattr(students, "_outputs", answered)
    distilled, plain = _Kept(*[0.95, 0.94, 0.96, 0.95][:seeds]), _Kept(*[0.85] * seeds)
    inputs = SimpleNamespace(
        models=SimpleNamespace(students=distilled),
        plain=plain,
        labelled=(),
        data=SimpleNamespace(record=None),
    )
    gain = judged.gain_of(inputs, test, of("classification"), Sampling(0.99))
    assert gain.difference.value == pytest.approx(0.1)
    assert 0.05 < gain.difference.low < gain.difference.high < 0.15
    assert (gain.distilled_score[0], gain.plain_score[0]) == (0.95, 0.85)
    assert "95 %" in gain.difference.method


def test_each_student_answers_test_as_the_data_lays_it_out(monkeypatch):
    asked, data, test = [], object(), Arrays(np.ones((3, 2)), np.zeros(3))
    monkeypatch.setattr(students, "restored", lambda made, record: (made, record))
    monkeypatch.setattr(
        students,
        "outputs_of",
        lambda model, x, record: asked.append((model, x, record)) or len(asked),
    )
    assert students._outputs(["a", "b"], test, data) == [1, 2]
    assert [(model, record) for model, _, record in asked] == [
        (("a", data), data),
        (("b", data), data),
    ]
    assert all(x is test.x for _, x, _ in asked)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_distilled_and_the_plain_students_are_asked_by_their_own(monkeypatch, seeds):
    asked, record = [], object()
    labels = np.arange(40) % 2
    test = Arrays(np.zeros((40, 1)), labels)

    def answered(models, of, data, _answered):
        asked.append((models, of, data))
        return [np.eye(2)[labels]] * len(models)

    monkeypatch.setattr(students, "_outputs", answered)
    distilled, plain = _Kept(*[1.0] * seeds), _Kept(*[1.0] * seeds)
    inputs = SimpleNamespace(
        models=SimpleNamespace(students=distilled),
        plain=plain,
        labelled=(),
        data=SimpleNamespace(record=record),
    )
    gain = judged.gain_of(inputs, test, of("classification"), Sampling(0.99))
    assert asked == [(distilled, test, record), (plain, test, record)]
    assert gain.seeds == tuple(range(seeds))
    assert gain.distilled_score == gain.plain_score == (1.0,) * seeds
    assert gain.difference.value == 0.0


@pytest.mark.parametrize("seeds", [1, 3])
def test_what_unlabelled_samples_gave_is_over_the_student_of_labelled_ones_alone(
    monkeypatch, seeds
):
    labels = np.arange(400) % 2
    test = Arrays(np.zeros((400, 1)), labels)

    def answered(models, _test, _data, _answered):
        right = [np.arange(400) < round(400 * share) for share in models.shares]
        return [np.eye(2)[np.where(one, labels, 1 - labels)] for one in right]

    monkeypatch.setattr(students, "_outputs", answered)
    inputs = SimpleNamespace(
        models=SimpleNamespace(students=_Kept(*[0.95, 0.94, 0.96][:seeds])),
        plain=_Kept(*[0.75] * seeds),
        labelled=_Kept(*[0.80, 0.79, 0.81][:seeds]),
        data=SimpleNamespace(record=None),
    )
    gain = judged.gain_of(inputs, test, of("classification"), Sampling(0.99))
    assert gain.difference.value == pytest.approx(0.2)
    assert gain.labelled_score == (0.80, 0.79, 0.81)[:seeds]
    assert gain.by_unlabelled.value == pytest.approx(0.15)
    assert 0.1 < gain.by_unlabelled.low <= gain.by_unlabelled.high < 0.2
    # Paired by seed: each gained as much, so that the seeds' own spread is none of the interval's.
    assert (gain.by_unlabelled.high - gain.by_unlabelled.low < 1e-9) == (seeds == 3)
    assert "95 %" in gain.by_unlabelled.method


def test_without_that_student_nothing_is_said_of_unlabelled_samples(monkeypatch):
    monkeypatch.setattr(
        students, "_outputs", lambda models, *_: [np.eye(2)[[0, 1, 1]]] * len(models)
    )
    inputs = SimpleNamespace(
        models=SimpleNamespace(students=_Kept(1.0)),
        plain=_Kept(1.0),
        labelled=(),
        data=SimpleNamespace(record=None),
    )
    test = Arrays(np.zeros((3, 1)), np.array([0, 1, 1]))
    gain = judged.gain_of(inputs, test, of("classification"), Sampling(0.99))
    assert (gain.labelled_score, gain.by_unlabelled) == ((), None)
