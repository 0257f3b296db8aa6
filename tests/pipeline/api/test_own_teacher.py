"""A teacher in memory, as a file that a recipe can name."""

from pathlib import Path

import numpy as np
import pytest
from edgestill.errors import DataError, ModelError, UsageError
from edgestill.pipeline.api.own_teacher import teacher_of

X = np.random.default_rng(0).standard_normal((8, 6))


def test_a_path_and_a_name_are_what_a_recipe_has():
    assert teacher_of(Path("/a/t.onnx"), None, Path()) == "onnx:/a/t.onnx"
    assert teacher_of("mlp2", None, Path()) == "mlp2"
    with pytest.raises(UsageError, match=r"found a list, expected a torch\.nn\.Module"):
        teacher_of([1], None, Path())


@pytest.mark.slow
def test_a_module_is_exported_once_and_stays_as_it_was(tmp_path):
    import onnxruntime
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(6, 3), torch.nn.Dropout(0.5)).train()
    name = teacher_of(module, {"x": X}, tmp_path)
    assert teacher_of(module, {"x": X}, tmp_path) == name
    assert module.training
    session = onnxruntime.InferenceSession(name.removeprefix("onnx:"))
    (found,) = session.run(None, {session.get_inputs()[0].name: X.astype(np.float32)})
    with torch.no_grad():
        wanted = module.eval()(torch.from_numpy(X.astype(np.float32)))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert len(list((tmp_path / "given").iterdir())) == 1


def test_a_module_that_does_not_fit_the_samples_is_refused(tmp_path):
    import torch

    class Pair(torch.nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(DataError, match=r"data=\(x, y\) beside it"):
        teacher_of(Pair(), None, tmp_path)
    with pytest.raises(ModelError, match="does not take the samples"):
        teacher_of(torch.nn.Linear(5, 3), {"x": X}, tmp_path)
    with pytest.raises(ModelError, match="an answer that is a tuple"):
        teacher_of(Pair(), {"x": X}, tmp_path)
    with pytest.raises(DataError, match="expected x or x_train"):
        teacher_of(Pair(), {"z": X}, tmp_path)
