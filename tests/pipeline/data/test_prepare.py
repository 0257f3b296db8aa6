"""Data: splits that can be trusted, statistics that are right, memory that stays flat."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.errors import DataError, RecipeError
from edgestill.pipeline.data import checks, find, fingerprint, splits
from edgestill.pipeline.data.inputs import DataInputs
from edgestill.pipeline.data.prepare import prepare
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import Data, TextForm
from edgestill.pipeline.recipe.files import parse
from edgestill.pipeline.records import SPLITS, DataRecord

FRACTIONS = {"test": 0.2, "validation": 0.1, "calibration": 0.1}


@pytest.fixture
def laid(tmp_path):
    """Prepares arrays into a folder and reads back what was laid down."""

    def lay(arrays, *, seed=0, **part):
        folder = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        np.savez(tmp_path / "data.npz", **arrays)
        data = Data(source=f"npz:{tmp_path / 'data.npz'}", **part)
        record = prepare(folder, Silent(), DataInputs(data, "", None, seed))
        split = {
            name: SimpleNamespace(
                x=np.load(folder / f"x_{name}.npy"),
                y=np.load(folder / f"y_{name}.npy"),
                id=np.load(folder / f"id_{name}.npy") if record.identified else None,
            )
            for name in SPLITS
        }
        return SimpleNamespace(record=record, folder=folder, **split)

    return lay


def numbered(samples=200, classes=4, columns=3, dtype=np.float32):
    """Samples whose first column is their own row number."""
    x = np.random.default_rng(1).normal(size=(samples, columns)).astype(dtype)
    x[:, 0] = np.arange(samples)
    return {"x": x, "y": np.arange(samples) % classes}


def rows_of(laid):
    return {name: set(getattr(laid, name).x[:, 0].astype(int)) for name in SPLITS}


# --- splits -----------------------------------------------------------------------------------


def test_splits_are_disjoint_and_cover_every_sample_once():
    rows = splits.cut(500, np.arange(500) % 7, FRACTIONS, seed=3)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(500))
    assert list(rows) == list(SPLITS)
    assert {name: len(r) for name, r in rows.items()} == {
        "train": 300, "validation": 50, "calibration": 50, "test": 100,
    }  # fmt: skip


def test_splits_are_stratified_by_class():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    for name, rows in splits.cut(len(y), y, FRACTIONS, seed=0).items():
        share = np.bincount(y[rows]) / len(rows)
        assert np.abs(share - [0.6, 0.3, 0.1]).max() < 0.01, name


def test_the_same_seed_gives_the_same_rows_and_another_seed_gives_others():
    y = np.arange(400) % 5
    first, again, other = (splits.cut(400, y, FRACTIONS, seed=s) for s in (1, 1, 2))
    for name in SPLITS:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


def test_rows_of_one_group_never_stand_in_two_splits_but_train_and_calibration():
    rng = np.random.default_rng(0)
    group, y = rng.integers(0, 60, 900), rng.integers(0, 3, 900)
    rows = splits.cut(900, y, FRACTIONS, 0, group)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(900))
    of = {name: set(group[r]) for name, r in rows.items()}
    learnt = of["train"] | of["calibration"]
    assert not of["test"] & of["validation"]
    assert not (of["test"] | of["validation"]) & learnt
    assert of["calibration"] <= of["train"], "whole groups are too dear for calibration"
    assert 120 < len(rows["test"]) < 240
    assert len(rows["calibration"]) == 90
    again, other = (splits.cut(900, y, FRACTIONS, seed, group) for seed in (0, 1))
    assert np.array_equal(rows["test"], again["test"])
    assert not np.array_equal(rows["test"], other["test"])


def test_groups_that_are_whole_classes_are_refused_and_not_only_warned_of(laid):
    arrays = numbered(80)
    with pytest.raises(
        DataError,
        match=r"class '0' in the groups '0', '1', expected it in at least 3.*validation_by = ",
    ):
        laid({**arrays, "group": arrays["y"] * 2 + (np.arange(80) > 40)})


def test_ready_splits_are_kept_as_they_are(laid):
    whole = numbered(240)
    cuts = {"train": (0, 120), "validation": (120, 160), "calibration": (160, 200),
            "test": (200, 240)}  # fmt: skip
    arrays = {f"{a}_{s}": whole[a][slice(*c)] for s, c in cuts.items() for a in "xy"}
    found = laid(arrays)
    for name in SPLITS:
        assert np.array_equal(getattr(found, name).x, arrays[f"x_{name}"])
        assert np.array_equal(getattr(found, name).y, arrays[f"y_{name}"])


def test_validation_and_calibration_are_cut_from_train_where_they_are_absent(laid):
    whole = numbered(300)
    arrays = {
        "x_train": whole["x"][:200], "y_train": whole["y"][:200],
        "x_test": whole["x"][200:], "y_test": whole["y"][200:],
    }  # fmt: skip
    found = laid(arrays)
    rows = rows_of(found)
    assert rows["test"] == set(range(200, 300))
    assert rows["train"] | rows["validation"] | rows["calibration"] == set(range(200))
    assert [len(rows[s]) for s in SPLITS] == [160, 20, 20, 100]


def test_labels_stay_with_their_samples(laid):
    found = laid(numbered(200))
    for name in SPLITS:
        part = getattr(found, name)
        assert np.array_equal(part.y, part.x[:, 0].astype(int) % 4)
        assert found.record.counts[name] == tuple(np.bincount(part.y))


# --- what a sample is -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [("uint8", "uint8"), ("int16", "int16"), ("float32", "float32"), ("float64", "float32"),
     ("float16", "float32"), ("int64", "float32"), ("int8", "float32"), ("bool", "uint8")],
)  # fmt: skip
def test_the_models_input_has_the_datas_dtype_or_float32(given, kept, laid):
    bits = np.arange(100)[:, None] >> np.arange(8) & 1  # a hundred different rows, of any dtype
    found = laid({"x": bits.astype(given), "y": np.arange(100) % 2})
    assert found.record.dtype == kept
    assert found.train.x.dtype == kept
    assert set(np.unique(found.train.x)) == {0, 1}
    noted = any(f"samples are {given}" in note for note in found.record.notes)
    assert noted == (given != kept)


@pytest.mark.parametrize(
    ("shape", "asked", "meant"),
    [
        ((9, 5), "auto", "table"),
        ((9, 8, 8), "auto", "hw"),
        ((9, 8, 8, 3), "auto", "hwc"),
        ((9, 1, 8, 8), "auto", "chw"),
        ((9, 3, 8, 3), "chw", "chw"),
        ((9, 8, 8, 7), "hwc", "hwc"),
    ],
)
def test_the_layout_goes_by_rank_and_channels_or_as_asked(shape, asked, meant):
    assert checks.layout(np.zeros(shape), asked) == meant


@pytest.mark.parametrize("shape", [(9, 8, 8, 7), (9, 3, 8, 3), (9, 2, 2, 2, 2)])
def test_a_layout_that_cannot_be_told_is_refused(shape):
    with pytest.raises(DataError, match='layout = "hwc" or "chw"'):
        checks.layout(np.zeros(shape), "auto")


# --- mean and standard deviation --------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e6])
def test_mean_and_std_of_a_table_are_numpys_in_float64(offset, laid):
    rng = np.random.default_rng(0)
    x = rng.normal(offset, [1.0, 5.0, 0.1], size=(12_000, 3)).astype(np.float32)
    found = laid({"x": x, "y": np.arange(12_000) % 2}, duplicates="allow")
    exact = found.train.x.astype(np.float64)
    np.testing.assert_allclose(found.record.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.record.std, exact.std(0), rtol=1e-9)


def test_mean_and_std_are_right_where_later_blocks_differ_from_the_first(laid):
    rows, columns = 4 * checks.CHUNK // 500, 500
    x = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    x += np.arange(rows, dtype=np.float32)[:, None] / 1000
    found = laid({"x": x, "y": np.arange(rows) % 2}, duplicates="allow")
    exact = found.train.x.astype(np.float64)
    assert exact.size > 2 * checks.CHUNK
    np.testing.assert_allclose(found.record.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.record.std, exact.std(0), rtol=1e-12)


@pytest.mark.parametrize(
    ("shape", "layout", "axes"),
    [((300, 6, 5, 3), "hwc", (0, 1, 2)), ((300, 3, 4, 5), "chw", (0, 2, 3)),
     ((300, 5, 5), "hw", None), ((300, 20), "table", None)],
)  # fmt: skip
def test_mean_and_std_of_pixels_are_one_a_channel(shape, layout, axes, laid):
    x = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = laid({"x": x, "y": np.arange(300) % 2})
    assert found.record.layout == layout
    exact = found.train.x.astype(np.float64)
    np.testing.assert_allclose(found.record.mean, np.atleast_1d(exact.mean(axes)), rtol=1e-12)
    np.testing.assert_allclose(found.record.std, np.atleast_1d(exact.std(axes)), rtol=1e-12)


def test_a_constant_column_is_divided_by_one_and_a_tiny_one_is_not_constant(laid):
    x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    x[:, 1], x[:, 2] = 0.1, 0.0
    x[:, 3] *= 1e-13
    record = laid({"x": x, "y": np.arange(100) % 2}).record
    assert record.std[1:3] == (1.0, 1.0)
    assert record.std[3] == pytest.approx(1e-13, rel=0.5)


def test_the_recipes_own_mean_and_std_are_used_as_they_are(laid):
    record = laid(numbered(), mean=(1.0,), std=(2.0,)).record
    assert (record.mean, record.std) == ((1.0,), (2.0,))


# --- labels -----------------------------------------------------------------------------------


def test_text_labels_are_numbered_in_sorted_order(laid):
    names = np.array(["dog", "cat", "été"])
    found = laid({**numbered(120, 3), "y": names[np.arange(120) % 3]})
    assert found.record.labels == ("cat", "dog", "été")
    where = found.train.x[:, 0].astype(int) % 3
    assert np.array_equal(found.train.y, np.array([1, 0, 2])[where])


def test_text_labels_are_numbered_in_the_recipes_order(laid):
    arrays = {**numbered(120, 2), "y": np.array([b"no", b"yes"])[np.arange(120) % 2]}
    found = laid(arrays, labels=("yes", "no"))
    assert found.record.labels == ("yes", "no")
    assert np.array_equal(found.test.y, 1 - found.test.x[:, 0].astype(int) % 2)


def test_whole_numbers_are_their_own_labels_whatever_their_dtype(laid):
    for dtype in (np.uint8, np.int32, np.float64, bool):
        arrays = numbered(80, 2)
        found = laid({**arrays, "y": arrays["y"].astype(dtype)})
        assert found.record.labels == ("0", "1")
        assert found.train.y.dtype == np.int64


def test_names_in_the_archive_name_the_classes(laid):
    found = laid({**numbered(80, 2), "labels": np.array(["off", "on"])})
    assert found.record.labels == ("off", "on")


def test_uneven_classes_are_noted_with_what_to_do(laid):
    arrays = {**numbered(400, 2), "y": (np.arange(400) % 10 == 0).astype(int)}
    notes = " ".join(laid(arrays, labels=("often", "rare")).record.notes)
    assert "'often' has 9.0 times the samples of 'rare'" in notes
    assert "class_weights = true" in notes
    assert "uneven" not in " ".join(laid(numbered(400)).record.notes)


# --- other tasks ------------------------------------------------------------------------------


def with_answers(y, **more):
    """The numbered samples with other answers."""
    return {**numbered(len(y)), "y": y, **more}


def labels_of(rows, count=3):
    """Labels that follow from the row's own number: its bits."""
    return (np.asarray(rows)[:, None] >> np.arange(count) & 1).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float64])
