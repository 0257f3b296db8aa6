"""Recorded answers that are probabilities, or a class with the confidence in it."""

import importlib

import numpy as np
import pytest
from edgestill.errors import DataError
from edgestill.pipeline.tasks.probabilities import sigmoid, softmax
from edgestill.pipeline.teachers import recorded, recorded_csv, recorded_forms

IDS = {"train": np.array([f"s{i}" for i in range(6)]), "test": np.array(["t0", "t1"])}
ALL = np.concatenate(list(IDS.values()))
P = np.random.default_rng(0).dirichlet(np.ones(3), len(ALL)).astype(np.float32)
NAMES = ("cat", "dog", "owl")
CLASSES = np.array(["dog", "cat", "owl", "dog", "dog", "cat", "owl", "owl"])
SURE = np.array([0.9, 0.5, 1.0, 0.34, 0.8, 0.7, 0.6, 0.99])


def npz(folder, ids=ALL, **arrays):
    np.savez(folder / "a.npz", id=ids, **arrays)
    return folder / "a.npz"


def csv(folder, *columns, name="a.csv"):
    """A file with a header; a column is its name and its values."""
    mark = "\t" if name.endswith("tsv") else ","
    rows = zip(*(values for _, values in columns), strict=True)
    lines = [mark.join(map(str, row)) for row in ([title for title, _ in columns], *rows)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def parquet(folder, **columns):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    importlib.import_module("pyarrow.parquet").write_table(
        arrow.table(columns), folder / "a.parquet"
    )
    return folder / "a.parquet"


def probabilities(path, of=softmax, outputs=3, labels=NAMES, **more):
    """What the recorded answers to train and to test say, after the way to logits and back."""
    found = recorded.open(path, IDS, outputs, labels=labels, **more)
    assert found.logits("train").dtype == np.float32
    return found, of(np.concatenate([found.logits("train"), found.logits("test")]))


def spread(classes=CLASSES, sure=SURE):
    rest = (1.0 - sure) / 2
    answers = np.repeat(rest[:, None], 3, axis=1)
    answers[np.arange(len(classes)), [NAMES.index(one) for one in classes]] = sure
    return answers


def test_probabilities_that_are_called_so_become_logits_that_give_them(tmp_path):
    order = np.random.default_rng(1).permutation(len(ALL))
    found, p = probabilities(npz(tmp_path, ALL[order], probabilities=P[order]))
    np.testing.assert_allclose(p, P, atol=1e-6)
    assert found.notes == ()
    np.testing.assert_array_equal(found.logits("train", slice(2, 4)), found.logits("train")[2:4])
    # A probability of 0 is a logit that half precision holds.
    _, p = probabilities(npz(tmp_path, probabilities=np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]))
    assert p.max() > 0.999999


def test_rounded_probabilities_add_up_to_1_again(tmp_path):
    _, p = probabilities(npz(tmp_path, probabilities=np.full((8, 3), 0.33)))
    np.testing.assert_allclose(p, 1 / 3, atol=1e-7)


def test_logits_whose_rows_all_add_up_to_1_are_taken_for_probabilities_with_a_note(tmp_path):
    found, p = probabilities(npz(tmp_path, logits=P))
    np.testing.assert_allclose(p, P, atol=1e-6)
    assert found.notes == ("a.npz: gives probabilities p; log(p) is taken for its logits",)
    almost = P.copy()
    almost[7] *= 2
    found = recorded.open(npz(tmp_path, logits=almost), IDS, 3, labels=NAMES)
    np.testing.assert_array_equal(found.logits("train"), almost[:6])


