"""Tables: columns read for what they are, windows that never mix recordings, no leak unseen."""

import subprocess
import sys

import numpy as np
import pytest
from edgestill.errors import DataError, HostError
from edgestill.pipeline.data import columns, columns_csv, table, windows
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import Data, TableForm


@pytest.fixture
def parquet(tmp_path):
    """Writes columns as a parquet file and returns its path."""
    arrow = pytest.importorskip("pyarrow", reason="needs the extra 'table'")
    from pyarrow import parquet

    def write(**told):
        parquet.write_table(arrow.table(told), tmp_path / "data.parquet")
        return tmp_path / "data.parquet"

    return write


def columns_of(path, **how):
    return columns.read(path, path.parent, **how)


def read(source, scratch, *, form=None, **part):
    scratch.mkdir(exist_ok=True)
    data = Data(source=f"table:{source}", table=TableForm(**(form or {})), **part)
    return table.read(str(source), scratch, data, Silent())


# --- columns of csv and tsv -------------------------------------------------------------------


def test_columns_are_whole_numbers_numbers_or_text(file):
    path = file("i,f,t,e\n1,1,a,\n -2 ,2.5,1,\n3,1e-3,2,\n")
    found = columns_of(path)
    assert found["i"].dtype == np.int64
    assert found["i"].tolist() == [1, -2, 3]
    assert found["f"].dtype == np.float64
    assert found["f"].tolist() == [1.0, 2.5, 1e-3]
    assert found["t"].tolist() == ["a", "1", "2"]
    assert found["e"].tolist() == ["", "", ""]
    assert list(found) == ["i", "f", "t", "e"]


def test_a_tsv_file_with_a_byte_order_mark_and_windows_lines_is_understood(tmp_path):
    path = tmp_path / "d.tsv"
    path.write_bytes("\ufeffa\tb\r\n1\tx, y\r\n\r\n2\tz\r\n".encode())
    found = columns_of(path)
    assert found["a"].tolist() == [1, 2]
    assert found["b"].tolist() == ["x, y", "z"]


def test_a_column_whose_kind_shows_late_is_read_from_its_beginning(file):
    rows = columns_csv.BLOCK + 3
    told = "".join(f"{i},{i},{i}.0,{1 if i else 0.5}\n" for i in range(rows))
    path = file(f"a,b,c,d\n{told}1.5,x,7,8\n")
    found = columns_of(path)
    assert found["a"].dtype == np.float64
    assert found["a"][[0, rows - 1, rows]].tolist() == [0.0, rows - 1.0, 1.5]
    assert found["b"][[0, rows - 1, rows]].tolist() == ["0", str(rows - 1), "x"]
    assert found["c"][[1, rows]].tolist() == [1.0, 7.0]
    assert found["d"][[0, 1, rows]].tolist() == [0.5, 1.0, 8.0]


def test_numbers_that_only_python_reads_are_text(file):
    found = columns_of(file("a,b\n1_000,99999999999999999999\n2,1\n"))
    assert found["a"].tolist() == ["1_000", "2"]
    assert found["b"].tolist() == ["99999999999999999999", "1"]


def test_only_the_columns_asked_for_are_read(file):
    path = file("a,b\n1,\n2,5\n")
    assert list(columns_of(path, only=["a"])) == ["a"]
    with pytest.raises(DataError, match="no column 'c' among 'a', 'b'"):
        columns_of(path, only=["c"])


def test_reading_again_leaves_what_was_read_before(file):
    path = file("a\n1\n2\n")
    first = columns_of(path)["a"]
    file("a\n8\n9\n")
    assert columns_of(path)["a"].tolist() == [8, 9]
    assert first.tolist() == [1, 2]


def test_a_file_may_have_more_columns_than_a_process_may_have_files(file):
    width = 3000
    row = ",".join(["1"] * width)
    path = file(",".join(f"c{i}" for i in range(width)) + f"\n{row}\n{row}\n")
    found = columns_of(path)
    assert len(found) == width
    assert found["c2999"].tolist() == [1, 1]