def test_labels_that_hold_or_not_stay_with_their_samples_and_are_counted(dtype, laid):
    names = np.array(["wet", "cold", "loud"])
    arrays = with_answers(labels_of(np.arange(200)).astype(dtype), labels=names)
    found = laid(arrays, task="multi-label")
    assert (found.record.task, found.record.labels) == ("multi-label", ("wet", "cold", "loud"))
    assert found.record.classes == 3
    for name in SPLITS:
        part = getattr(found, name)
        assert part.y.dtype == np.float32
        assert np.array_equal(part.y, labels_of(part.x[:, 0].astype(int)))
        assert found.record.counts[name] == tuple(part.y.sum(0).astype(int))
        assert found.record.rows[name] == len(part.x)
    assert sum(found.record.rows.values()) == 200


def test_a_label_that_train_lacks_is_refused_and_one_that_test_lacks_is_not(laid):
    y = labels_of(np.arange(200))
    y[:, 2] = 0
    with pytest.raises(DataError, match=r"no sample of class '2' in train"):
        laid(with_answers(y), task="multi-label")
    x, y = numbered()["x"], labels_of(np.arange(200))
    y[150:, 2] = 0
    arrays = {"x_train": x[:150], "y_train": y[:150], "x_test": x[150:], "y_test": y[150:]}
    assert laid(arrays, task="multi-label").record.counts["test"][2] == 0