def test_numbers_of_several_labels_are_probabilities_unless_they_are_called_logits(tmp_path):
    q = np.random.default_rng(2).uniform(0.05, 0.95, (8, 3)).astype(np.float32)
    of = {"of": sigmoid, "task": "multi-label"}
    for path, notes in (
        (npz(tmp_path, probabilities=q), 0),
        (csv(tmp_path, ("id", ALL), *zip(NAMES, q.T.tolist(), strict=True)), 2),
    ):
        found, p = probabilities(path, **of)
        np.testing.assert_allclose(p, q, atol=1e-6)
        assert len(found.notes) == notes
    found = recorded.open(npz(tmp_path, logits=q), IDS, 3, task="multi-label")
    np.testing.assert_array_equal(found.logits("train"), q[:6])


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_columns_of_a_text_file_come_in_the_order_of_the_classes(suffix, tmp_path):
    columns = [("owl", P[:, 2].tolist()), ("id", ALL), ("cat", P[:, 0].tolist())]
    columns += [("note", ["x"] * 8), ("dog", P[:, 1].tolist())]
    found, p = probabilities(csv(tmp_path, *columns, name=f"a.{suffix}"))
    np.testing.assert_allclose(p, P, atol=1e-6)
    assert "in this order: 'cat', 'dog', 'owl'" in found.notes[0]
    found = recorded.open(tmp_path / f"a.{suffix}", IDS, 3, labels=("x", "y", "z"))
    np.testing.assert_allclose(softmax(found.logits("train")), P[:6, [2, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("form", ["npz", "csv", "parquet", "numbers"])
def test_a_class_with_its_confidence_is_a_distribution(form, tmp_path):
    numbers = [NAMES.index(one) for one in CLASSES]
    path = {
        "npz": lambda: npz(tmp_path, label=CLASSES, confidence=SURE),
        "csv": lambda: csv(tmp_path, ("id", ALL), ("label", CLASSES), ("confidence", SURE)),
        "parquet": lambda: parquet(
            tmp_path, id=ALL.tolist(), label=CLASSES.tolist(), confidence=SURE.tolist()
        ),
        "numbers": lambda: csv(tmp_path, ("confidence", SURE), ("label", numbers), ("id", ALL)),
    }[form]()
    _, p = probabilities(path)
    np.testing.assert_allclose(p, spread(), atol=2e-6)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_without_a_class_or_a_confidence_are_no_answers(form, tmp_path):
    known, numbers = list(CLASSES), list(SURE)
    known[6], numbers[7] = "", ""
    path = csv(tmp_path, ("id", ALL), ("label", known), ("confidence", numbers))
    if form == "parquet":
        known[6] = numbers[7] = None
        path = parquet(tmp_path, id=ALL.tolist(), label=known, confidence=numbers)
    found = recorded.open(path, IDS, 3, labels=NAMES)
    assert found.logits("test") is None
    np.testing.assert_allclose(softmax(found.logits("train")), spread()[:6], atol=2e-6)
    path = npz(tmp_path, label=np.where(ALL == "s0", "", CLASSES), confidence=SURE)
    with pytest.raises(DataError, match=r"no logits for 1 of 6 samples of train \('s0'\)"):
        recorded.open(path, IDS, 3, labels=NAMES)


def lists(folder):
    return parquet(folder, id=ALL.tolist(), probabilities=P.tolist())


def test_parquet_holds_probabilities_as_lists(tmp_path):
    found, p = probabilities(lists(tmp_path))
    np.testing.assert_allclose(p, P, atol=1e-6)
    assert found.notes == ()


def with_one(value, at=2):
    changed = P.copy()
    changed[at] = value
    return changed


@pytest.mark.parametrize(
    ("arrays", "more", "says"),
    [
        ({"probabilities": with_one([0.9, 0.9, 0.9])}, {}, r"0\.9 for .s2., expected .* to 1"),
        ({"probabilities": with_one([-0.1, 0.6, 0.5])}, {}, "-0.1, 0.6, 0.5 for 's2'"),
        (
            {"probabilities": with_one([0.1, 1.2, 0.5])},
            {"task": "multi-label"},
            r"1\.2, 0\.5 for 's2', expected probabilities from 0 to 1;",
        ),
        ({"probabilities": P}, {"task": "regression"}, "probabilities for the task 'regression'"),
        ({"label": CLASSES}, {}, "expected 'id' and 'logits'"),
        ({"label": np.array(["cow"] * 8), "confidence": SURE}, {}, "the class 'cow' for 's0'"),
        ({"label": np.array(["Dog"] * 8), "confidence": SURE}, {}, "did you mean 'dog'?"),
        ({"label": np.full(8, 3), "confidence": SURE}, {}, "the class '3' for 's0'"),
        ({"label": CLASSES, "confidence": SURE / 3}, {}, r"a confidence of 0\.3 in 'dog' for 's0'"),
        ({"label": CLASSES, "confidence": SURE * 2}, {}, r"a confidence of 1\.8 in 'dog'"),
        ({"label": CLASSES, "confidence": SURE[:3]}, {}, "8 ids, labels of shape"),
        ({"label": CLASSES, "confidence": CLASSES}, {}, "confidences of type <U3"),
        ({"label": CLASSES, "confidence": SURE}, {"labels": ()}, "for data without classes"),
    ],
)  # fmt: skip
def test_what_is_no_probability_and_no_class_is_refused(arrays, more, says, tmp_path):
    path = npz(tmp_path, **arrays)
    with pytest.raises(DataError, match=says):
        recorded.open(path, IDS, 3, **{"labels": NAMES, **more}).logits("train")


def test_a_text_file_without_ids_or_answers_is_refused(tmp_path):
    for columns in ([("label", CLASSES), ("confidence", SURE)], [("id", ALL), ("label", CLASSES)]):
        with pytest.raises(DataError, match="expected 'id', and a column of numbers"):
            recorded.open(csv(tmp_path, *columns), IDS, 3, labels=NAMES)


def test_columns_with_the_names_of_the_classes_go_before_a_class_and_its_confidence(tmp_path):
    columns = [("id", ALL), ("label", CLASSES), ("confidence", SURE)]
    path = csv(tmp_path, *columns, *zip(NAMES, P.T.tolist(), strict=True))
    read = recorded_csv.read(path, tmp_path, NAMES)
    assert (read.columns, read.form) == (NAMES, "numbers")
    np.testing.assert_allclose(read.answers, P, atol=1e-6)


def test_one_number_of_a_class_is_its_place(tmp_path):
    read = recorded_forms.spread(
        np.array([1.0, 0.0]), np.array([0.8, 0.6]), ("no", "yes"), np.array(["a", "b"]), "a.csv"
    )
    np.testing.assert_allclose(read.answers, [[0.2, 0.8], [0.6, 0.4]], atol=1e-6)
    assert (read.form, read.ids.tolist()) == ("probabilities", ["a", "b"])
    # Where the classes are numbers, those are their names.
    read = recorded_forms.spread(
        np.array([1, 2]), np.array([0.8, 0.6]), ("2", "1"), np.array(["a", "b"]), "a.csv"
    )
    np.testing.assert_allclose(read.answers, [[0.2, 0.8], [0.6, 0.4]], atol=1e-6)