@pytest.mark.parametrize("gap", ["", "nan", "NA", "?", "null"])
def test_a_missing_number_is_refused_with_row_line_and_column(file, gap):
    with pytest.raises(DataError, match=r"column 'b' has no value in row 1 \(from 0\), line 3"):
        columns_of(file(f"a,b\n1,2.5\n2,{gap}\n3,1\n"))


def test_an_infinite_number_is_refused(file):
    with pytest.raises(DataError, match="column 'a' has inf in row 1"):
        columns_of(file("a\n1.5\ninf\n"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "an empty file"),
        ("a,b\n", "a header and no rows"),
        ("a,b\n1,2\n1,2,3\n", r"line 3: found 3 fields, expected 2"),
        ("a,b\n1,2\n\n7\n", r"line 4: found 1 fields"),
        ('a,b\n1,"2\n', "line 2: .*quotation mark"),
        (",a\n0,1\n", "no name for column 0"),
        ("a,b,a\n1,2,3\n", "two columns named 'a'"),
        ("1,2\n3,4\n", "add a header line"),
        ("a;b\n1;2\n", "separate with commas"),
    ],
)
def test_a_broken_csv_file_is_refused(file, content, says):
    with pytest.raises(DataError, match=f"(?s){says}"):
        columns_of(file(content))


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes(b"a,b\n1,x\n2,caf\xe9\n")
    with pytest.raises(DataError, match=r"line 3: bytes that are not UTF-8"):
        columns_of(path)


def test_an_unknown_suffix_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"'\.xlsx', expected one of \.csv, \.tsv"):
        columns.describe(tmp_path / "d.xlsx")
    for suffix in ("csv", "npz"):
        with pytest.raises(DataError, match="no such file"):
            columns.describe(tmp_path / f"gone.{suffix}")


@pytest.mark.linux("getrusage counts in KiB")
def test_memory_stays_within_a_few_times_the_file(tmp_path):
    """60,000 rows of 8 numbers, 5 MB: as Python strings they would be 35 MB and more."""
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from edgestill.pipeline.data import columns\n"
        "folder = Path(sys.argv[1]); path = folder / 'big.csv'\n"
        "with path.open('w') as stream:\n"
        "    stream.write(','.join(f'c{i}' for i in range(8)) + '\\n')\n"
        "    for i in range(60_000):\n"
        "        stream.write(','.join([f'{i}.125'] * 8) + '\\n')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "found = columns.read(path, folder)\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "assert found['c7'][59_999] == 59_999.125\n"
        "print(grown * 1024 / path.stat().st_size)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 5


# --- columns of npz and parquet ---------------------------------------------------------------


def test_an_npz_keeps_its_dtypes_and_is_mapped(tmp_path):
    path = tmp_path / "d.npz"
    np.savez_compressed(path, a=np.uint8([1, 2]), t=np.array(["x", "yy"]), b=np.array([b"u", b"v"]))
    found = columns_of(path)
    assert found["a"].dtype == np.uint8
    assert isinstance(found["a"], np.memmap)
    assert found["t"].tolist() == ["x", "yy"]
    assert found["b"].tolist() == ["u", "v"]


def test_an_npz_of_pickles_or_no_npz_at_all_is_refused(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, a=np.array([{}, None], dtype=object))
    with pytest.raises(DataError, match="'a' of object"):
        columns_of(path)
    path.write_bytes(b"PK nonsense")
    with pytest.raises(DataError, match=r"not readable as \.npz"):
        columns_of(path)


def test_the_members_of_an_npz_cannot_name_files_of_ours(tmp_path):
    path, scratch = tmp_path / "in" / "d.npz", tmp_path / "deep" / "scratch"
    path.parent.mkdir()
    scratch.mkdir(parents=True)
    np.savez(path, **{"../../evil": np.arange(3)})
    assert columns.read(path, scratch)["../../evil"].tolist() == [0, 1, 2]
    assert not list(tmp_path.glob("evil*"))


