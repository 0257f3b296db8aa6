"""Categories and missing values: fitted on train alone, and the metadata tells how to repeat it."""

import json

import numpy as np
import pytest
from edgestill.errors import DataError
from edgestill.pipeline.data import categories
from edgestill.pipeline.data.inputs import DataInputs
from edgestill.pipeline.data.prepare import prepare
from edgestill.pipeline.data.raw_table import RawTable
from edgestill.pipeline.data.table_encoding import encoded
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import Data, TableForm
from edgestill.pipeline.records import SPLITS

CITIES = ("Oslo", "Rome", "Bonn")


@pytest.fixture
def told(tmp_path):
    """Prepares a csv file; gives the record and the arrays of every split."""

    def prepared(lines, *, name="d.csv", form=None, **part):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        out.mkdir()
        data = Data(source=f"table:{tmp_path / name}", table=TableForm(**(form or {})), **part)
        record = prepare(out, Silent(), DataInputs(data, "", None, 0))
        return record, {s: np.load(out / f"x_{s}.npy") for s in SPLITS}

    return prepared


def rows(count=80, gap_every=0):
    lines = ["age,city,zip,id,label"]
    for i in range(count):
        age = "" if gap_every and i % gap_every == 3 else f"{20 + i}"
        lines.append(f"{age},{CITIES[i % 3]},{100 + i % 2},r{i},{i % 2}")
    return lines


def by_hand(row, encoding):
    """What the docstring of ``table_encoding`` says, and nothing else."""
    numbers = []
    for text, column in zip(row, encoding, strict=True):
        if column["kind"] == "number":
            numbers.append(float(text) if text else column["missing"])
            if column.get("indicator"):
                numbers.append(0.0 if text else 1.0)
            continue
        value = text or None
        known = column["categories"]
        if column["encoding"] == "one-hot":
            numbers += [float(value == other) for other in known]
        else:
            numbers.append(float(known.index(value)) if value in known else -1.0)
    return numbers


@pytest.mark.parametrize("encoding", ["one-hot", "ordinal"])
def test_the_metadata_is_enough_to_encode_every_row_by_hand(told, encoding):
    lines = rows(gap_every=7)
    form = {"missing": "median", "encoding": encoding, "categorical": ("zip",)}
    record, x = told(lines, form=form, duplicates="allow")
    front_end = json.loads(json.dumps(record.front_end))
    assert front_end["columns"] == ["age", "city", "zip"]
    assert len(front_end["inputs"]) == x["train"].shape[1] == record.sample_shape[0]
    every = {tuple(by_hand(line.split(",")[:3], front_end["encoding"])) for line in lines[1:]}
    for split in SPLITS:
        assert {tuple(row) for row in x[split].tolist()} <= every
    assert sum(len(part) for part in x.values()) == 80
    assert any("missing numbers are filled in" in note for note in record.notes)
    assert any("columns of categories" in note for note in record.notes)


def test_columns_of_text_are_one_number_a_category(told):
    record, x = told(rows())
    assert record.front_end["inputs"] == ["age", "city=Bonn", "city=Oslo", "city=Rome", "zip"]
    assert np.array_equal(x["test"][:, 1:4].sum(1), np.ones(len(x["test"])))
    assert (record.dtype, record.layout) == ("float32", "table")


def test_encoders_see_train_alone(told):
    lines = ["age,city,split,label"]
    lines += [f"{i},{'ab'[i % 2]},train,{i % 2}" for i in range(20)]
    for split in ("validation", "calibration"):
        lines += [f"{100 + i}.5,{'ab'[i % 2]},{split},{i % 2}" for i in range(4)]
    lines += ["1000.25,z,test,0", ",a,test,1", "3000,b,test,0"]
    record, x = told(lines, form={"missing": "median"}, duplicates="allow")
    assert record.front_end["encoding"][0]["missing"] == 9.5
    assert record.front_end["encoding"][1]["categories"] == ["a", "b"]
    # Train misses no age, so there is no further input; z is none of train's categories.
    assert x["test"].tolist() == [[1000.25, 0, 0], [9.5, 1, 0], [3000, 0, 1]]


