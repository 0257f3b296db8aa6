"""Bad input, through the real command: the right exit code and one line that says what and where.

``refused`` runs a command twice, with and without ``--json``, and holds every refusal to the same
promises: the exit code of its kind, one ``error:`` line, no traceback, nothing on stdout (or one
JSON document), and nothing half-made left behind.
"""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from edgestill.pipeline.commands.cli import main
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

RECIPE, MATERIAL, ENVIRONMENT, INTERRUPTED = 2, 3, 4, 130
GOOD = """
name = "bad-input"
threads = 1
[data]
source = "npz:data.npz"
[teacher]
model = "mlp1"
width = 4
epochs = 1
batch_size = 8
[student]
model = "mlp1"
width = 2
[distill]
epochs = 1
batch_size = 8
[gate]
min_accuracy = 0.5
"""


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs ``edgestill …`` in this process and a fresh folder: code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["edgestill", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


@pytest.fixture
def refused(command, tmp_path):
    """Runs a command that must be refused, both ways, and returns its one line."""

    def run(*arguments, code, says):
        line = _refusal(command(*arguments), code, tmp_path)
        with_json, document, err = command(*arguments, "--json")
        assert with_json == code
        error = json.loads(document)["error"]
        assert json.loads(document)["exit_code"] == code
        assert error["found"]
        assert " ".join(error["found"].split()) in line
        assert err.splitlines()[-1] == line
        for bit in [says] if isinstance(says, str) else says:
            assert bit in line, f"{bit!r} is not in {line!r}"
        return line

    return run


def _refusal(said, code, folder):
    found, out, err = said
    assert "Traceback" not in err
    assert found == code, err
    assert out == ""
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert errors == err.splitlines()[-1:]
    assert left_behind(folder) == []
    return errors[0]


def left_behind(folder):
    """Half-made things below a folder, and runs, of which a refused build makes none."""
    made = [
        p for p in folder.rglob("*") if p.name.startswith((".draft-", ".probe")) or ".tmp" in p.name
    ]
    return made + list(folder.glob("*/runs/*/*"))


def write_recipe(folder, *changes):
    """The good recipe with some of its text replaced."""
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "recipe.toml").write_text(text)
    return folder / "recipe.toml"


def good(samples=60, classes=3, columns=4):
    """A small data set in order."""
    x = np.random.default_rng(0).normal(size=(samples, columns)).astype(np.float32)
    return {"x": x, "y": np.arange(samples) % classes}


def changed(**arrays):
    """The good data set with arrays replaced, added, or (None) left out."""
    return {key: value for key, value in {**good(), **arrays}.items() if value is not None}


def put(array, index, value):
    """A copy of an array with one value replaced."""
    array = array.copy()
    array[index] = value
    return array


# --- the recipe -------------------------------------------------------------------------------