def test_a_number_that_is_not_finite_is_refused_in_an_npz(tmp_path):
    np.savez(tmp_path / "d.npz", a=np.array([[0.0, 1.0], [np.nan, 1.0]]))
    with pytest.raises(DataError, match="column 'a' has nan in row 1"):
        columns_of(tmp_path / "d.npz")


def test_parquet_columns_come_by_kind(parquet):
    path = parquet(
        i=np.array([1, 2], np.uint8), f=np.array([0.5, 1.5], np.float32), b=[True, False],
        t=["x", "yy"], v=[[1.0, 2.0], [3.0, 4.0]],
    )  # fmt: skip
    found = columns_of(path)
    assert found["i"].dtype == np.int64
    assert found["f"].dtype == np.float64
    assert found["f"].tolist() == [0.5, 1.5]
    assert found["b"].tolist() == [1, 0]
    assert found["t"].tolist() == ["x", "yy"]
    assert found["v"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"a": [1, None]}, "column 'a' has no value in row 1"),
        ({"a": ["x", None]}, "column 'a' has no value in row 1"),
        ({"a": [1.0, float("nan")]}, "column 'a' has nan in row 1"),
        ({"a": [[1.0], [1.0, 2.0]]}, "differ in length"),
        ({"a": [{"b": 1}]}, "'a' of struct"),
    ],
)
def test_unfit_parquet_columns_are_refused(parquet, told, says):
    with pytest.raises(DataError, match=says):
        columns_of(parquet(**told))


