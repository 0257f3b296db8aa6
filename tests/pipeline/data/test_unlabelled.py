"""Samples without a label: found in every kind of source, used in train alone, counted."""

import numpy as np
import pytest
from edgestill.errors import DataError
from edgestill.pipeline.data.arrays import open_split, open_with_unlabelled
from edgestill.pipeline.data.examine import look
from edgestill.pipeline.data.inputs import DataInputs
from edgestill.pipeline.data.prepare import prepare
from edgestill.pipeline.data.unlabelled import joined
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import Data, TextForm
from edgestill.pipeline.records import SPLITS

LABELS = {
    "classes": (lambda y: y % 3, -1, {}),
    "classes as floats": (lambda y: (y % 3).astype(float), np.nan, {}),
    "names": (lambda y: np.array(["a", "b", "c"])[y % 3], "", {}),
    "numbers": (lambda y: y.astype(float), np.nan, {"task": "regression"}),
    "pairs of numbers": (
        lambda y: np.stack([y, -y], 1).astype(float), np.nan, {"task": "regression"}
    ),
    "several labels": (
        lambda y: np.stack([y % 2, y % 3 == 0], 1).astype(float), np.nan, {"task": "multi-label"}
    ),
    "several labels, -1": (
        lambda y: np.stack([y % 2, y % 3 == 0], 1).astype(int), -1, {"task": "multi-label"}
    ),
}  # fmt: skip


def written(folder, name="d.npz", **arrays):
    np.savez(folder / name, **arrays)
    return f"npz:{folder / name}"


def numbered(count, first=0):
    """Samples whose first column is their own number."""
    x = np.random.default_rng(first).normal(size=(count, 4)).astype(np.float32)
    x[:, 0] = np.arange(first, first + count)
    return x


def prepared(folder, **part):
    out = folder / "out"
    out.mkdir()
    return out, prepare(out, Silent(), DataInputs(Data(**part), "", None, 0))


@pytest.mark.parametrize("kind", LABELS)
def test_rows_without_a_label_are_last_in_train_and_nowhere_else(kind, tmp_path):
    make, absent, part = LABELS[kind]
    y = make(np.arange(300))
    rows = np.arange(300) % 4 != 0
    y[~rows] = absent
    source = written(tmp_path, x=numbered(300), y=y)
    out, record = prepared(tmp_path, source=source, **part)
    assert record.unlabelled == 75
    assert sum(record.rows.values()) == 225
    assert record.rows == look(Data(source=source, **part), 0).rows
    assert any("of train 75 samples without a label" in note for note in record.notes)
    for split in SPLITS:
        known = open_split(out, split)
        assert len(known.x) == len(known.y) == record.rows[split]
        assert rows[known.x[:, 0].astype(int)].all()
    every = open_with_unlabelled(out)
    assert set(every.x[record.rows["train"] :, 0].astype(int)) == set(np.flatnonzero(~rows))
    if record.counts:
        assert record.labels in {("0", "1", "2"), ("a", "b", "c"), ("0", "1")}
        assert np.isfinite(open_split(out, "train").y).all()


def test_minus_one_beside_one_other_number_is_a_class(tmp_path):
    y = np.where(np.arange(100) % 2, 1, -1)
    with pytest.raises(DataError, match=r"labels = \[\"-1\", \"1\"\]"):
        prepared(tmp_path, source=written(tmp_path, x=numbered(100), y=y))


@pytest.mark.parametrize("column", [False, True])
def test_minus_one_beside_one_number_is_a_class_in_a_column_too(column, tmp_path):
    y = np.where(np.arange(100) % 2, 1, -1)
    y = y[:, None] if column else y
    source = written(tmp_path, x=numbered(100), y=y)
    _, record = prepared(tmp_path, source=source, labels=("-1", "1"))
    assert (record.labels, record.unlabelled) == (("-1", "1"), 0)
    with pytest.raises(DataError, match=r"labels = ..-1., .1.."):
        look(Data(source=source), 0)


def test_an_empty_text_is_no_class_beside_one_name(tmp_path):
    y = np.where(np.arange(100) % 2, "cat", "")
    with pytest.raises(DataError, match="found one class"):
        prepared(tmp_path, source=written(tmp_path, x=numbered(100), y=y))


def test_a_train_split_needs_labels(tmp_path):
    arrays = {"x_train": numbered(40), "y_train": np.full(40, np.nan)}
    arrays |= {"x_test": numbered(20, 100), "y_test": np.arange(20.0)}
    with pytest.raises(DataError, match="a train split without one label"):
        prepared(tmp_path, source=written(tmp_path, **arrays), task="regression")


def test_a_plan_reads_no_large_file_of_unlabelled_samples(tmp_path, monkeypatch):
    source = written(tmp_path, x=numbered(60), y=np.arange(60) % 2)
    more = written(tmp_path, "more.npz", x=numbered(6000, 1000))
    monkeypatch.setattr("edgestill.pipeline.data.examine.MOST_BYTES", 50_000)
    assert look(Data(source=source), 0) is not None
    assert look(Data(source=source, unlabelled=more), 0) is None


def test_minus_one_is_a_class_where_the_recipe_names_it(tmp_path):
    y = np.arange(150) % 3 - 1
    source = written(tmp_path, x=numbered(150), y=y)
    _, record = prepared(tmp_path, source=source, labels=("-1", "0", "1"))
    assert (record.unlabelled, sum(record.rows.values())) == (0, 150)


