"""Names of arrays: what people write is understood, and nothing is left out in silence."""

import numpy as np
import pytest
from edgestill.errors import DataError
from edgestill.pipeline.data import array_names, function, npz, split_names
from edgestill.pipeline.data.array_names import NUMBERS, meanings
from edgestill.pipeline.data.source_samples import checked
from edgestill.pipeline.recipe.data import Data
from edgestill.pipeline.records import SPLITS

DATA = Data(source="npz:d.npz")


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["X", "Y"], {"x": "X", "y": "Y"}),
        (["x_val", "y_dev", "X_valid"], None),
        (["X_train", "Y_val", "x_dev", "test_x"], {
            "x_train": "X_train", "y_validation": "Y_val", "x_validation": "x_dev",
            "x_test": "test_x"}),
        (["train_images", "train_labels", "val_images", "val_labels"], {
            "x_train": "train_images", "y_train": "train_labels",
            "x_validation": "val_images", "y_validation": "val_labels"}),
        (["xtrain", "y.test", "trainX"], None),
        (["images", "labels"], {"x": "images", "y": "labels"}),
        (["x", "y", "labels"], {"x": "x", "y": "y", "labels": "labels"}),
        (["x", "y", "class_names"], {"x": "x", "y": "y", "labels": "class_names"}),
        (["x_calib", "groups_train", "ids"], {
            "x_calibration": "x_calib", "group_train": "groups_train", "id": "ids"}),
    ],
)  # fmt: skip
def test_names_that_people_use_are_understood_and_two_for_one_are_refused(names, meant):
    if meant is None:
        with pytest.raises(DataError, match="which both mean"):
            meanings(names, NUMBERS, "d.npz", data=DATA)
    else:
        assert meanings(names, NUMBERS, "d.npz", data=DATA) == meant


@pytest.mark.parametrize("name", split_names.SPLIT_NAMES)
def test_every_name_of_a_split_is_read_from_an_archive(tmp_path, name):
    np.savez(tmp_path / "d.npz", **{f"X_{name}": np.ones((3, 2)), f"y_{name}": np.arange(3)})
    found = npz.read(str(tmp_path / "d.npz"), tmp_path, DATA)
    split = split_names.SPLIT_NAMES[name]
    assert sorted(found) == [f"x_{split}", f"y_{split}"]
    assert split in SPLITS


@pytest.mark.parametrize(
    ("name", "near"),
    [("x_vla", "x_val"), ("y_tset", "y_test"), ("lables", "labels"), ("x_evaluation", None)],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, near):
    with pytest.raises(DataError, match=f"unknown key '{name}'") as refused:
        meanings(["x", "y", name], NUMBERS, "d.npz", data=DATA)
    assert f'data.ignore = ["{name}"]' in refused.value.fix
    if near:
        assert f"did you mean {near!r}?" in refused.value.fix


def test_what_the_recipe_ignores_is_left_out_and_must_be_there():
    data = Data(source="npz:d.npz", ignore=("extra",))
    assert meanings(["x", "y", "extra"], NUMBERS, "d.npz", data=data) == {"x": "x", "y": "y"}
    with pytest.raises(DataError, match="no 'extra' among the keys"):
        meanings(["x", "y"], NUMBERS, "d.npz", data=data)


def test_names_of_the_recipe_replace_the_usual_ones():
    data = Data(source="npz:d.npz", target=("speed",), group="who", id="")
    names = ["x", "speed", "who", "y", "id"]
    assert meanings(names, NUMBERS, "d.npz", data=data) == {
        "x": "x", "y": "speed", "group": "who",
    }  # fmt: skip
    kept = meanings(["x", "speed_val"], NUMBERS, "d.npz", data=data, keep=True)
    assert kept == {"x": "x", "speed_validation": "speed_val"}
    with pytest.raises(DataError, match=r"no 'who' among.*correct data\.group"):
        array_names.require_named({"x": "x", "y": "speed"}, data, "d.npz", ["x", "speed"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"y_validation": np.arange(2)}, "y_validation without x_validation.*add x_validation"),
        ({"x": np.ones((2, 2))}, "x beside x_train.*rename it to x_train"),
        ({"id_calibration": np.arange(2)}, "id_calibration without x_calibration"),
    ],
)
def test_arrays_that_belong_to_no_samples_are_refused(more, says):
    ready = {f"x_{s}": np.ones((2, 2)) for s in ("train", "test")}
    ready |= {f"y_{s}": np.arange(2) for s in ("train", "test")}
    with pytest.raises(DataError, match=says):
        checked({**ready, **more}, DATA, "d.npz")


def test_a_functions_arrays_go_by_the_same_names(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "names_given.py").write_text(
        "import numpy as np\n"
        "def load():\n"
        "    return {'X_train': np.ones((4, 2)), 'y_train': np.array(['a', 'b'] * 2, object),\n"
        "            'X_val': np.ones((2, 2)), 'y_val': ['a', 'b'],\n"
        "            'x_test': np.ones((2, 2)), 'y_test': ['a', 'b']}\n"
        "def odd():\n"
        "    return {'x': np.ones((2, 2)), 'y': np.array(['a', 1], object)}\n"
    )
    found = function.read("names_given:load", None, DATA)
    assert sorted(found) == sorted(
        f"{axis}_{s}" for axis in "xy" for s in SPLITS if s != "calibration"
    )
    assert found["y_train"].dtype.kind == "U"
    with pytest.raises(DataError, match=r"y of Python objects \(int, str; int in row 1\)"):
        function.read("names_given:odd", None, DATA)