def test_a_broken_parquet_file_is_refused(parquet, tmp_path):
    (tmp_path / "d.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(DataError, match=r"not readable as \.parquet"):
        columns.describe(tmp_path / "d.parquet")
    with pytest.raises(DataError, match="no such file"):
        columns.describe(tmp_path / "gone.parquet")


def test_missing_pyarrow_is_an_error_of_the_machine_that_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(HostError, match=r"edgestill\[table\]"):
        columns.describe(tmp_path / "d.parquet")


# --- rows -------------------------------------------------------------------------------------


def test_every_column_of_numbers_without_a_role_is_input(file, tmp_path):
    path = file("id,a,group,b,label\nr1,1,g1,0.5,yes\nr2,2,g2,1.5,no\n")
    found = read(path, tmp_path / "s")
    assert found["x"].dtype == np.float32
    assert found["x"].tolist() == [[1.0, 0.5], [2.0, 1.5]]
    assert found["y"].tolist() == ["yes", "no"]
    assert found["group"].tolist() == ["g1", "g2"]
    assert found["id"].tolist() == ["r1", "r2"]
    assert found["layout"] == "table"
    assert found["front_end"] == {
        "kind": "table", "columns": ["a", "b"], "window": 0, "stride": 0,
    }  # fmt: skip


def test_the_recipe_names_the_input_columns_and_their_order(file, tmp_path):
    path = file("a,b,c,note,y\n1,2,3,u,0\n4,5,6,v,1\n")
    found = read(path, tmp_path / "s", form={"columns": ("c", "a")})
    assert found["x"].tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert found["front_end"]["columns"] == ["c", "a"]


def test_an_axis_named_y_is_input_where_a_label_stands_beside_it(file, tmp_path):
    found = read(file("x,y,z,label\n1,2,3,0\n4,5,6,1\n"), tmp_path / "s")
    assert found["front_end"]["columns"] == ["x", "y", "z"]
    assert found["y"].tolist() == [0, 1]


def test_a_label_beside_the_target_is_no_input_and_noted(file, tmp_path):
    path = file("a,label,power\n1,0,2.5\n2,1,3.5\n")
    found = read(path, tmp_path / "s", task="regression", target=("power",))
    assert found["front_end"]["columns"] == ["a"]
    assert "'label' is not an input" in found["notes"][0]


def test_regression_names_its_numbers(file, tmp_path):
    path = file("a,u,v\n1,2,3\n4,5,6\n")
    found = read(path, tmp_path / "s", task="regression", target=("u", "v"))
    assert found["y"].dtype == np.float64
    assert found["y"].tolist() == [[2.0, 3.0], [5.0, 6.0]]
    assert found["labels"] == ("u", "v")
    one = read(path, tmp_path / "s", task="regression", target=("v",))
    assert one["y"].tolist() == [3.0, 6.0]


def test_multi_label_reads_one_column_a_label(file, tmp_path):
    path = file("a,u,v\n1,0,1\n4,1,1\n")
    found = read(path, tmp_path / "s", task="multi-label", target=("u", "v"))
    assert found["y"].dtype == np.uint8
    assert found["y"].tolist() == [[0, 1], [1, 1]]
    assert found["labels"] == ("u", "v")


def test_an_embedding_has_no_answer(file, tmp_path):
    found = read(file("a,b\n1,2\n3,4\n"), tmp_path / "s", task="embedding")
    assert "y" not in found
    assert found["x"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_column_split_gives_ready_splits_and_is_no_input(file, tmp_path):
    path = file("a,label,split\n1,0,train\n2,1,val\n3,0,test\n4,1,Train\n")
    found = read(path, tmp_path / "s")
    assert found["x_train"].tolist() == [[1.0], [4.0]]
    assert found["x_validation"].tolist() == [[2.0]]
    assert found["x_test"].tolist() == [[3.0]]
    assert found["y_train"].tolist() == [0, 1]


def test_a_folder_of_split_files_must_agree_in_its_columns(file, tmp_path):
    file("a,b,label\n1,2,0\n", "set/train.csv")
    file("a,b,label\n3,4,1\n", "set/test.csv")
    found = read(tmp_path / "set", tmp_path / "s")
    assert found["x_test"].tolist() == [[3.0, 4.0]]
    file("b,a,label\n3,4,1\n", "set/test.csv")
    with pytest.raises(DataError, match="columns 'b', 'a' in test"):
        read(tmp_path / "set", tmp_path / "s")


def test_a_parquet_table_reads_like_any_other(parquet, tmp_path):
    path = parquet(a=[1, 2], v=[[0.5, 1.5], [2.5, 3.5]], label=["u", "w"])
    found = read(path, tmp_path / "s")
    assert found["x"].tolist() == [[1.0, 0.5, 1.5], [2.0, 2.5, 3.5]]
    assert found["front_end"]["columns"] == ["a", "v[0]", "v[1]"]


def test_an_npz_may_hold_the_input_as_it_is(tmp_path):
    x = np.arange(24, dtype=np.int16).reshape(4, 3, 2)
    np.savez(tmp_path / "d.npz", x=x, y=[0, 1, 0, 1], group=[1, 1, 2, 2], labels=["lo", "hi"])
    found = read(tmp_path / "d.npz", tmp_path / "s")
    assert found["x"].dtype == np.int16
    np.testing.assert_array_equal(found["x"], x)
    assert found["layout"] == "tc"
    assert found["labels"] == ("lo", "hi")
    assert found["group"].tolist() == [1, 1, 2, 2]
    assert found["front_end"]["window"] == 3
    named = read(tmp_path / "d.npz", tmp_path / "s", form={"columns": ("left", "right")})
    assert named["front_end"]["columns"] == ["left", "right"]


def test_an_npz_may_hold_ready_splits(tmp_path):
    arrays = {f"x_{s}": np.ones((2, 3), np.float32) for s in ("train", "dev", "test")}
    arrays |= {f"y_{s}": np.arange(2) for s in ("train", "dev", "test")}
    np.savez(tmp_path / "d.npz", **arrays)
    found = read(tmp_path / "d.npz", tmp_path / "s")
    assert found["x_validation"].shape == (2, 3)
    assert found["y_validation"].tolist() == [0, 1]


def test_an_npz_of_named_columns_is_a_table(tmp_path):
    np.savez(tmp_path / "d.npz", a=np.arange(2), b=np.float32([0.5, 1.5]), label=np.arange(2))
    assert read(tmp_path / "d.npz", tmp_path / "s")["x"].tolist() == [[0.0, 0.5], [1.0, 1.5]]


def test_whole_numbers_that_float32_rounds_are_noted(file, tmp_path):
    found = read(file("t,label\n1700000000001,0\n1700000000002,1\n"), tmp_path / "s")
    assert "'t' has whole numbers above" in found["notes"][0]


@pytest.mark.parametrize(
    ("content", "part", "says"),
    [
        (
            "a,name,label\n" + "".join(f"1,u{i},0\n" for i in range(101)),
            {},
            r"'name' of text with 101 different values.*at most 100 categories; leave it out",
        ),
        (
            "a,label\n1,0\n2,1\nlow,0\n",
            {},
            r"'low' in row 2 .*, line 4, column 'a', expected a number",
        ),
        ("label,id\n0,1\n", {}, "no column of numbers left"),
        ("a,b\n1,2\n", {}, r"no column 'label' or 'y'.*data\.target"),
        ("a,label\n1,0\n", {"form": {"columns": ("b",)}}, r"no column 'b'.*data\.table\.columns"),
        ("a,label\n1,0\n", {"form": {"columns": ("label",)}}, "'label' as an input and as target"),
        ("a,n,y\n1,u,0\n1,,1\n", {"form": {"columns": ("n",)}}, "no value in row 1 .*'n'"),
        ("a,b,label\n1,2,0\n", {"ignore": ("c",)}, r"no column 'c'.*data\.ignore"),
        ("a,label\n1,0\n1e39,1\n", {}, r"1e\+39 in row 1 .*'a'"),
        ("a,group,label\n1,u,0\n2,,1\n", {}, "an empty field in row 1 .*'group'"),
        ("a,label\n1,u\n", {"task": "regression"}, "expected numbers"),
        ("a,label\n1,3\n", {"task": "multi-label"}, "3 in row 0"),
        ("a,label,split\n1,0,x\n", {}, "'x' in row 0"),
    ],
)
def test_unfit_tables_are_refused(file, tmp_path, content, part, says):
    with pytest.raises(DataError, match=f"(?s){says}"):
        read(file(content), tmp_path / "s", **part)


@pytest.mark.parametrize(
    ("arrays", "form", "says"),
    [
        ({"x": np.zeros((2, 3, 4, 5))}, {}, r"x of float64 and shape \[2, 3, 4, 5\]"),
        ({"x": np.array([["a"], ["b"]])}, {}, "expected numbers"),
        ({"x": np.zeros((2, 3, 4))}, {"window": 2}, "windows already"),
        ({"x": np.zeros((2, 3))}, {"columns": ("a", "b")}, "2 names, expected 3"),
        ({"x": np.zeros((3, 3))}, {}, "2 rows in 'y', expected 3"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, {}, "3 rows in 'b' and 2 in 'a'"),
    ],
)
def test_an_unfit_npz_is_refused(tmp_path, arrays, form, says):
    np.savez(tmp_path / "d.npz", **arrays, y=np.arange(2))
    with pytest.raises(DataError, match=says):
        read(tmp_path / "d.npz", tmp_path / "s", form=form)


# --- windows ----------------------------------------------------------------------------------


def recording(rows, header="a,group,label"):
    return f"{header}\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


def test_windows_stay_within_their_group(file, tmp_path):
    rows = [(i, "A" if i < 5 else "B", i % 2) for i in range(12)]
    found = read(file(recording(rows)), tmp_path / "s", form={"window": 2})
    assert found["x"][..., 0].tolist() == [[0, 1], [2, 3], [5, 6], [7, 8], [9, 10]]
    assert found["group"].tolist() == ["A", "A", "B", "B", "B"]
    assert found["x"].dtype == np.float32
    assert found["layout"] == "tc"
    assert found["front_end"] == {
        "kind": "table", "columns": ["a"], "window": 2, "stride": 2,
    }  # fmt: skip
    assert any("2 rows after the last whole window" in note for note in found["notes"])


def test_rows_of_a_group_that_lie_apart_are_brought_together_in_their_order(file, tmp_path):
    rows = [(i, "BA"[i % 2], 0) for i in range(8)]
    found = read(file(recording(rows)), tmp_path / "s", form={"window": 2})
    assert found["x"][..., 0].tolist() == [[0, 2], [4, 6], [1, 3], [5, 7]]
    assert found["group"].tolist() == ["B", "B", "A", "A"]


def test_the_stride_sets_where_windows_begin(file, tmp_path):
    path = file(recording([(i, "A", 0) for i in range(10)]))
    overlapping = read(path, tmp_path / "s", form={"window": 4, "stride": 3})
    assert overlapping["x"][:, 0, 0].tolist() == [0, 3, 6]
    apart = read(path, tmp_path / "t", form={"window": 2, "stride": 5})
    assert apart["x"][..., 0].tolist() == [[0, 1], [5, 6]]


def test_windows_are_those_that_numpy_slides(tmp_path):
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(500, 3)), np.sort(rng.integers(0, 7, 500))
    np.savez(tmp_path / "d.npz", x=x, y=np.zeros(500, int), group=group)
    found = read(tmp_path / "d.npz", tmp_path / "s", form={"window": 9, "stride": 4})
    wanted = [
        np.lib.stride_tricks.sliding_window_view(x[group == g], 9, axis=0)[::4].swapaxes(1, 2)
        for g in range(7)
    ]
    np.testing.assert_array_equal(found["x"], np.concatenate(wanted))


def test_the_label_of_a_window_is_the_most_frequent_and_the_later_of_equals(file, tmp_path):
    told = ["u", "u", "w", "v", "w", "w", "u", "w", "w", "u", "u", "w"]
    rows = [(i, "A", label) for i, label in enumerate(told)]
    found = read(file(recording(rows)), tmp_path / "s", form={"window": 4})
    assert found["y"].tolist() == ["u", "w", "w"]
    even = [(i, "A", label) for i, label in enumerate(["w", "u", "u", "w", "w", "w", "u", "u"])]
    found = read(file(recording(even)), tmp_path / "t", form={"window": 4})
    assert found["y"].tolist() == ["w", "u"]


def test_the_most_frequent_code_agrees_with_counting():
    codes = np.random.default_rng(0).integers(0, 4, (200, 7))
    wanted = []
    for row in codes.tolist():
        most = max(row.count(c) for c in row)
        wanted.append([c for c in row if row.count(c) == most][-1])
    assert windows.most_frequent(codes, 4).tolist() == wanted


def test_a_window_has_the_numbers_of_its_last_row_or_every_label(file, tmp_path):
    path = file("a,group,u,v\n1,A,0,1\n2,A,1,1\n3,A,0,0\n4,A,0,1\n")
    numbers = read(path, tmp_path / "s", form={"window": 2}, task="regression", target=("u", "v"))
    assert numbers["y"].tolist() == [[1.0, 1.0], [0.0, 1.0]]
    several = read(path, tmp_path / "t", form={"window": 2}, task="multi-label", target=("u", "v"))
    assert several["y"].tolist() == [[1, 1], [0, 1]]


def test_a_window_is_identified_by_its_first_row(file, tmp_path):
    rows = [(i, "A", 0, f"r{i}") for i in range(4)]
    found = read(file(recording(rows, "a,group,label,id")), tmp_path / "s", form={"window": 2})
    assert found["id"].tolist() == ["r0", "r2"]


def test_groups_shorter_than_a_window_are_noted_or_refused(file, tmp_path):
    path = file(recording([(0, "A", 0), (1, "B", 0), (2, "B", 1), (3, "C", 1)]))
    found = read(path, tmp_path / "s", form={"window": 2})
    assert found["x"][..., 0].tolist() == [[1, 2]]
    assert any("2 groups shorter than a window of 2 rows" in note for note in found["notes"])
    with pytest.raises(DataError, match="no run of 3 rows of one group"):
        read(path, tmp_path / "t", form={"window": 3})


def test_overlapping_windows_without_a_group_are_refused(file, tmp_path):
    path = file("a,label\n" + "1,0\n" * 9)
    with pytest.raises(DataError, match=r"overlap \(stride 2 of 3 rows\).*name a group column"):
        read(path, tmp_path / "s", form={"window": 3, "stride": 2})


def test_windows_side_by_side_without_a_group_are_cut_and_noted(file, tmp_path):
    found = read(file("a,label\n" + "1,0\n" * 9), tmp_path / "s", form={"window": 3})
    assert found["x"].shape == (3, 3, 1)
    assert any("may be in different splits" in note for note in found["notes"])


SPLIT_ROWS = ["train"] * 4 + ["test"] * 3 + ["validation"] * 3 + ["calibration"] * 3 + ["train"] * 3


def test_windows_stay_within_their_split_and_rows_that_follow_each_other(file, tmp_path):
    rows = [(i, split, 0) for i, split in enumerate(SPLIT_ROWS)]
    path = file(recording(rows, "a,split,label"))
    found = read(path, tmp_path / "s", form={"window": 3, "stride": 1})
    assert found["x_train"][..., 0].tolist() == [[0, 1, 2], [1, 2, 3], [13, 14, 15]]
    assert found["x_test"][..., 0].tolist() == [[4, 5, 6]]
    assert found["x_calibration"][..., 0].tolist() == [[10, 11, 12]]


def test_overlapping_windows_are_refused_where_a_split_is_still_to_be_cut_from_train(
    file, tmp_path
):
    rows = [(i, split, 0) for i, split in enumerate(SPLIT_ROWS) if split != "validation"]
    path = file(recording(rows, "a,split,label"))
    with pytest.raises(DataError, match="ready splits without validation"):
        read(path, tmp_path / "s", form={"window": 3, "stride": 1})
    assert len(read(path, tmp_path / "t", form={"window": 3})["x_train"]) == 2


def test_windows_of_split_files_stay_in_their_file(file, tmp_path):
    for i, split in enumerate(("train", "validation", "calibration", "test")):
        rows = [(10 * i + j, "A", 0) for j in range(3)]
        file(recording(rows), f"set/{split}.csv")
    found = read(tmp_path / "set", tmp_path / "s", form={"window": 2, "stride": 1})
    assert found["x_validation"][..., 0].tolist() == [[10, 11], [11, 12]]
    assert found["group_test"].tolist() == ["A", "A"]


def test_overlapping_windows_may_be_split_further_where_groups_keep_them_together(file, tmp_path):
    for split in ("train", "test"):
        file(recording([(j, split, 0) for j in range(3)]), f"set/{split}.csv")
    found = read(tmp_path / "set", tmp_path / "s", form={"window": 2, "stride": 1})
    assert found["group_train"].tolist() == ["train", "train"]


def test_windows_of_four_split_files_may_overlap_without_a_group(file, tmp_path):
    for split in ("train", "validation", "calibration", "test"):
        file("a,label\n1,0\n2,0\n3,0\n", f"set/{split}.csv")
    found = read(tmp_path / "set", tmp_path / "s", form={"window": 2, "stride": 1})
    assert found["x_test"][..., 0].tolist() == [[1, 2], [2, 3]]
