"""What distillation gained over the same students trained on labels alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.judge import verify
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

    def answered(models, _test, _data):
        right = [np.arange(400) < round(400 * share) for share in models.shares]
        return [np.eye(2)[np.where(one, labels, 1 - labels)] for one in right]

    monkeypatch.setattr(verify, "_outputs", answered)
    distilled, plain = _Kept(*[0.95, 0.94, 0.96, 0.95][:seeds]), _Kept(*[0.85] * seeds)
    inputs = SimpleNamespace(
        models=SimpleNamespace(students=distilled),
        plain=plain,
        data=SimpleNamespace(record=None),
    )
    gain = verify._gain(inputs, test, of("classification"), Sampling(0.99))
    assert gain.difference.value == pytest.approx(0.1)
    assert 0.05 < gain.difference.low < gain.difference.high < 0.15
    assert (gain.distilled_score[0], gain.plain_score[0]) == (0.95, 0.85)
    assert "95 %" in gain.difference.method