@pytest.mark.parametrize("split", ["test", "validation", "calibration"])
def test_a_ready_split_that_judges_needs_labels(split, tmp_path):
    arrays = {}
    for name in ("train", "validation", "calibration", "test"):
        y = np.arange(40) % 4
        y[7] = -1 if name in (split, "train") else 0
        arrays |= {f"x_{name}": numbered(40, 100 * len(arrays)), f"y_{name}": y}
    with pytest.raises(DataError, match=rf"1 samples of {split} without a label \(first: row 7\)"):
        prepared(tmp_path, source=written(tmp_path, **arrays))


def test_a_message_counts_the_rows_of_the_source(tmp_path):
    y = (np.arange(100) % 3).astype(float)
    y[:10], y[50] = np.nan, 1.5
    with pytest.raises(DataError, match=r"label 1\.5 in row 50"):
        prepared(tmp_path, source=written(tmp_path, x=numbered(100), y=y))


def test_unlabelled_samples_of_a_group_that_judges_are_left_out(tmp_path):
    group = np.arange(400) % 20
    classes = np.where(np.arange(400) < 200, (np.arange(400) // 20) % 3, -1)
    out, record = prepared(
        tmp_path, source=written(tmp_path, x=numbered(400), y=classes, group=group)
    )
    used = open_with_unlabelled(out).x[record.rows["train"] :, 0].astype(int)
    judging = {*record.groups["test"], *record.groups["validation"]}
    assert record.unlabelled == len(used) == 200 - 10 * len(judging)
    assert not judging & {str(name) for name in group[used]}
    assert any("left out without a label" in note for note in record.notes)


@pytest.mark.parametrize("ready", [False, True])
def test_a_second_source_is_added_to_train(ready, tmp_path):
    y = np.arange(120) % 3
    arrays = {"x": numbered(120), "y": y, "group": np.arange(120), "id": np.arange(120).astype(str)}
    if ready:
        arrays = {f"{key}_train": value for key, value in arrays.items()}
        arrays |= {"x_test": numbered(40, 500), "y_test": np.arange(40) % 3}
        arrays |= {"group_test": np.arange(500, 540), "id_test": np.arange(500, 540).astype(str)}
    more = written(tmp_path, "more.npz", x=numbered(30, 1000), x_extra=numbered(5, 2000))
    with pytest.raises(DataError, match="x_extra"):
        prepared(tmp_path, source=written(tmp_path, **arrays), unlabelled=more)
    (tmp_path / "out").rename(tmp_path / "failed")
    empty = numbered(30, 1000)[:0]
    more = written(tmp_path, "more.npz", x_train=numbered(30, 1000), x_test=empty)
    part = {"source": written(tmp_path, **arrays), "unlabelled": more}
    out, record = prepared(tmp_path, **part)
    assert record.unlabelled == 30
    assert look(Data(**part), 0).unlabelled == 30
    every = open_with_unlabelled(out)
    assert every.x[-30:, 0].tolist() == list(range(1000, 1030))
    assert len(np.load(out / "id_train.npy")) == len(every.x)
    assert len(set(np.load(out / "group_train.npy").tolist())) == len(every.x)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"x": np.zeros((3, 5), np.float32)}, r"found samples of float32 \[5\], expected .*\[4\]"),
        ({"x": np.zeros((3, 4), np.uint8)}, r"found samples of uint8 \[4\], expected float32"),
        ({"x": np.zeros((0, 4), np.float32)}, "data.unlabelled"),
    ],
)
def test_a_second_source_of_another_form_is_refused(more, says, tmp_path):
    source = written(tmp_path, x=numbered(60), y=np.arange(60) % 2)
    with pytest.raises(DataError, match=says):
        prepared(tmp_path, source=source, unlabelled=written(tmp_path, "more.npz", **more))


def test_texts_and_tables_take_empty_labels(tmp_path):
    words = ["good", "bad", "fine", "poor"]
    rows = [f"{words[i % 4]} {i},{'' if i % 5 == 0 else i % 2}" for i in range(200)]
    (tmp_path / "t.csv").write_text("text,label\n" + "\n".join(rows))
    _, record = prepared(
        tmp_path, source=f"text:{tmp_path / 't.csv'}", text=TextForm(vocabulary=64, max_length=4)
    )
    assert (record.unlabelled, record.labels) == (40, ("0", "1"))
    (tmp_path / "out").rename(tmp_path / "texts")
    rows = [f"{i},{i * i},{'' if i % 5 == 0 else i / 7}" for i in range(200)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "\n".join(rows))
    _, record = prepared(tmp_path, source=f"table:{tmp_path / 't.csv'}", task="regression")
    assert record.unlabelled == 40


def test_pictures_of_a_folder_called_unlabelled_have_no_label(tmp_path):
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for folder, count in {"cat": 20, "dog": 20, "Unlabelled": 15}.items():
        (tmp_path / "pictures" / folder).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 255, (6, 6, 3), np.uint8)
            image.fromarray(pixels).save(tmp_path / "pictures" / folder / f"{number}.png")
    _, record = prepared(tmp_path, source=f"images:{tmp_path / 'pictures'}")
    assert (record.labels, record.unlabelled) == (("cat", "dog"), 15)
    (tmp_path / "out").rename(tmp_path / "one")
    (tmp_path / "pictures" / "Unlabelled").rename(tmp_path / "more")
    _, record = prepared(
        tmp_path, source=f"images:{tmp_path / 'pictures'}", unlabelled=f"images:{tmp_path / 'more'}"
    )
    assert (record.labels, record.unlabelled) == (("cat", "dog"), 15)


def test_samples_that_are_no_arrays_yet_cannot_be_joined(tmp_path):
    with pytest.raises(DataError, match="no arrays yet"):
        joined({"x": ["a", "b"]}, {"x": numbered(3)}, tmp_path, "here", Silent())
