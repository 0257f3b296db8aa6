"""What static int8 takes of the distilled and of the plain students."""

from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.pipeline.judge.int8_drops import int8_drops
from edgestill.pipeline.judge.quality import Running
from edgestill.pipeline.records import Int8PlainRecord, Int8Student
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.sampling import Sampling
from onnx import TensorProto, helper
from onnx_files import save

N = 200
TRUTH = np.arange(N) % 4
X = np.eye(4, dtype=np.float32)[TRUTH]
X[::10] = X[::10][:, [1, 0, 2, 3]] + 0.5 * np.eye(4, dtype=np.float32)[TRUTH[::10]]
"""Of each tenth sample in classes 0 and 1 the truth is the second choice."""
RIGHT = np.eye(4, dtype=np.float32)
BLIND = np.diag([1.0, 1.0, 1.0, -1.0]).astype(np.float32)
"""It never answers the last class."""


def saved(folder, name, weight):
    ends = [("input", TensorProto.FLOAT, ["n", 4])], [("logits", TensorProto.FLOAT, ["n", 4])]
    save(folder / name, [helper.make_node("MatMul", ["input", "w"], ["logits"])], *ends,
         [("w", weight)])  # fmt: skip


def made(record, path=None):
    return SimpleNamespace(record=record, path=path)


def found(tmp_path, weights, best=0, groups=None, gives=None):
    """The drops of students by (distilled, seed): weights in fp32 and in int8."""
    students = []
    for (distilled, seed), (fp32, int8) in weights.items():
        if (distilled, seed) == (True, best):
            continue
        names = f"{distilled}-{seed}-a.onnx", f"{distilled}-{seed}-b.onnx"
        for name, weight in zip(names, (fp32, int8), strict=True):
            saved(tmp_path, name, weight)
        students.append(Int8Student(distilled=distilled, seed=seed, fp32=names[0], int8=names[1]))
    seeds = [seed for distilled, seed in weights if distilled]
    inputs = SimpleNamespace(
        int8_plain=made(Int8PlainRecord(students=tuple(students)), tmp_path),
        variants=made(SimpleNamespace(student=SimpleNamespace(seed=best))),
        models=SimpleNamespace(students=[made(SimpleNamespace(seed=seed)) for seed in seeds]),
    )
    own = weights[True, best]
    answers = {"fp32": X @ own[0], "int8-static": X @ own[1]}
    # The folder of the variants is another than that of the plain students.
    running = Running(tmp_path / "variants", X, 8, 1, precise=False, probabilities=gives)
    task = of("classification")
    return int8_drops(inputs, running, answers, TRUTH, task, Sampling(0.999, groups))


def test_without_files_of_plain_students_there_is_nothing_to_say():
    inputs = SimpleNamespace(int8_plain=None)
    assert int8_drops(inputs, None, {}, TRUTH, of("classification"), Sampling(0.99)) is None


def test_one_seed_is_paired_over_test_samples(tmp_path):
    drops = found(tmp_path, {(True, 0): (RIGHT, BLIND), (False, 0): (RIGHT, RIGHT)})
    lost = ((X @ RIGHT).argmax(1) == TRUTH).mean() - ((X @ BLIND).argmax(1) == TRUTH).mean()
    assert lost > 0.2
    assert drops.distilled_drop == (pytest.approx(lost),)
    assert drops.plain_drop == (0.0,)
    changed = ((X @ RIGHT).argmax(1) != (X @ BLIND).argmax(1)).sum()
    assert (drops.distilled_changed, drops.plain_changed) == ((changed,), (0,))
    assert drops.difference.value == pytest.approx(lost)
    assert 0.0 < drops.difference.low < lost < drops.difference.high
    # The finding has a confidence of its own, not that of the verdict.
    assert (drops.difference.n, "95 %" in drops.difference.method) == (N, True)


def test_groups_of_test_are_what_is_counted(tmp_path):
    weights = {(True, 0): (RIGHT, BLIND), (False, 0): (RIGHT, RIGHT)}
    drops = found(tmp_path, weights, groups=np.arange(N) // 10)
    assert drops.difference.n == 20


def test_several_seeds_are_paired_by_seed_whichever_of_them_is_the_best(tmp_path):
    weights = {
        (True, 0): (RIGHT, RIGHT),
        (True, 1): (RIGHT, BLIND),
        (True, 2): (RIGHT, BLIND),
        (False, 0): (RIGHT, RIGHT),
        (False, 1): (RIGHT, RIGHT),
        (False, 2): (RIGHT, BLIND),
    }
    drops = found(tmp_path, weights, best=1)
    lost = max(drops.distilled_drop)
    assert drops.seeds == (0, 1, 2)
    assert drops.distilled_drop == (0.0, lost, lost)
    assert drops.plain_drop == (0.0, 0.0, lost)
    assert drops.difference.value == pytest.approx(lost / 3)
    assert (drops.difference.n, "over seeds" in drops.difference.method) == (3, True)


def test_files_of_plain_students_give_logits_where_those_that_ship_give_probabilities(tmp_path):
    weights = {(True, 0): (RIGHT, RIGHT), (False, 0): (RIGHT, BLIND)}
    logits = found(tmp_path, weights)
    gives = of("classification").probabilities
    assert found(tmp_path, weights, gives=gives) == logits
    assert logits.plain_drop[0] > 0.2