@pytest.mark.parametrize(
    ("y", "part", "says"),
    [
        (labels_of(np.arange(200)) * 2, {}, "2.0 in row 1, answer 0 of all.*expected 0 or 1"),
        (np.arange(200) % 2, {}, r"y of int64 \[200\].*numbers per sample"),
        (labels_of(np.arange(200)).astype(str), {}, r"y of <U\d+ \[200, 3\].*numbers"),
        (labels_of(np.arange(200)), {"labels": ("a", "b")}, "2 names for 3 numbers per sample"),
        (labels_of(np.arange(199)), {}, "200 samples in x and 199 labels in y"),
    ],
)
def test_labels_that_are_none_are_refused(y, part, says, laid):
    with pytest.raises(DataError, match=says):
        laid({**numbered(200), "y": y}, task="multi-label", **part)


def test_labels_in_two_columns_are_refused_with_the_task_that_has_them(laid):
    with pytest.raises(DataError, match=r"y of shape \[200, 3\].*task = 'multi-label'"):
        laid(with_answers(labels_of(np.arange(200))))


def test_a_number_a_sample_is_one_column_and_its_moments_are_those_of_train(laid):
    found = laid(with_answers(np.arange(200) * 0.5 - 1e5), task="regression")
    assert (found.record.labels, found.record.counts) == (("y",), {})
    for name in SPLITS:
        part = getattr(found, name)
        assert part.y.dtype == np.float32
        np.testing.assert_array_equal(part.y, part.x[:, :1] * np.float32(0.5) - np.float32(1e5))
    exact = found.train.y.astype(np.float64)
    np.testing.assert_allclose(found.record.answer_mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.record.answer_std, exact.std(0), rtol=1e-9)


