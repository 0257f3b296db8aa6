"""What users name: files and runs."""

import shutil
from pathlib import Path

import edgestill
import onnx
import pytest
from edgestill.errors import UsageError
from edgestill.pipeline.api.paths import OnDisk, model_of, path_of
from onnx_files import dense


def test_a_run_is_its_folder_or_the_file_that_it_ships(built, tmp_path):
    run = edgestill.load_run(shutil.copytree(built[0].run, tmp_path / "runs" / "one"))
    assert isinstance(run, OnDisk)
    assert path_of(run, "run") == run.path
    assert model_of(run, "models") == run.file(run.verdict.ship)
    nothing = run.gate({"max_size_kib": 0.01})
    with pytest.raises(UsageError, match="models: a run that ships nothing; name a file of it"):
        model_of(nothing, "models")


def test_a_path_is_itself_and_anything_else_is_refused(tmp_path):
    assert path_of("a/b", "a") == path_of(Path("a/b"), "a") == model_of("a/b", "a") == Path("a/b")
    model = onnx.load(dense(tmp_path / "m.onnx", layers=1, width=8))
    with pytest.raises(UsageError, match=r"model: found a ModelProto.*; save it first"):
        edgestill.quantize(model, {}, progress=False)
    for call in (edgestill.load_run, edgestill.bundle, edgestill.bench):
        with pytest.raises(UsageError, match="found a int, expected the path"):
            call(5)
    with pytest.raises(UsageError, match="recipe: found a int, expected a path, a dict"):
        edgestill.build(5, progress=False)