CHANGES = {
    "an unknown soft loss": (
        [("[distill]", "[distill]\nlosses = { kdd = 1.0 }")],
        ["distill.losses.kdd", "'kdd'", "'kd', 'mse', 'dkd', 'dist' or 'cosine'"],
    ),
    "no soft loss": (
        [("[distill]", "[distill]\nlosses = {}")],
        ["distill.losses", "at least one name"],
    ),
    "an unknown key, with the nearest known one": (
        [("batch_size = 8", "batchsize = 8")],
        ["recipe.toml: teacher.batchsize", "unknown key", "did you mean 'batch_size'?"],
    ),
    "an unknown section, rather than the one it leaves missing": (
        [("[gate]", "[gaet]")],
        ["gaet", "unknown key", "did you mean 'gate'?"],
    ),
    "an unknown key that resembles none": (
        [("epochs = 1", "epochs = 1\nzzz = 1")],
        ["teacher.zzz", "known here: epochs"],
    ),
    "a count below 1": (
        [("epochs = 1", "epochs = 0")],
        ["teacher", "weights for 'mlp1'", "epochs = 0; 1 or more train it"],
    ),
    "a learning rate of nan": (
        [("epochs = 1", "epochs = 1\nlearning_rate = nan")],
        ["teacher.learning_rate", "found nan", "a number above 0"],
    ),
    "an infinite weight decay": (
        [("epochs = 1", "epochs = 1\nweight_decay = inf")],
        ["teacher.weight_decay", "found inf", "a number from 0 to 1"],
    ),
    "text where a number belongs": (
        [("width = 4", 'width = "4"')],
        ["teacher.width", "found '4'", "whole number"],
    ),
    "a truth value where a number belongs": (
        [("width = 4", "width = true")],
        ["teacher.width", "found true", "whole number"],
    ),
    "a number where a table belongs": (
        [("[gate]\nmin_accuracy = 0.5", ""), ("threads = 1", "gate = 1")],
        ["gate", "found 1", "a table"],
    ),
    "no budget": (
        [("min_accuracy = 0.5", 'prefer = "size"')],
        ["recipe.toml: gate", "at least one budget"],
    ),
    "splits that leave no train set": (
        [("[data]", "[data]\ntest = 0.5\nvalidation = 0.3\ncalibration = 0.2")],
        ["data", "below 1, not 1"],
    ),
    "a mean without std": ([("[data]", "[data]\nmean = [1.0]")], ["mean and std together"]),
    "as many means as deviations": (
        [("[data]", "[data]\nmean = [1.0, 2.0]\nstd = [1.0]")],
        ["as many values of std as of mean (2), not 1"],
    ),
    "a deviation of zero": (
        [("[data]", "[data]\nmean = [1.0]\nstd = [0.0]")],
        ["data.std.0", "found 0.0", "a number above 0"],
    ),
    "an unknown model family": (
        [('model = "mlp1"', 'model = "resmet20"')],
        ["teacher.model", "found 'resmet20'", "did you mean 'resnet20'?"],
    ),
    "a family without a depth": (
        [('model = "mlp1"', 'model = "resnet"')],
        ["teacher.model", "a family and a depth"],
    ),
    "a depth that a student's family has not, before the teacher is trained": (
        [('[student]\nmodel = "mlp1"', '[student]\nmodel = "resnet18"')],
        ["student.model", "found 'resnet18'", "'resnet14' or 'resnet20'"],
    ),
    "a missing section": (
        [('[student]\nmodel = "mlp1"\nwidth = 2', "")],
        ["student: missing", '[student] with model = "resnet8"'],
    ),
    "a missing key": ([('source = "npz:data.npz"', "")], ["data.source: missing", "source ="]),
    "a name that climbs out of its folder": (
        [('"bad-input"', '"../escape"')],
        ["name", "found '../escape'", "a name of 1 to 64"],
    ),
    "a negative seed": ([("threads = 1", "seed = -1")], ["seed", "found -1"]),
    "an unknown source": (
        [("npz:data.npz", "digit")],
        ["data.source", "found 'digit'", "did you mean 'digits'?"],
    ),
    "a variant twice": (
        [("[gate]", '[compress]\nvariants = ["fp32", "fp32"]\n[gate]')],
        ["compress.variants", "each variant once"],
    ),
    "a home nobody has": (
        [("npz:data.npz", "npz:~nobody-of-that-name/x.npz")],
        ["data.source", "~nobody-of-that-name", "a home folder that exists"],
    ),
    "broken TOML, with its line": (
        [("threads = 1", "threads = = 1")],
        ["recipe.toml", "not valid TOML", "line 3"],
    ),
    "a number too long to be one": (
        [("threads = 1", f"seed = {'9' * 5000}")],
        ["recipe.toml", "not valid TOML"],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_recipe_is_refused_for(case, refused, tmp_path):
    changes, says = CHANGES[case]
    refused("build", write_recipe(tmp_path, *changes), code=RECIPE, says=says)
    assert not (tmp_path / "artifacts/store/x").exists()


def test_a_recipe_that_is_not_there_is_refused_with_the_command_that_writes_one(refused):
    refused("build", "no.toml", code=RECIPE, says=["no.toml", "no such file", "edgestill init DIR"])


def test_a_folder_is_no_recipe(refused, tmp_path):
    refused("build", tmp_path, code=RECIPE, says=[str(tmp_path), "cannot be read (Is a directory)"])


SETS = {
    "distill.temperature": ["'distill.temperature'", "key=value"],
    "=1": ["--set", "key=value"],
    "distill.temperature=cold": ["distill.temperature", "found 'cold'", "a number above 0"],
    "distill.temprature=2": ["distill.temprature", "did you mean 'temperature'?"],
    "name.first=1": ["--set", "'name' to be a table"],
    "seed=": ["seed", "found ''", "whole number"],
    "seed=1\nname='other'": ["--set", "one key and one value"],
}


@pytest.mark.parametrize("text", SETS)
def test_an_override_is_refused_for_its_form_key_or_value(text, refused, tmp_path):
    recipe = write_recipe(tmp_path)
    refused("build", recipe, "--set", text, code=RECIPE, says=SETS[text])


USAGES = {
    "an unknown command": (["bild"], ["No such command 'bild'"]),
    "an unknown option": (["build", "--untill", "data"], ["--untill", "edgestill build --help"]),
    "an unknown stage": (["build", "--until", "studnet"], ["--until", "'studnet'", "student"]),
    "a negative seed": (["build", "--seed", "-1"], ["--seed", "-1"]),
    "a recipe too many": (["build", "a.toml", "b.toml"], ["b.toml"]),
    "no model to measure": (["bench"], ["MODELS"]),
}


@pytest.mark.parametrize("case", USAGES)
def test_a_command_line_is_refused_for(case, refused):
    arguments, says = USAGES[case]
    refused(*arguments, code=RECIPE, says=says)


def test_no_command_at_all_is_refused(command, tmp_path):
    code, out, err = command()
    assert (code, out) == (RECIPE, "")
    assert err.startswith("Usage: edgestill")
    assert left_behind(tmp_path) == []


def test_an_existing_recipe_is_never_overwritten(command, tmp_path):
    recipe = write_recipe(tmp_path)
    line = _refusal(command("init", tmp_path), RECIPE, tmp_path)
    assert "found a file that exists, expected a new file" in line
    assert recipe.read_text() == GOOD


# --- the data ---------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")
X, Y = good()["x"], good()["y"]
READY = {"x_train": X, "y_train": Y, "x_test": X[:9] + 1, "y_test": Y[:9]}

ARRAYS = {
    "no y": (changed(y=None), ["arrays read as x,", "expected x and y"]),
    "none of the known keys": ({"images": X}, ["data.npz", "arrays read as x,", "x and y"]),
    "ready splits without test": ({"x_train": X, "y_train": Y}, ["expected x_test, y_test too"]),
    "a ready split without labels": (
        {**READY, "x_validation": X[:9] + 2},
        ["x_validation without y_validation"],
    ),
    "fewer labels than samples": (changed(y=Y[:50]), ["60 samples in x and 50 labels in y"]),
    "no samples": ({"x": X[:0], "y": Y[:0]}, ["no samples", "(0, 4)"]),
    "samples without columns": ({"x": X[:, :0], "y": Y}, ["no samples", "(60, 0)"]),
    "samples that are single numbers": (changed(x=X[:, 0]), ["x of shape (60,)", "[n, 1]"]),
    "labels in two columns": (changed(y=np.stack([Y, Y], 1)), ["shape [60, 2]", "multi-label"]),
    "a NaN, with its row and column": (changed(x=put(X, (7, 2), NAN)), ["nan in row 7, column 2"]),
    "an infinity": (changed(x=put(X, (59, 0), INF)), ["inf in row 59, column 0", "finite"]),
    "a number beyond float32": (
        changed(x=put(X.astype(np.float64), (3, 1), 1e300)),
        ["1e+300 in row 3, column 1", "float32"],
    ),
    "complex samples": (changed(x=X.astype(np.complex64)), ["dtype complex64", "numbers"]),
    "text for samples": (changed(x=X.astype(str)), ["dtype <U", "numbers"]),
    "a negative label": (changed(y=put(Y, 5, -2)), ["from -2 to 2", "every whole number from 0"]),
    "a fractional label": (changed(y=put(Y * 1.0, 6, 1.5)), ["label 1.5 in row 6"]),
    "a label without end": (changed(y=put(Y * 1.0, 6, np.inf)), ["label inf in row 6"]),
    "a label beyond the names": (
        changed(labels=np.array(["a", "b"])),
        ["label 2 in row 2", "0 to 1", "2 labels"],
    ),
    "text that no label names": (
        changed(y=np.array(["cat", "dog", "cow"])[Y], labels=np.array(["cat", "dog"])),
        ["label 'cow' in row 2", "['cat', 'dog']"],
    ),
    "text that is not UTF-8": (changed(y=np.array([b"a", b"\xff"])[Y % 2]), ["labels", "UTF-8"]),
    "the same name for two classes": (
        changed(labels=np.array(["a", "a", "b"])),
        ["data.labels", "same label twice"],
    ),
    "one class": (changed(y=Y * 0), ["one class", "at least two"]),
    "a class that a ready split has not": (
        {**READY, "y_test": READY["y_test"] % 2},
        ["no sample of class '2' in test"],
    ),
    "a class too rare to be split": (
        changed(y=np.where(np.arange(60) < 3, 2, Y % 2)),
        ["3 samples of class '2'", "at least 4"],
    ),
    "a gap in the labels": (
        changed(y=put(Y, Y == 1, 3)),
        ["3 different labels from 0 to 3", "name them by value"],
    ),
    "the same sample in train and test": (
        {**READY, "x_test": put(READY["x_test"], 4, X[11])},
        ["1 samples of train (first: row 11)", "disjoint", 'duplicates = "drop"'],
    ),
    "train and test of different shapes": (
        {**READY, "x_test": READY["x_test"][:, :3]},
        ["float32 [3] in test", "float32 [4]"],
    ),
    "a group of another length": (changed(group=np.arange(59)), ["group of shape [59]"]),
    "a group that is one number": (changed(group=np.array(3)), ["group of shape []"]),
    "a group with ready splits": ({**READY, "group": Y}, ["for all samples, and ready splits"]),
    "too few groups": (
        changed(group=np.arange(60) // 30),
        ["2 groups ('0', '1')", "expected at least 3"],
    ),
    "fewer samples than a batch": (
        {**READY, "x_train": X[:12], "y_train": Y[:12], "x_validation": X[:9] + 2,
         "y_validation": Y[:9], "x_calibration": X[:9] + 3, "y_calibration": Y[:9],
         "x_test": X[:9] + 1},
        ["12 samples in train", "at least one batch of 32", "lower batch_size"],
    ),
    "axes that could mean two things": (
        {"x": np.random.default_rng(0).normal(size=(60, 3, 5, 3)), "y": Y},
        ["[3, 5, 3]", 'layout = "hwc" or "chw"'],
    ),
    "pickled objects": (changed(x=np.array([{}] * 60, dtype=object)), ["Python objects"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ARRAYS)
def test_a_data_set_is_refused_for(case, refused, tmp_path):
    arrays, says = ARRAYS[case]
    np.savez(tmp_path / "data.npz", **arrays)
    big = ["--set", "distill.batch_size=32"] if "batch" in case else []
    recipe = write_recipe(tmp_path)
    refused("build", recipe, "--until", "data", *big, code=MATERIAL, says=says)


TASKS = {
    "no labels that hold or not": (
        "multi-label",
        good(),
        ["y of int64 [60]", "numbers per sample"],
    ),
    "a label that holds twice": (
        "multi-label",
        changed(y=put(np.zeros((60, 3)), (4, 1), 2)),
        ["2.0 in row 4, answer 1", "0 or 1"],
    ),
    "a number without end": (
        "regression",
        changed(y=put(Y * 1.0, 9, np.inf)),
        ["inf in row 9", "finite float32"],
    ),
    "text for numbers": ("regression", changed(y=Y.astype(str)), ["y of <U", "numbers"]),
    "fewer numbers than samples": (
        "regression",
        changed(y=Y[:50]),
        ["60 samples in x and 50 labels in y"],
    ),
    "ids of another length": (
        "embedding",
        changed(y=None, id=np.arange(59)),
        ["id of shape [59]", "60 samples"],
    ),
    "a NaN without any label": ("embedding", {"x": put(X, (3, 1), NAN)}, ["nan in row 3"]),
}


@pytest.mark.parametrize("case", TASKS)
def test_a_data_set_of_another_task_is_refused_for(case, refused, tmp_path):
    task, arrays, says = TASKS[case]
    np.savez(tmp_path / "data.npz", **arrays)
    of_task = ("[data]", f'[data]\ntask = "{task}"'), ("min_accuracy", "min_score")
    refused("build", write_recipe(tmp_path, *of_task), "--until", "data", code=MATERIAL, says=says)


def _folder(path):
    path.mkdir()


def _not_a_zip(path):
    path.write_bytes(b"x, y\n1, 2\n")


def _empty(path):
    path.write_bytes(b"")


def _cut_short(path):
    np.savez(path, **good())
    path.write_bytes(path.read_bytes()[:-40])


def _array_cut_short(path):
    np.save(path.with_name("x.npy"), X)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", path.with_name("x.npy").read_bytes()[:-40])
        archive.writestr("y.npy", b"")


def _contents_before_the_beginning(path):
    np.savez(path, **good())
    content = bytearray(path.read_bytes())
    content[-6:-2] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)


def _damaged(path):
    np.savez_compressed(path, **good(600))
    content = bytearray(path.read_bytes())
    content[400:440] = bytes(40)
    path.write_bytes(content)


FILES = {
    "it is not there": (lambda path: None, ["data.npz", "no such file", "correct data.source"]),
    "it is a folder": (_folder, ["data.npz", "directory"]),
    "it is not an archive": (_not_a_zip, ["data.npz", "not a readable archive"]),
    "it is empty": (_empty, ["data.npz", "not a readable archive"]),
    "it is cut short": (_cut_short, ["data.npz", "not a readable archive"]),
    "an array in it is cut short": (
        _array_cut_short,
        ["960 bytes of float32, in 920"],
    ),
    "its table of contents is said to lie before its beginning": (
        _contents_before_the_beginning,
        ["data.npz", "not a readable archive", "numpy.savez"],
    ),
    "it is damaged": (_damaged, ["data.npz", "not a readable archive", "numpy.savez"]),
}


@pytest.mark.parametrize("case", FILES)
def test_a_data_file_is_refused_because(case, refused, tmp_path):
    make, says = FILES[case]
    make(tmp_path / "data.npz")
    refused("build", write_recipe(tmp_path), "--until", "data", code=MATERIAL, says=says)


def test_the_same_sample_in_train_and_test_is_dropped_where_the_recipe_says_so(command, tmp_path):
    np.savez(tmp_path / "data.npz", **{**READY, "x_test": put(READY["x_test"], 4, X[11])})
    code, out, _ = command(
        "build", write_recipe(tmp_path), "--until", "data", "--json",
        "--set", "data.duplicates=drop",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["record"]["dropped"] == 1


def test_a_failure_is_not_kept_so_that_the_mended_data_builds(command, refused, tmp_path):
    recipe = write_recipe(tmp_path)
    np.savez(tmp_path / "data.npz", **changed(x=put(X, (7, 2), NAN)))
    refused("build", recipe, "--until", "data", code=MATERIAL, says="nan")
    np.savez(tmp_path / "data.npz", **good())
    assert command("build", recipe, "--until", "data")[0] == 0


def test_means_that_are_not_one_a_channel_are_refused(refused, tmp_path):
    np.savez(tmp_path / "data.npz", **good())
    recipe = write_recipe(tmp_path, ("[data]", "[data]\nmean = [1.0, 2.0]\nstd = [1.0, 1.0]"))
    says = ["data.mean", "2 values", "1 or 4"]
    refused("build", recipe, "--until", "data", code=MATERIAL, says=says)


def test_a_layout_that_does_not_fit_is_refused(refused, tmp_path):
    np.savez(tmp_path / "data.npz", **good())
    recipe = write_recipe(tmp_path, ("[data]", '[data]\nlayout = "hwc"'))
    says = ["data.layout", "samples of shape [4]", "3 axes"]
    refused("build", recipe, "--until", "data", code=MATERIAL, says=says)


FUNCTIONS = {
    "the module is missing": (None, ["no module", "or on the Python path", "make() in it"]),
    "the function is missing": ("other = 1", ["no function 'make' in", "write make() there"]),
    "the module does not parse": ("def make(:", ["cannot be loaded", "SyntaxError"]),
    "the module fails": ("1 / 0", ["cannot be loaded", "ZeroDivisionError"]),
    "the module leaves": ("raise SystemExit(0)", ["cannot be loaded", "SystemExit"]),
    "the function fails": (
        "def make():\n    raise OSError('no network\\ntry later')",
        ["failed with OSError: no network try later"],
    ),
    "the function returns no dict": ("def make():\n    return [1]", ["a list", "a dict with x"]),
    "it is no function": ("make = 3", ["'make' of type int", "expected a function"]),
    "the rows are ragged": (
        "def make():\n    return {'x': [[1], [1, 2]], 'y': [0, 1]}",
        ["x that is no array"],
    ),
    "the arrays hold objects": (
        "def make():\n    return {'x': [[None], [1]], 'y': [0, 1]}",
        ["x of Python objects", "numbers or text"],
    ),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_a_function_for_data_is_refused_because(case, refused, tmp_path):
    text, says = FUNCTIONS[case]
    module = f"data_{list(FUNCTIONS).index(case)}"
    if text is not None:
        (tmp_path / f"{module}.py").write_text(text)
    recipe = write_recipe(tmp_path, ("npz:data.npz", f"{module}:make"))
    says = [f"data.source {module}:make", *says]
    refused("build", recipe, "--until", "data", code=MATERIAL, says=says)


# --- what the recipe asks of this data ----------------------------------------------------------

IMAGES = {"x": np.random.default_rng(0).integers(0, 255, (60, 8, 8, 3)).astype(np.uint8), "y": Y}


def of_task(task):
    """Sets for a task, with a loss and a budget that it has."""
    loss = {"embedding": "cosine", "multi-label": "kd"}.get(task, "mse")
    return [f"data.task={task}", f"distill.losses={{ {loss} = 1.0 }}"]


DEMANDS = {
    "views that would all be alike": (
        good(),
        ["distill.views=3"],
        ["distill.views", "views = 3, and nothing in [augment]", "views = 1", "crop, flip"],
    ),
    "losses between layers of a teacher that was asked before": (
        good(),
        ['distill.layers=[{ loss = "hint", teacher = "1", student = "1" }]'],
        ["distill.layers", "views = 0 and one teacher"],
    ),
    "losses between layers of several teachers": (
        good(),
        [
            'distill.layers=[{ loss = "hint", teacher = "1", student = "1" }]',
            "distill.views=0",
            'teacher.members=[{ model = "mlp2" }]',
        ],
        ["distill.layers", "views = 0 and one teacher"],
    ),
    "a student that starts from a perceptron": (
        good(),
        ["distill.initialize=true", "distill.views=0"],
        ["distill.initialize", "'mlp1' of width 2", "transformers of one width"],
    ),
    "a soft loss that a regression has not": (
        changed(y=Y * 1.0),
        ["data.task=regression", "gate={ min_score = 0.1 }"],
        ["distill.losses", "'kd'", "'mse' for the task 'regression'", "mse = 1.0"],
    ),
    "a soft loss that labels have not": (
        changed(y=np.eye(3)[Y]),
        ["data.task=multi-label", "gate={ min_score = 0.1 }", "distill.losses={ dkd = 1.0 }"],
        ["distill.losses", "'dkd'", "'kd' or 'mse'"],
    ),
    "a soft loss that classes have not": (
        good(),
        ["distill.losses={ cosine = 1.0 }"],
        ["distill.losses", "'cosine'", "'kd' or 'mse' or 'dkd' or 'dist'"],
    ),
    "standardized numbers": (
        changed(y=Y * 1.0),
        [*of_task("regression"), "gate={ min_score = 0.1 }", "distill.standardize=true"],
        ["distill.standardize", "false for the task 'regression'"],
    ),
    "the recall of a class that is none": (
        good(),
        ['gate={ min_recall = { "7" = 0.9 } }'],
        ["gate.min_recall", "'7', which is no class of the data", "'0', '1', '2'"],
    ),
    "class weights of numbers": (
        changed(y=Y * 1.0),
        [*of_task("regression"), "gate={ min_score = 0.1 }", "teacher.class_weights=true"],
        ["teacher.class_weights", "class_weights for regression", "classes or labels"],
    ),
    "smoothed vectors": (
        changed(y=None),
        [*of_task("embedding"), "gate={ min_score = 0.1 }", "distill.label_smoothing=0.1"],
        ["distill.label_smoothing", "for embedding"],
    ),
    "the likeliest of some numbers": (
        changed(y=Y * 1.0),
        [*of_task("regression"), "gate={ min_score = 0.1 }", "distill.top_k=2"],
        ["distill.top_k", "top_k = 2 for regression"],
    ),
    "a mirrored table": (
        good(),
        ["augment.flip=true"],
        ["augment.flip", "flip = true for samples of layout 'table'", "leave augment.flip out"],
    ),
    "a crop of more than an image has": (
        IMAGES,
        ["augment.crop=8"],
        ["augment.crop", "crop = 8", "[8, 8, 3]", "at most 7"],
    ),
    "masked images": (IMAGES, ["augment.time_mask=2"], ["augment.time_mask", "crop, flip, mixup"]),
}


@pytest.mark.parametrize("case", DEMANDS)
def test_before_any_training_a_recipe_is_refused_for(case, command, refused, tmp_path):
    arrays, sets, says = DEMANDS[case]
    np.savez(tmp_path / "data.npz", **arrays)
    recipe = write_recipe(tmp_path)
    options = [word for each in sets for word in ("--set", each)]
    refused("build", recipe, *options, code=RECIPE, says=says)
    (kept,) = tmp_path.glob("artifacts/store/*/entry.json")
    assert json.loads(kept.read_text())["stage"] == "data"


METRICS = {
    "accuracy of numbers": (
        changed(y=Y * 1.0),
        of_task("regression"),
        ["gate.min_accuracy", "regression does not have", "min_r2, max_rmse, max_mae, min_score"],
    ),
    "the worst class of numbers": (
        changed(y=Y * 1.0),
        [*of_task("regression"), "gate={ min_score = 0.1, max_worst_class_drop = 0.1 }"],
        ["gate.max_worst_class_drop", "a budget that regression does not have"],
    ),
    "accuracy of labels": (
        changed(y=np.eye(3)[Y]),
        of_task("multi-label"),
        ["gate.min_accuracy", "a budget that multi-label does not have", "min_map", "min_score"],
    ),
    "a misspelt metric": (
        good(),
        ["gate={ min_balanced_acuracy = 0.5 }"],
        ["gate.min_balanced_acuracy", "did you mean 'min_balanced_accuracy'?"],
    ),
    "a share in percent": (
        good(),
        ["gate={ min_macro_f1 = 80 }"],
        ["gate.min_macro_f1", "0 to 1", "80 % is 0.8"],
    ),
    "a choice of epochs by what a regression has not": (
        changed(y=Y * 1.0),
        [*of_task("regression"), "gate={ min_score = 0.1 }", "data.select_by=balanced accuracy"],
        ["data.select_by", "R², RMSE, MAE"],
    ),
    "a misspelt choice of epochs": (
        good(),
        ["data.select_by=balanced acuracy"],
        ["data.select_by", "did you mean 'balanced accuracy'?"],
    ),
}


@pytest.mark.parametrize("verb", ["build", "plan"])
@pytest.mark.parametrize("case", METRICS)
def test_before_any_data_is_read_a_recipe_is_refused_for(case, verb, command, refused, tmp_path):
    arrays, sets, says = METRICS[case]
    np.savez(tmp_path / "data.npz", **arrays)
    options = [word for each in sets for word in ("--set", each)]
    refused(verb, write_recipe(tmp_path), *options, code=RECIPE, says=says)
    assert list(tmp_path.glob("artifacts/store/*/entry.json")) == []


@pytest.mark.parametrize("kind", ["onnx:m.onnx", "logits:m.onnx"])
def test_a_teacher_known_by_its_answers_has_no_layers(kind, refused, tmp_path):
    np.savez(tmp_path / "data.npz", **good())
    write_onnx(tmp_path / "m.onnx", width=2)
    recipe = write_recipe(tmp_path, ('[teacher]\nmodel = "mlp1"', f'[teacher]\nmodel = "{kind}"'))
    layers = 'distill.layers=[{ loss = "hint", teacher = "1", student = "1" }]'
    says = ["distill.layers", f"a teacher of the kind {kind.partition(':')[0]!r}", "looked into"]
    options = ["--set", layers, "--set", "distill.views=0"]
    refused("build", recipe, *options, code=RECIPE, says=says)


FORMS = {
    "texts for a perceptron": (
        "text,label\n" + "\n".join(f"word {i} of it,{'ab'[i % 2]}" for i in range(60)),
        "text:data.csv",
        ["texts of 64 tokens for 'mlp1'", "numbers, or the family transformer"],
    ),
    "windows for a transformer": (
        "a,b,group,label\n" + "\n".join(f"{i},{-i},{i // 6},{i // 6 % 2}" for i in range(240)),
        "table:data.csv",
        ["windows of 3 steps with 2 channels for 'transformer1'", "texts, or the family conv1d"],
    ),
}


@pytest.mark.parametrize("case", FORMS)
def test_samples_of_another_form_are_refused_before_any_training(case, refused, tmp_path):
    content, source, says = FORMS[case]
    if source.startswith("text:"):
        pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    (tmp_path / "data.csv").write_text(content)
    recipe = write_recipe(tmp_path, ("npz:data.npz", source))
    model = "transformer1" if "windows" in case else "mlp1"
    sets = ["data.table.window=3", f"teacher.model={model}", "data.duplicates=drop"]
    options = [word for each in sets for word in ("--set", each)]
    refused("build", recipe, *options, code=MATERIAL, says=says)


# --- models -----------------------------------------------------------------------------------

WEIGHTS = {
    "1.weight": np.zeros((4, 4), np.float32),
    "1.bias": np.zeros(4, np.float32),
    "3.weight": np.zeros((3, 4), np.float32),
    "3.bias": np.zeros(3, np.float32),
}
SQUARE = np.zeros((4, 5), np.float32)

TENSORS = {
    "a tensor of another shape": (
        {**WEIGHTS, "1.weight": SQUARE},
        ["'1.weight'", "[4, 5]", "expected [4, 4]"],
    ),
    "a tensor missing": (
        {key: value for key, value in WEIGHTS.items() if key != "3.bias"},
        ["no tensor '3.bias'"],
    ),
    "a tensor too many": ({**WEIGHTS, "5.bias": SQUARE}, ["1 tensors too many", "'5.bias'"]),
    "a NaN": ({**WEIGHTS, "3.bias": np.full(3, NAN, np.float32)}, ["NaN or infinity in '3.bias'"]),
    "teaching nothing": (WEIGHTS, ["accuracy 0.3333", "who knows nothing", "data.mean"]),
}  # fmt: skip


def with_weights(folder, name):
    """A recipe whose teacher is loaded from a file, and the data for it."""
    np.savez(folder / "data.npz", **good())
    return write_recipe(folder, ("epochs = 1", f'weights = "{name}"\nepochs = 1'))


@pytest.mark.parametrize("case", TENSORS)
def test_a_teachers_weights_are_refused_for(case, refused, tmp_path):
    tensors, says = TENSORS[case]
    save_file(tensors, tmp_path / "t.safetensors")
    recipe = with_weights(tmp_path, "t.safetensors")
    refused("build", recipe, "--until", "teacher", code=MATERIAL, says=says)


GARBAGE = {
    "t.safetensors": b"\x08\x00\x00\x00\x00\x00\x00\x00{broken}",
    "empty.safetensors": b"",
    "t.pt": b"not a checkpoint",
    "empty.pt": b"",
    "list.pt": pickle.dumps([1, 2]),
    "truncated.pt": pickle.dumps(WEIGHTS)[:50],
}


@pytest.mark.parametrize("name", GARBAGE)
def test_a_file_that_holds_no_weights_is_refused(name, refused, tmp_path):
    (tmp_path / name).write_bytes(GARBAGE[name])
    recipe = with_weights(tmp_path, name)
    says = [str(tmp_path / name), "not readable as weights", "safetensors.torch.save_file"]
    refused("build", recipe, "--until", "teacher", code=MATERIAL, says=says)


def test_weights_that_are_not_there_are_refused_before_any_stage_runs(refused, tmp_path):
    recipe = with_weights(tmp_path, "no.safetensors")
    refused("build", recipe, code=MATERIAL, says=["no.safetensors", "correct teacher.weights"])
    assert not list((tmp_path / "artifacts/store").glob("*/entry.json"))


class Malicious:
    """Touches a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(refused, tmp_path):
    touched = tmp_path / "touched"
    content = pickle.dumps({"1.weight": Malicious(touched)})
    pickle.loads(content)
    assert touched.exists(), "the attack itself must work, or this test proves nothing"
    touched.unlink()
    (tmp_path / "t.pt").write_bytes(content)
    recipe = with_weights(tmp_path, "t.pt")
    refused("build", recipe, "--until", "teacher", code=MATERIAL, says="not readable as weights")
    assert not touched.exists()


@pytest.mark.parametrize("width", [4, 2], ids=["teacher", "student"])
def test_a_residual_network_for_tables_is_refused_before_any_training(command, tmp_path, width):
    np.savez(tmp_path / "data.npz", **good())
    wrong = f'model = "resnet8"\nwidth = {width}'
    recipe = write_recipe(tmp_path, (f'model = "mlp1"\nwidth = {width}', wrong))
    code, _, err = command("build", recipe)
    assert code == MATERIAL
    assert "rows of 4 columns for 'resnet8', expected images, or the family mlp" in err
    assert "teacher …" not in err


def test_a_loss_that_explodes_is_refused_with_epoch_and_step(refused, tmp_path):
    np.savez(tmp_path / "data.npz", **changed(x=X * np.float32(1e37)))
    recipe = write_recipe(tmp_path, ("[data]", "[data]\nmean = [0.0]\nstd = [0.001]"))
    says = ["teacher mlp1", "a loss of nan in epoch 1, step 1", "a finite loss", "learning_rate"]
    refused("build", recipe, "--until", "teacher", code=MATERIAL, says=says)


# --- models nobody vouches for ----------------------------------------------------------------


def write_onnx(path, *, width="n", location=None):
    """One MatMul of [n, width]; the weights may be said to lie in another file."""
    weights = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    if location is not None:
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", width, 4])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def test_a_model_that_is_not_there_is_not_measured(refused):
    refused("bench", "no.onnx", code=MATERIAL, says=["no.onnx", "no such file"])


def test_garbage_is_not_measured(refused, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"\xff" * 64)
    refused("bench", "m.onnx", code=MATERIAL, says=["m.onnx", "broken", "an ONNX model"])


def test_the_same_model_twice_is_not_measured(refused, tmp_path):
    refused("bench", "m.onnx", "m.onnx", code=RECIPE, says=["the same model twice", "once"])


def test_a_model_with_open_axes_is_not_measured_without_a_shape(refused, tmp_path):
    write_onnx(tmp_path / "m.onnx")
    says = ["axis 1 ('n') of 'x'", "--shape 'x'=N,N,4"]
    refused("bench", "m.onnx", code=RECIPE, says=says)


def test_a_shape_for_no_input_is_refused(refused, tmp_path):
    write_onnx(tmp_path / "m.onnx", width=2)
    refused("bench", "m.onnx", "--shape", "z=1,2,4", code=RECIPE, says=["--shape", "'z'", "'x'"])


@pytest.mark.parametrize("text", ["x", "x=", "x=1,,2", "x=0,4", "=1,2"])
def test_a_shape_that_is_none_is_refused(text, refused):
    refused("bench", "m.onnx", "--shape", text, code=RECIPE, says=[repr(text), "INPUT=1,3,224,224"])


@pytest.mark.parametrize(
    "words",
    [
        ["bench", "m.onnx"],
        ["bench", "m.onnx", "--operators"],
        ["bench", "m.onnx", "--scenario", "offline"],
        ["compare", "m.onnx", "n.onnx"],
        ["explain", "m.onnx", "n.onnx"],
        ["quantize", "m.onnx"],
    ],
    ids=" ".join,
)
def test_inputs_that_unpack_a_thousandfold_are_not_read(words, refused, tmp_path):
    for name in ("m.onnx", "n.onnx"):
        write_onnx(tmp_path / name, width=2)
    zeros = np.zeros((1 << 20, 2, 4), np.float32)
    np.savez_compressed(tmp_path / "bomb.npz", x=zeros)
    says = ["bomb.npz", "32 MiB once unpacked", "at most 200 times", "numpy.savez"]
    refused(*words, "--inputs", "bomb.npz", code=MATERIAL, says=says)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd"])
def test_a_model_with_weights_outside_its_folder_is_not_measured(location, refused, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(64))
    (tmp_path / "models").mkdir()
    write_onnx(tmp_path / "models/m.onnx", width=2, location=location)
    says = ["external data", location, "a path below the model's folder"]
    refused("bench", "models/m.onnx", code=MATERIAL, says=says)


@pytest.mark.parametrize("name", ["report", "gate", "verify"])
@pytest.mark.parametrize("folder", ["no-such-run", "."])
def test_a_folder_that_is_no_run_is_refused_with_where_runs_are(name, folder, refused):
    refused(name, folder, code=MATERIAL, says=[folder, "artifacts/runs/<name>/<time>"])


# --- the machine, in processes of their own ---------------------------------------------------


def edgestill(*arguments, cwd, **options):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "edgestill", *map(str, arguments)],
        cwd=cwd,
        text=True,
        capture_output="stdout" not in options,
        timeout=60,
        **options,
    )


def test_artifacts_below_a_file_cannot_be_written(tmp_path):
    np.savez(tmp_path / "data.npz", **good())
    recipe = write_recipe(tmp_path)
    ended = edgestill("build", recipe, "--artifacts", "data.npz/there", cwd=tmp_path)
    line = _refusal((ended.returncode, ended.stdout, ended.stderr), ENVIRONMENT, tmp_path)
    assert "data.npz/there" in line
    assert "choose a folder that can be written" in line


def test_a_recipe_that_is_not_utf8_is_refused_with_its_place(tmp_path):
    (tmp_path / "recipe.toml").write_bytes(b'name = "caf\xe9"\n')
    ended = edgestill("build", "recipe.toml", "--json", cwd=tmp_path)
    error = json.loads(ended.stdout)["error"]
    assert error["where"] == "recipe.toml"
    line = _refusal((ended.returncode, "", ended.stderr), RECIPE, tmp_path)
    assert "not UTF-8" in line
    assert "position 11" in line


def test_a_reader_who_leaves_is_no_failure(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as closed:
        ended = edgestill("schema", cwd=tmp_path, stdout=closed, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(("size", "code"), [(100, 0), (0.001, 1)])
@pytest.mark.slow
def test_a_verdict_stands_though_its_reader_left(size, code, built, tmp_path):
    run = tmp_path / "artifacts/runs/tiny/copy"
    shutil.copytree(built[0].run, run)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as closed:
        budget = ["--set", "gate.min_accuracy=0", "--set", f"gate.max_size_kib={size}"]
        ended = edgestill("gate", run, *budget, cwd=tmp_path, stdout=closed, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (code, "")


def test_a_full_disk_behind_stdout_is_the_machines_fault(tmp_path):
    with Path("/dev/full").open("w") as full:
        ended = edgestill("schema", cwd=tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert "the disk is full" in _refusal(
        (ended.returncode, "", ended.stderr), ENVIRONMENT, tmp_path
    )


@pytest.mark.slow
def test_ctrl_c_in_training_leaves_with_130_and_nothing_half_made(tmp_path):
    np.savez(tmp_path / "data.npz", **good())
    recipe = write_recipe(tmp_path, ("epochs = 1", "epochs = 800"))
    child = subprocess.Popen(
        [sys.executable, "-m", "edgestill", "build", recipe],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        for line in child.stderr:
            if line.startswith("  teacher mlp1"):  # a fifth of the steps is done
                break
        assert list(tmp_path.glob("artifacts/store/.draft-*")), "there is something to clean up"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == INTERRUPTED
    assert out == ""
    assert err.splitlines()[-1] == (
        "interrupted; finished results are kept; the same command goes on from them"
    )
    assert "Traceback" not in err
    assert left_behind(tmp_path) == []
    assert len(list(tmp_path.glob("artifacts/store/*/entry.json"))) == 1, "the data stage is kept"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("build", "--until", "studnt"), "student"),
        (("export", "m.onnx", "--to", "litrt"), "litert"),
        (("bench", "m.onnx", "--scenario", "serverr"), "server"),
        (("adapt", "run", "--data", "npz:x.npz", "--mode", "froze"), "frozen"),
        (("build", "--set", "compress.variants=['int8']"), "int8-static"),
    ],
)
def test_a_misspelt_value_is_answered_with_the_one_that_is_meant(refused, words, meant):
    refused(*words, code=2, says=f"did you mean {meant!r}?")


def test_an_option_that_is_needed_is_named_with_what_it_takes(refused):
    words = ("bench", "m.onnx", "--scenario", "server")
    refused(*words, code=2, says="without --rate; add --rate N: queries a second")


def test_a_broken_report_says_what_to_do(refused, tmp_path):
    (tmp_path / "report.json").write_text("{")
    refused(
        "gate",
        ".",
        code=MATERIAL,
        says=["found a broken file, expected a report.json", "build the run again"],
    )


def test_adapting_to_data_that_are_not_there_names_them(built, monkeypatch):
    from edgestill.errors import DataError
    from edgestill.pipeline.api.adapt import adapt

    run = built[0].run
    monkeypatch.chdir(run.parent)
    with pytest.raises(DataError, match=r"tiny-data.npz: no such file"):
        adapt(run, "npz:tiny-data.npz", progress=False)