def test_several_numbers_have_their_names_and_moments_each(laid):
    y = np.stack([np.arange(200), np.full(200, 3.0)], 1)
    record = laid(with_answers(y), task="regression", labels=("angle", "fixed")).record
    assert record.labels == ("angle", "fixed")
    assert record.answer_std[0] > 40.0
    assert record.answer_std[1] == 1.0, "what never varies is divided by one"


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.where(np.arange(200) == 7, np.inf, 1.0), "inf in row 7, answer 0 of all"),
        (np.where(np.arange(200) == 8, 1e39, 1.0), r"1e\+39 in row 8.*float32"),
        (np.arange(200).astype(str), r"y of <U\d+.*numbers"),
        (np.zeros((200, 2, 2)), r"y of float64 \[200, 2, 2\]"),
    ],
)
def test_numbers_that_are_none_are_refused(y, says, laid):
    with pytest.raises(DataError, match=says):
        laid(with_answers(y), task="regression")


def test_ready_splits_of_unlike_width_are_refused(laid):
    x, y = numbered(200)["x"], np.zeros((200, 2))
    arrays = {"x_train": x[:100], "y_train": y[:100], "x_test": x[100:], "y_test": y[100:, :1]}
    with pytest.raises(DataError, match=r"\[1, 2\] numbers per sample"):
        laid(arrays, task="regression")


def test_an_embedding_needs_no_answers(laid):
    found = laid({"x": numbered()["x"]}, task="embedding")
    assert (found.record.labels, found.record.counts) == ((), {})
    assert found.record.rows == {"train": 120, "validation": 20, "calibration": 20, "test": 40}
    for name in SPLITS:
        assert getattr(found, name).y.shape == (found.record.rows[name], 0)


@pytest.mark.parametrize("task", ["multi-label", "regression", "embedding"])
def test_a_sample_in_two_splits_is_refused_in_every_task(task, laid):
    y = {"multi-label": labels_of(np.arange(200)), "regression": np.arange(200.0)}.get(task)
    x = numbered()["x"]
    x[100] = x[101:] = x[0]
    arrays = {"x": x} if y is None else {"x": x, "y": y}
    with pytest.raises(DataError, match="are in another split"):
        laid(arrays, task=task)


# --- ids, groups and the names of arrays --------------------------------------------------------


def test_ids_stay_with_their_samples(laid):
    found = laid({**numbered(), "id": np.arange(200) + 1000})
    assert found.record.identified
    for name in SPLITS:
        part = getattr(found, name)
        assert part.id.dtype.kind == "U"
        assert np.array_equal(part.id.astype(int), part.x[:, 0].astype(int) + 1000)


def test_ids_follow_where_duplicates_are_dropped(laid):
    arrays = with_duplicates()
    arrays |= {f"id_{s}": arrays[f"x_{s}"][:, 0].astype(int) for s in ("train", "test")}
    found = laid(arrays, duplicates="drop")
    assert found.record.dropped
    for name in SPLITS:
        part = getattr(found, name)
        assert np.array_equal(part.id.astype(int), part.x[:, 0].astype(int))


def test_a_records_fingerprint_follows_the_ids(laid):
    one, other = (laid({**numbered(), "id": np.arange(200) + i}).record for i in (0, 1))
    assert one.fingerprint != other.fingerprint


