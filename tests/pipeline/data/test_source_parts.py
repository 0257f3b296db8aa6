"""The parts that sources share: columns, roles, split files, folders, archives and tokens."""

import numpy as np
import pytest
from edgestill.errors import DataError, RecipeError
from edgestill.pipeline import data as sources
from edgestill.pipeline.data import (
    archive,
    audio_archive,
    column,
    column_roles,
    columns_npz,
    columns_parquet,
    digits,
    folder_classes,
    folder_files,
    folder_metadata,
    folders,
    function,
    split_files,
    table_rows,
)
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import BUILT_IN, SOURCE_KINDS, Data, TableForm

PNG = frozenset({".png"})


def a_file(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def of(**keys):
    return Data(source="table:t.csv", **keys)


def test_every_kind_of_source_that_a_recipe_may_name_is_read():
    assert set(sources.SOURCES) == {*SOURCE_KINDS, *BUILT_IN, "function"}
    with pytest.raises(RecipeError, match=r"'npz:FILE', 'images:FOLDER'.*did you mean 'images'"):
        sources.find("image:my-folder")


def test_a_message_lists_at_most_twelve_names():
    assert column.listed(["a", "b"]) == "'a', 'b'"
    assert column.listed([str(i) for i in range(14)]).endswith("'11' and 2 more")
    with pytest.raises(DataError, match=r"no column 'c' among 'a', 'b'.*correct data.target"):
        column.require(["a", "b"], "c", "t.csv", "data.target")


def test_columns_of_one_kind_share_a_file(tmp_path):
    columns = {name: column.Column("float", "float", rows=3) for name in "abc"}
    arrays = column.allocate(tmp_path, columns)
    assert [file.name for file in tmp_path.iterdir()] == ["float.npy"]
    assert {name: array.shape for name, array in arrays.items()} == dict.fromkeys("abc", (3,))


def test_members_of_an_archive_are_columns(tmp_path):
    np.savez(tmp_path / "t.npz", a=np.arange(3), b=np.ones((3, 2)), c=np.array(["x", "y", "z"]))
    described = columns_npz.describe(tmp_path / "t.npz")
    assert {name: (c.kind, c.shape) for name, c in described.items()} == {
        "a": ("int", ()),
        "b": ("float", (2,)),
        "c": ("text", ()),
    }
    assert list(columns_npz.strings(tmp_path / "t.npz", "c", tmp_path)) == [["x", "y", "z"]]


def test_columns_of_a_parquet_file_are_read_by_name(tmp_path):
    pytest.importorskip("pyarrow")
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table({"a": [1, 2], "b": [[0.5, 1.0], [1.5, 2.0]]}), path)
    described = columns_parquet.describe(path)
    arrays = columns_parquet.read(path, tmp_path, described)
    assert arrays["a"].tolist() == [1, 2]
    assert arrays["b"].tolist() == [[0.5, 1.0], [1.5, 2.0]]
    with pytest.raises(DataError, match=r"expected a column of text"):
        list(columns_parquet.strings(path, "a", tmp_path))


def test_roles_are_those_of_the_recipe_with_the_suffix_of_a_split():
    columns = {f"{name}_train": column.Column("int", "int", 4) for name in ("y", "site", "id")}
    roles = column_roles.roles_of(columns, of(group="site"), "t.npz", "_train")
    assert roles == (("y_train",), "site_train", "id_train", None)
    with pytest.raises(DataError, match=r"column 'y' has two roles"):
        column_roles.roles_of({"y": column.Column("int", "int", 4)}, of(group="y"), "t.npz")


def test_targets_of_several_columns_stand_side_by_side():
    columns = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    y, names = column_roles.target_values(columns, ["a", "b"], of(task="regression"), "t.csv")
    assert (y.tolist(), names) == ([[1.0, 3.0], [2.0, 4.0]], ("a", "b"))


def test_a_folder_of_split_files_needs_train_and_test(tmp_path):
    for name in ("train.csv", "val.csv", "test.csv", "notes.txt"):
        a_file(tmp_path / name)
    found = split_files.split_files(tmp_path)
    assert {split: path.name for split, path in found.items()} == {
        "train": "train.csv",
        "validation": "val.csv",
        "test": "test.csv",
    }
    (tmp_path / "test.csv").unlink()
    with pytest.raises(DataError, match=r"no test.csv in the folder"):
        split_files.split_files(tmp_path)


