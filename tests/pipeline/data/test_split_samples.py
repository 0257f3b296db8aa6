"""Samples of a source: checked, split without duplicates, and their moments."""

import numpy as np
import pytest
from edgestill.errors import DataError, RecipeError
from edgestill.pipeline.data import labels, moments, source_samples, split_samples, tokenized
from edgestill.pipeline.data.source_samples import ALL
from edgestill.pipeline.data.split_samples import SplitSamples
from edgestill.pipeline.data.text_store import Texts
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import Data, TextForm

DATA = Data(source="npz:a.npz")
SPLITS = ("train", "validation", "calibration", "test")


def arrays(n=40, **more):
    x = np.arange(2.0 * n, dtype=np.float32).reshape(n, 2)
    return {"x": x, "y": np.arange(n) % 2, **more}


def test_ids_are_used_only_if_every_sample_has_one():
    ready = {f"{key}_{split}": arrays()[key] for key in "xy" for split in ("train", "test")}
    some = source_samples.checked(ready | {"id_train": np.arange(40)}, DATA, "a")
    assert some.ids == {}
    ids = {f"id_{split}": np.arange(40) for split in ("train", "test")}
    every = source_samples.checked(ready | ids, DATA, "a")
    assert every.ids["test"][:2].tolist() == ["0", "1"]


def test_a_group_in_two_ready_splits_is_refused():
    ready = {f"{key}_{split}": arrays()[key] for key in "xy" for split in ("train", "test")}
    groups = {"group_train": np.array(["a"] * 40), "group_test": np.array(["a"] * 40)}
    with pytest.raises(DataError, match="the group 'a' in train and in test"):
        source_samples.checked(ready | groups, DATA, "a")


def test_a_source_without_labels_is_refused_unless_the_task_has_none():
    with pytest.raises(DataError, match="expected x and y, or ready splits"):
        source_samples.checked({"x": arrays()["x"]}, DATA, "a")
    embedding = Data(source="npz:a.npz", task="embedding")
    assert source_samples.checked({"x": arrays()["x"]}, embedding, "a").labels.of[ALL].shape == (
        40,
        0,
    )


def test_as_many_labels_as_samples_are_wanted():
    with pytest.raises(DataError, match="3 samples in x and 2 labels in y"):
        labels.read({ALL: np.array([0, 1])}, {ALL: 3}, "classification", (), "a")


def test_every_sample_is_in_one_split():
    source = source_samples.checked(arrays(), DATA, "a")
    by_split = split_samples.split_samples(source, DATA, seed=0)
    rows = np.concatenate([by_split[split].rows for split in SPLITS])
    assert sorted(rows.tolist()) == list(range(40))


def test_a_repeated_sample_stays_in_the_split_with_the_highest_priority():
    x = np.array([[1.0], [2.0], [3.0], [4.0], [1.0]], np.float32)
    rows = {"train": [0, 3], "validation": [1], "calibration": [2], "test": [4]}
    by_split = {s: SplitSamples(x, np.array(r), ALL, np.array(r)) for s, r in rows.items()}
    remaining, dropped = split_samples.without_duplicates(by_split, "drop", "a")
    assert dropped == 1
    assert (remaining["train"].rows.tolist(), remaining["test"].rows.tolist()) == ([3], [4])
    same, none = split_samples.without_duplicates(by_split, "allow", "a")
    assert (same, none) == (by_split, 0)


def test_a_split_of_repeated_samples_alone_is_refused():
    x = np.array([[1.0], [2.0], [3.0], [1.0]], np.float32)
    rows = {"train": [0], "validation": [1], "calibration": [2], "test": [3]}
    by_split = {s: SplitSamples(x, np.array(r), ALL, np.array(r)) for s, r in rows.items()}
    with pytest.raises(DataError, match="no sample of train that is in no other split"):
        split_samples.without_duplicates(by_split, "drop", "a")


def test_moments_are_per_column_of_floats_and_one_pair_for_whole_numbers(tmp_path):
    x = np.array([[0.0, 10.0], [2.0, 30.0]], np.float32)
    np.save(tmp_path / "f.npy", x)
    np.save(tmp_path / "i.npy", x.astype(np.uint8))
    assert moments.of_samples(tmp_path / "f.npy", "table", DATA) == ((1.0, 20.0), (1.0, 10.0))
    mean, std = moments.of_samples(tmp_path / "i.npy", "table", DATA)
    assert (mean, len(std)) == ((10.5,), 1)
    own = Data(source="npz:a.npz", mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0))
    with pytest.raises(DataError, match="found 3 values, expected 1 or 2"):
        moments.of_samples(tmp_path / "f.npy", "table", own)


def test_labels_have_moments_only_if_they_have_units(tmp_path):
    np.save(tmp_path / "y.npy", np.array([[0.0], [4.0]], np.float32))
    assert moments.of_labels(tmp_path / "y.npy", DATA) == ((), ())
    regression = Data(source="npz:a.npz", task="regression")
    assert moments.of_labels(tmp_path / "y.npy", regression) == ((2.0,), (2.0,))


def test_units_are_one_for_each_number_or_one_for_all():
    def units(*given, task="regression"):
        return moments.units(Data(source="npz:a.npz", task=task, units=given), ("price", "rent"))

    assert units("USD") == ("USD", "USD")
    assert units("USD", "m") == ("USD", "m")
    assert units(task="classification") == ()
    with pytest.raises(RecipeError, match=r"3 units for 2 numbers \(price, rent\)"):
        units("a", "b", "c")
    with pytest.raises(RecipeError, match="units for classification"):
        units("USD", task="classification")


def test_texts_of_every_split_become_token_ids(tmp_path):
    pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    texts = Texts.write(tmp_path / "texts", ["good film", "bad film", "good plot", "bad plot"])
    by_split = {
        split: SplitSamples(texts, np.array([row]), ALL, np.array([row]))
        for row, split in enumerate(SPLITS)
    }
    data = Data(source="text:t.csv", text=TextForm(max_length=2))
    result = tokenized.tokenized(tmp_path, tmp_path, by_split, data, Silent())
    assert {part.x.shape for part in result.by_split.values()} == {(1, 2)}
    assert (tmp_path / "tokenizer.json").is_file()
    assert result.notes == ("longer than 2 tokens and cut: 4 of 4 texts",)