@pytest.mark.parametrize(("missing", "fill"), [("mean", 2.0), ("most-frequent", 1.0)])
def test_what_stands_for_a_missing_number_can_be_chosen(missing, fill):
    cells = np.array([[1.0], [1.0], [4.0], [np.nan]])
    raw = RawTable(cells, ("a",), {})
    part = fake_split(raw)
    found = encoded(part.folder, part.by_split, TableForm(missing=missing), Silent())
    assert found.by_split["train"].x.tolist()[3] == [fill, 1.0]
    form = TableForm(missing=missing, indicator=False)
    plain = encoded(part.folder, part.by_split, form, Silent())
    assert plain.by_split["train"].x.tolist()[3] == [fill]


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    fake_split.folder = tmp_path


def fake_split(raw):
    from types import SimpleNamespace

    from edgestill.pipeline.data.split_samples import SplitSamples

    rows = np.arange(len(raw))
    return SimpleNamespace(
        folder=fake_split.folder, by_split={"train": SplitSamples(raw, rows, "all", rows)}
    )


def test_a_column_without_a_value_in_train_is_refused():
    part = fake_split(RawTable(np.full((3, 1), np.nan), ("a",), {}))
    with pytest.raises(DataError, match="column 'a' without a value in train"):
        encoded(part.folder, part.by_split, TableForm(missing="mean"), Silent())


def test_missing_values_are_refused_unless_the_recipe_says_what_stands_for_them(told):
    with pytest.raises(DataError, match=r"'age' has no value in row 3 .*missing = \"median\""):
        told(rows(gap_every=7))
    lines = [line.replace("Oslo", "") if i == 4 else line for i, line in enumerate(rows())]
    with pytest.raises(DataError, match=r"no value in row 3 .*'city'"):
        told(lines)


def test_a_missing_category_is_one_of_its_own(told):
    lines = [line.replace("Oslo", "") for line in rows()]
    record, x = told(lines, form={"missing": "median"})
    assert record.front_end["inputs"][1:4] == ["city=Bonn", "city=Rome", "city=missing"]
    assert record.front_end["encoding"][1]["categories"] == ["Bonn", "Rome", None]
    assert x["train"][:, 3].sum() > 0


def test_windows_may_hold_categories_and_gaps(told):
    lines = ["a,mode,label"]
    lines += [f"{'' if i % 9 == 0 else i},{'xy'[i % 2]},{i // 4 % 2}" for i in range(160)]
    record, x = told(lines, form={"missing": "median", "window": 4})
    assert record.sample_shape == (4, 4)
    assert record.front_end["inputs"] == ["a", "a is missing", "mode=x", "mode=y"]
    assert np.isfinite(x["train"]).all()
    assert set(np.unique(x["train"][..., 1])) == {0.0, 1.0}


def test_files_of_splits_share_their_categories(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, cities in {"train": "ab", "valid": "ab", "calibration": "ba", "test": "bc"}.items():
        lines = [
            "city,n,label",
            *(f"{cities[i % 2]},{i}{len(name)}{cities},{i % 2}" for i in range(8)),
        ]
        lines = [
            line.replace(f"{len(name)}{cities}", f"{len(name)}{ord(cities[1])}") for line in lines
        ]
        (folder / f"{name}.csv").write_text("\n".join(lines))
    out = tmp_path / "out"
    out.mkdir()
    record = prepare(
        out, Silent(), DataInputs(Data(source=f"table:{folder}", duplicates="allow"), "", None, 0)
    )
    assert record.front_end["encoding"][0]["categories"] == ["a", "b"]
    assert np.load(out / "x_test.npy")[:2, :2].tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert np.load(out / "x_calibration.npy")[:2, :2].tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_codes_of_files_are_brought_to_one_list():
    codes = {"train": np.array([0.0, 1.0, np.nan]), "test": np.array([0.0])}
    found, every = categories.unified(codes, {"train": ("a", "c"), "test": ("b",)})
    assert every == ("a", "b", "c")
    assert found["test"].tolist() == [1.0]
    np.testing.assert_array_equal(found["train"], [0.0, 2.0, np.nan])


def test_a_matrix_of_an_archive_may_miss_numbers(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3))
    x[::7, 1] = np.nan
    np.savez(tmp_path / "m.npz", X=x, y=np.arange(60) % 2)
    out = tmp_path / "out"
    out.mkdir()
    data = Data(source=f"table:{tmp_path / 'm.npz'}", table=TableForm(missing="mean"))
    record = prepare(out, Silent(), DataInputs(data, "", None, 0))
    assert record.front_end["inputs"] == ["0", "1", "1 is missing", "2"]
