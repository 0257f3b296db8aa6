"""Plans, checks and diagnoses from Python: what they take, refuse and read."""

import numpy as np
import pytest
from edgestill.errors import MaterialError, UsageError
from edgestill.pipeline.api.explain import explain
from edgestill.pipeline.api.plan import plan
from edgestill.pipeline.api.verify import verify


def test_a_plan_of_what_was_built_has_nothing_to_run(workplace):
    del workplace
    planned = plan("recipe.toml")
    assert planned.would_run == ()
    assert [step.stage for step in planned.steps][:2] == ["data", "teacher"]


def test_a_plan_of_other_data_in_memory_would_run_everything_and_runs_nothing(workplace):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((96, 8)).astype(np.float32), np.arange(96) % 3
    before = sorted(path.name for path in (workplace / "artifacts/store").iterdir())
    planned = plan("recipe.toml", data=data, seed=7)
    assert planned.would_run == tuple(step.stage for step in planned.steps)
    assert sorted(path.name for path in (workplace / "artifacts/store").iterdir()) == before


def test_a_run_with_a_changed_file_is_named_and_a_device_is_for_bundles(workplace):
    run = min((workplace / "artifacts/runs/tiny").glob("[0-9]*"))
    assert verify(run).exit_code == 0
    with pytest.raises(UsageError, match="expected a bundle"):
        verify(run, device="host")
    (run / "report.md").write_text("other", encoding="utf-8")
    found = verify(run)
    assert (found.faults, found.exit_code) == (("report.md changed",), 3)
    with pytest.raises(MaterialError):
        verify(workplace)


def test_layers_to_leave_need_a_file_to_write(workplace):
    del workplace
    with pytest.raises(UsageError, match="leave without apply_to"):
        explain("model.onnx", "model.onnx", leave=["a"], progress=False)
    with pytest.raises(UsageError, match="one of the two models"):
        explain("model.onnx", "model.onnx", apply_to="model.onnx", progress=False)