def test_ids_of_one_split_alone_identify_nothing(laid):
    arrays = with_duplicates()
    arrays["id_train"] = np.arange(150)
    assert not laid(arrays, duplicates="allow").record.identified


def test_ids_of_another_length_are_refused(laid):
    with pytest.raises(DataError, match=r"id of shape \[199\].*200 samples"):
        laid({**numbered(), "id": np.arange(199)})


@pytest.mark.parametrize("task", ["classification", "regression", "embedding"])
def test_groups_hold_in_every_task_and_calibration_is_of_trains(task, laid):
    arrays = {**numbered(600), "speaker": np.arange(600) // 4 % 50}
    found = laid(arrays, task=task, group="speaker")
    of = {s: {row // 4 % 50 for row in rows} for s, rows in rows_of(found).items()}
    assert not of["test"] & of["validation"]
    assert not (of["test"] | of["validation"]) & (of["train"] | of["calibration"])
    assert of["calibration"] <= of["train"]
    assert found.record.rows["calibration"] == 60


CUT_AT_150 = (slice(150), slice(150, None))


def ready(group_train, group_test):
    train, test = ({key: v[part] for key, v in numbered().items()} for part in CUT_AT_150)
    arrays = {f"{key}_train": v for key, v in train.items()}
    arrays |= {f"{key}_test": v for key, v in test.items()}
    return arrays | {"group_train": group_train, "group_test": group_test}


def test_validation_is_cut_from_a_ready_train_by_group(laid):
    found = laid(ready(np.arange(150) // 10, np.arange(50) + 100), validation=0.2)
    of = {s: {row // 10 for row in rows} for s, rows in rows_of(found).items()}
    assert of["validation"]
    assert not of["validation"] & (of["train"] | of["calibration"])
    assert of["calibration"] <= of["train"]


def test_a_group_in_two_ready_splits_is_refused(laid):
    with pytest.raises(
        DataError, match=r"the group 14 in train and in test.*all samples of a group"
    ):
        laid(ready(np.arange(150) // 10, np.arange(50) + 14))


def test_calibration_may_be_of_trains_groups(laid):
    arrays = ready(np.arange(150) // 10, np.arange(50) + 100)
    arrays |= {f"{key}_calibration": arrays[f"{key}_test"][:20] + 1000 for key in "xy"}
    arrays |= {"y_calibration": arrays["y_test"][:20], "group_calibration": np.full(20, 3)}
    assert laid(arrays).record.rows["calibration"] == 20


def test_an_archives_arrays_may_have_names_of_their_own(laid):
    whole = numbered()
    arrays = {"x": whole["x"], "speed": whole["x"][:, 0], "name": np.arange(200), "y": whole["y"]}
    found = laid(arrays, task="regression", target=("speed",), id="name")
    assert np.array_equal(found.test.y, found.test.x[:, :1])
    assert np.array_equal(found.test.id.astype(int), found.test.x[:, 0].astype(int))
    ready = {"x_train": whole["x"][:150], "speed_train": whole["x"][:150, 1],
             "x_test": whole["x"][150:], "speed_test": whole["x"][150:, 1]}  # fmt: skip
    found = laid(ready, task="regression", target=("speed",))
    assert np.array_equal(found.test.y, found.test.x[:, 1:2])


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"target": ("lable",)}, r"no 'lable' among the keys \['x', 'y'\].*data.target"),
        ({"group": "speaker"}, "no 'speaker' among .*data.group"),
        ({"id": "name"}, "no 'name' among .*data.id"),
        ({"target": ("a", "b"), "task": "regression"}, "data.target: found 2 names"),
    ],
)
def test_a_name_that_the_recipe_chose_must_be_in_the_archive(part, says, laid):
    with pytest.raises(DataError, match=says):
        laid(numbered(), **part)


def test_a_damaged_table_of_contents_is_the_files_fault_and_a_full_disk_the_machines(
    tmp_path, monkeypatch
):
    from edgestill.pipeline.data import npz

    np.savez(tmp_path / "data.npz", **numbered(20))
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[-6] = 255  # the place of the table is told 255 bytes off: before the beginning
    content[-5:-2] = b"\xff\xff\x7f"
    (tmp_path / "bad.npz").write_bytes(content)
    part = Data(source="npz:data.npz")
    with pytest.raises(DataError, match="not a readable archive"):
        npz.read(str(tmp_path / "bad.npz"), tmp_path, part)

    for number, expected in ((22, DataError), (28, OSError)):

        def fails(*_, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(shutil, "copyfileobj", fails)
        with pytest.raises(expected):
            npz.read(str(tmp_path / "data.npz"), tmp_path, part)


# --- texts ------------------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path):
    """Prepares a file of texts and their labels, some of them given."""
    pytest.importorskip("tokenizers", reason="needs the extra 'text'")

    def prepared(texts, labels, **part):
        lines = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
        (tmp_path / "data.csv").write_text("\n".join(["text,label", *lines]))
        folder = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        folder.mkdir()
        form = {"vocabulary": 400, "max_length": 8, **part.pop("text", {})}
        data = Data(source=f"text:{tmp_path / 'data.csv'}", text=TextForm(**form), **part)
        return prepare(folder, Silent(), DataInputs(data, "", None, 0)), folder

    return prepared


SENTENCES = [
    f"{noun} number {i} is {['bad', 'good'][i % 2]}" for i in range(50) for noun in ("film", "plot")
]
MOODS = [sentence.rsplit(" ", 1)[1] for sentence in SENTENCES]


def test_texts_become_tokens_of_a_tokenizer_that_saw_train_alone(told):
    from tokenizers import Tokenizer

    record, folder = told(SENTENCES, MOODS)
    assert (record.layout, record.dtype, record.sample_shape) == ("tokens", "int32", (8,))
    assert (record.mean, record.std) == ((), ())
    assert record.labels == ("bad", "good")
    assert record.files == ("tokenizer.json",)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert record.vocabulary == tokenizer.get_vocab_size() <= 400
    assert tokenizer.id_to_token(record.pad) == "[PAD]"
    assert tokenizer.id_to_token(record.unknown) == "[MASK]"
    seen = set()
    for split in SPLITS:
        x, y = np.load(folder / f"x_{split}.npy"), np.load(folder / f"y_{split}.npy")
        words = [tokenizer.decode(row.tolist()).strip() for row in x]
        assert [record.labels[i] for i in y] == [text.rsplit(" ", 1)[1] for text in words]
        seen |= set(words)
    assert seen == set(SENTENCES)
    assert not list(folder.glob("scratch"))


def test_a_word_that_only_test_has_is_no_token(tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    for folder in ("data", "out"):
        (tmp_path / folder).mkdir()
    for split, noun in (("train", "film"), ("test", "zebra")):
        lines = [f"{noun} {i} is here,{'ab'[i % 2]}" for i in range(40)]
        (tmp_path / f"data/{split}.csv").write_text("\n".join(["text,label", *lines]))
    part = Data(source=f"text:{tmp_path / 'data'}", text=TextForm(vocabulary=400))
    prepare(tmp_path / "out", Silent(), DataInputs(part, "", None, 0))
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "out/tokenizer.json"))
    assert "Ġfilm" in tokenizer.get_vocab()
    assert "Ġzebra" not in tokenizer.get_vocab()


def test_a_tokenizer_that_is_given_is_used_and_ships(told, tmp_path):
    first, folder = told(SENTENCES, MOODS)
    (folder / "tokenizer.json").rename(tmp_path / "own.json")
    again, beside = told(SENTENCES, MOODS, text={"tokenizer": tmp_path / "own.json"})
    assert (beside / "tokenizer.json").read_bytes() == (tmp_path / "own.json").read_bytes()
    assert again.fingerprint == first.fingerprint
    assert json.loads(json.dumps(again.front_end))["kind"] == "text"


def test_texts_that_are_cut_are_counted_in_the_notes(told):
    longer = [f"{text} in every way that there is" for text in SENTENCES[:30]] + SENTENCES[30:]
    record, _ = told(longer, MOODS)
    assert "longer than 8 tokens and cut: 30 of 100 texts" in record.notes


def test_a_text_in_two_splits_is_refused(told):
    with pytest.raises(DataError, match="are in another split"):
        told([*SENTENCES[:60], *SENTENCES[:60]], [*MOODS[:60], *MOODS[:60]])


# --- duplicates -------------------------------------------------------------------------------


def with_duplicates():
    """Every third sample of train stands in test too; one within train twice."""
    whole = numbered(200)
    x_train = whole["x"][:150].copy()
    x_train[1] = x_train[5]
    x_test = whole["x"][150:].copy()
    x_test[:10] = x_train[30:60:3]
    return {"x_train": x_train, "y_train": whole["y"][:150], "x_test": x_test,
            "y_test": whole["y"][150:]}  # fmt: skip


def test_a_sample_in_two_splits_is_refused(laid):
    with pytest.raises(DataError, match=r"\(first: row 3\d\) that are in another split"):
        laid(with_duplicates())


def test_dropping_duplicates_keeps_each_in_test_alone(laid):
    found = laid(with_duplicates(), duplicates="drop")
    rows = rows_of(found)
    for name in ("train", "validation", "calibration"):
        assert not rows[name] & rows["test"]
    assert len(found.test.x) == 50
    assert found.record.dropped >= 10
    assert sum(map(sum, found.record.counts.values())) == 200 - found.record.dropped
    assert f"{found.record.dropped} samples dropped" in " ".join(found.record.notes)


def test_allowing_duplicates_drops_none(laid):
    record = laid(with_duplicates(), duplicates="allow").record
    assert record.dropped == 0
    assert sum(map(sum, record.counts.values())) == 200


# --- sources and fingerprints -----------------------------------------------------------------


def test_a_fingerprint_follows_the_content_and_not_the_name(tmp_path):
    arrays = numbered(20)
    np.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes())
    arrays["x"][3, 1] += 1
    np.savez(tmp_path / "c.npz", **arrays)
    a, b, c = (fingerprint(f"npz:{tmp_path / name}.npz") for name in "abc")
    assert a == b
    assert a != c


def test_a_records_fingerprint_follows_samples_and_labels(laid):
    arrays = numbered()
    one, same = laid(arrays).record, laid(arrays).record
    arrays["x"][7, 2] += 1
    assert one.fingerprint == same.fingerprint
    assert laid(arrays).record.fingerprint != one.fingerprint


def test_a_functions_fingerprint_follows_its_arrays(tmp_path, monkeypatch):
    text = "import numpy as np\ndef {}(): return {{'x': np.ones((4, 2)) * {}, 'y': [0, 1, 0, 1]}}\n"
    lines = [text.format(name, value) for name, value in (("a", 1), ("b", 1), ("c", 2))]
    (tmp_path / "made_for_fingerprints.py").write_text("".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    a, b, c = (fingerprint(f"made_for_fingerprints:{name}") for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("source", ["npz:", "npz", "a:b:c", "a b:c", "a:1", ""])
def test_a_source_that_names_none_is_refused(source):
    with pytest.raises(RecipeError, match=r"'moved-digits', 'npz:FILE', .* or 'module:function'"):
        find(source)


def test_the_digits_are_1797_images_and_split_without_a_duplicate(tmp_path):
    part = Data(source="digits")
    record = prepare(tmp_path, Silent(), DataInputs(part, "", None, 0))
    assert record.sample_shape == (8, 8)
    assert (record.layout, record.dtype, record.classes) == ("hw", "uint8", 10)
    assert sum(map(sum, record.counts.values())) == 1797
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"{axis}_{split}.npy" for axis in "xy" for split in SPLITS
    )


# --- memory -----------------------------------------------------------------------------------

PREPARE = """
import re, resource, sys
from pathlib import Path
import sklearn.model_selection
from edgestill.pipeline.data.inputs import DataInputs
from edgestill.pipeline.data.prepare import prepare
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import Data
own = int(re.search(r"VmData:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (own + int(sys.argv[3]), own + int(sys.argv[3])))
part = Data(source=f"npz:{sys.argv[1]}", layout="hwc")
prepare(Path(sys.argv[2]), Silent(), DataInputs(part, "", None, 0))
"""


@pytest.mark.promise("Data larger than memory are prepared in less memory than they take")
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit on data is Linux's")
def test_an_archive_of_200_mb_is_prepared_in_less_than_half_of_that_memory(tmp_path):
    # Not the resident size: pages of mapped files count in it, though the kernel takes them back.
    samples, limit = 4096, 90_000_000
    x = np.zeros((samples, 128, 128, 3), np.uint8)
    x[:, 0, 0, :2] = np.arange(samples)[:, None] >> np.array([0, 8]) & 255
    assert x.nbytes > 200_000_000
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(samples) % 2)
    (tmp_path / "out").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", PREPARE, tmp_path / "data.npz", tmp_path / "out", str(limit)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr[-500:]
    assert (tmp_path / "out/x_train.npy").stat().st_size > 0.55 * x.nbytes


def test_samples_are_drawn_from_all_over_a_split_and_the_same_each_time():
    from edgestill.pipeline.data.arrays import Arrays, draw

    y = np.repeat(np.arange(10), 50)
    split = Arrays(y[:, None].astype(np.float32), y)
    drawn = draw(split, 100).x
    assert sorted(set(drawn.ravel())) == list(range(10))
    np.testing.assert_array_equal(drawn, draw(split, 100).x)
    np.testing.assert_array_equal(draw(split, 1000).x, split.x)


@pytest.mark.parametrize("share", [0.2, 0.3, 0.4, 0.6])
def test_whole_groups_come_as_near_to_the_fraction_as_they_can(share):
    random = np.random.default_rng(0)
    group, y = np.arange(2000) // 20, random.integers(0, 2, 2000)
    rows = splits.cut(2000, y, {"test": share}, 0, group)
    assert abs(len(rows["test"]) / 2000 - share) < 0.02
    assert not set(group[rows["test"]]) & set(group[rows["train"]])


# --- what a recipe asks of the data -----------------------------------------------------------


def asks(
    *overrides,
    layout="table",
    shape=(4,),
    task="classification",
    train=60,
    rows=None,
    dtype="float32",
):
    """Holds a small recipe against a data set of these facts."""
    from edgestill.pipeline.preflight import fits

    tree = {
        "name": "r",
        "data": {"source": "npz:d.npz"},
        "teacher": {"model": "mlp2", "batch_size": 8},
        "student": {"model": "mlp1"},
        "distill": {"batch_size": 8},
        "gate": {"max_size_kib": 10.0},
    }
    known = dict.fromkeys(SPLITS, 9) | {"train": train, **(rows or {})}
    record = DataRecord(
        source="npz:d.npz", task=task, labels=("a", "b"), sample_shape=shape, layout=layout,
        dtype=dtype, mean=(), std=(), rows=known, counts={}, dropped=3, notes=(),
        fingerprint="",
    )  # fmt: skip
    fits(parse(tree, where="r.toml", overrides=overrides), record)


@pytest.mark.parametrize(
    ("overrides", "facts"),
    [
        (["gate.min_accuracy=0.5", "gate.max_worst_class_drop=0.1"], {}),
        (["gate.max_worst_class_drop=0.1", "distill.class_weights=true"], {"task": "multi-label"}),
        (["gate.min_score=-0.5", "distill.losses={ mse = 1.0 }"], {"task": "regression"}),
        (["gate.min_agreement=0.5", "distill.losses={ cosine = 1.0 }"], {"task": "embedding"}),
        (["teacher.batch_size=64", "teacher.weights=t.safetensors"], {}),
        (["teacher.batch_size=64", "teacher.model=onnx:m.onnx"], {}),
        (["distill.views=3", "augment.noise=0.1", "export.formats=['onnx', 'ncnn']"], {}),
        (["teacher.model=resnet20", "student.model=conv1d3"], {"layout": "hw", "shape": (8, 8)}),
        (
            ["teacher.model=transformer4", "student.model=transformer2", "student.width=16",
             "distill.initialize=true"],
            {"layout": "tokens", "shape": (16,)},
        ),
    ],
)  # fmt: skip
def test_what_fits_the_data_is_let_through(overrides, facts):
    asks(*overrides, **facts)


@pytest.mark.parametrize(
    ("overrides", "facts", "error", "says"),
    [
        ([], {"train": 7}, DataError, "teacher.batch_size: found 7 samples in train"),
        ([], {"rows": {"validation": 0}}, DataError, r"no sample in validation \(3 dropped"),
        (["teacher.weights=t.pt"], {"train": 7}, DataError, "distill.batch_size"),
        (
            ["teacher.model=onnx:m.onnx", 'teacher.members=[{ model = "mlp2" }]'],
            {"train": 7},
            DataError,
            "teacher.batch_size",
        ),
        (
            ['teacher.members=[{ model = "transformer2" }]'],
            {},
            DataError,
            "rows of 4 columns for 'transformer2', expected texts, or the family mlp",
        ),
        (
            ["student.model=conv1d2"],
            {},
            DataError,
            r"expected windows, .*; reshape x to \[n, time, channels\] or use .*'mlp2'",
        ),
        (
            ["student.model=resnet8"],
            {"layout": "tc", "shape": (20, 3)},
            DataError,
            "windows of 20 steps with 3 channels for 'resnet8', expected images, or .* conv1d",
        ),
        (
            ["teacher.model=transformer2", "student.model=transformer4", "student.width=16",
             "distill.initialize=true"],
            {"layout": "tokens", "shape": (16,)},
            RecipeError,
            "the student no deeper",
        ),
        (
            ["distill.control_smoothing=0.1", "distill.losses={ mse = 1.0 }"],
            {"task": "regression"},
            RecipeError,
            "distill.control_smoothing",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_data_is_refused_with_its_key(overrides, facts, error, says):
    with pytest.raises(error, match=says):
        asks(*overrides, **facts)
