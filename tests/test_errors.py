"""Several failures are raised as one, which tells all of them."""

import pytest
from edgestill.errors import (
    DataError,
    EdgestillError,
    ModelError,
    RecipeError,
    check_all,
    no_file,
    no_read,
    together,
)


def refuse(error):
    raise error


def test_every_check_is_made_and_all_refusals_are_one_failure_of_the_first_ones_class():
    made = []
    with pytest.raises(RecipeError) as refused:
        check_all(
            lambda: refuse(RecipeError("a", where="x")),
            lambda: made.append(1),
            lambda: refuse(DataError("b", expected="c", fix="do d")),
        )
    assert made == [1]
    assert str(refused.value) == "x: a\nfound b, expected c; do d"
    assert [type(one) for one in refused.value.problems] == [RecipeError, DataError]


def test_checks_that_refuse_nothing_raise_nothing():
    check_all(lambda: None, lambda: 1)


def test_failures_of_several_parts_are_told_once_each():
    inner = together([EdgestillError("b"), EdgestillError("c")])
    whole = together([EdgestillError("a"), inner])
    assert [one.found for one in whole.problems] == ["a", "b", "c"]
    assert inner.problems == (inner,)


def test_a_missing_file_is_told_alike_with_the_name_that_is_near(tmp_path):
    for name in ("text.onnx", "my-data.npz"):
        (tmp_path / name).touch()
    told = {
        "text.onx": "did you mean 'text.onnx'?",
        "my-dat.npz": "did you mean 'my-data.npz'?",
        "nope.onnx": "check the path",  # the suffix alone makes no two names alike
    }
    for name, fix in told.items():
        path = tmp_path / name
        assert str(no_file(path, DataError)) == f"{path}: no such file; {fix}"
        assert str(no_read(path, FileNotFoundError(), DataError)) == f"{path}: no such file; {fix}"
    assert str(no_file(tmp_path / "a" / "b", RecipeError, "do c", "folder")).endswith(
        "b: no such folder; do c"
    )
    said = str(no_read(tmp_path, PermissionError(13, "Permission denied"), DataError))
    assert said.endswith(": a file that cannot be read (Permission denied); check the path")


def test_a_folder_and_a_link_that_leads_nowhere_are_no_misspelt_names(tmp_path):
    (tmp_path / "a.onnx").symlink_to(tmp_path / "gone.onnx")
    told = str(no_file(tmp_path / "a.onnx", ModelError))
    assert told.endswith("a.onnx: no such file; check the path")
    told = str(no_file(tmp_path, ModelError))
    assert told.endswith("found a folder, expected a file; name a file in it")