def test_a_column_split_sorts_the_rows(tmp_path):
    column_of_splits = split_files.split_of_rows(np.array(["train", "Dev", "test"]), "t.csv")
    assert column_of_splits.tolist() == ["train", "validation", "test"]
    arrays = {"": {"labels": (), "x": np.arange(3), "y": np.arange(3), "split": column_of_splits}}
    result = split_files.assemble(arrays, "t.csv", lambda x, rows, _: x[rows])
    assert {key: values.tolist() for key, values in result.items()} == {
        "x_train": [0],
        "y_train": [0],
        "x_validation": [1],
        "y_validation": [1],
        "x_test": [2],
        "y_test": [2],
    }


def test_rows_of_a_table_become_a_matrix_of_the_named_columns(tmp_path):
    path = a_file(tmp_path / "t.csv", b"a,b,label\n1,2,0\n3,4,1\n")
    data = of(table=TableForm(columns=("b", "a")))
    arrays = table_rows.arrays_of_file(path, "", tmp_path, data, [])[""]
    assert arrays["x"].tolist() == [[2.0, 1.0], [4.0, 3.0]]
    assert (arrays["columns"], arrays["y"].tolist()) == (("b", "a"), [0, 1])


def test_hidden_files_are_ignored_and_links_are_refused(tmp_path):
    a_file(tmp_path / "cat" / "1.png")
    a_file(tmp_path / "cat" / ".thumbs")
    assert [path.name for path in folder_files.all_files(tmp_path)] == ["1.png"]
    (tmp_path / "dog").symlink_to(tmp_path / "cat")
    with pytest.raises(DataError, match=r"found a link to"):
        list(folder_files.all_files(tmp_path))


def test_the_folder_of_a_file_is_its_class(tmp_path):
    for name in ("train/cat/1.png", "train/dog/1.png", "test/cat/2.png", "test/dog/2.png"):
        a_file(tmp_path / name)
    items = folder_classes.from_class_folders(tmp_path, PNG, Data(source="images:d"))
    assert {(item.split, item.label, item.id) for item in items} == {
        ("train", "cat", "train/cat/1.png"),
        ("train", "dog", "train/dog/1.png"),
        ("test", "cat", "test/cat/2.png"),
        ("test", "dog", "test/dog/2.png"),
    }
    assert [item.label for item in folders.listing(tmp_path, PNG, Data(source="images:d"))] == [
        "cat",
        "dog",
        "cat",
        "dog",
    ]


def test_a_line_of_the_metadata_gives_label_group_and_id(tmp_path):
    a_file(tmp_path / "1.png")
    a_file(tmp_path / "metadata.csv", b"file,label,group,id\n1.png,cat,site 3,a\n")
    (item,) = folder_metadata.from_metadata(tmp_path, PNG, Data(source="images:d"))
    assert (item.label, item.group, item.id, item.split) == ("cat", "site 3", "a", None)


def test_a_member_is_unpacked_under_a_name_of_ours(tmp_path):
    np.savez(tmp_path / "a.npz", **{"../x": np.arange(3)})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    arrays = archive.unpacked(tmp_path / "a.npz", scratch, lambda _: {"x": "../x"}, "fix")
    assert arrays["x"].tolist() == [0, 1, 2]
    assert [file.name for file in scratch.iterdir()] == ["member0.npy"]
    a_file(tmp_path / "b.npz", b"no archive")
    with pytest.raises(DataError, match=r"not a readable archive of plain arrays.*; fix"):
        archive.unpacked(tmp_path / "b.npz", scratch, lambda _: {}, "fix")


def test_clips_of_an_archive_begin_at_their_offsets(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        audio=np.arange(10, dtype=np.int16),
        offsets=np.array([0, 4, 9]),
        label=np.array(["yes", "no"]),
        sample_rate=8000,
    )
    data = Data(source="audio:a.npz")
    with pytest.raises(DataError, match=r"offsets from 0 to 9.*rising from 0 to 10"):
        audio_archive.from_archive(tmp_path / "a.npz", tmp_path, data, Silent())


def test_the_digits_are_those_of_scikit_learn():
    arrays = digits.read()
    assert (arrays["x"].shape, arrays["x"].dtype) == ((1797, 8, 8), np.uint8)
    assert digits.fingerprint("").startswith("digits of scikit-learn ")


def test_a_function_must_return_a_dict_of_arrays():
    with pytest.raises(DataError, match=r"found a float, expected a dict with x and y"):
        function.read("time:time", None, Data(source="time:time"))
