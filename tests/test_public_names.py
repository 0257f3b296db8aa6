"""The package as users import it: cheap, typed, every name there and documented."""

import inspect
import subprocess
import sys
from pathlib import Path

import edgestill
import pytest
from edgestill import errors

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "onnx", "onnxruntime", "numpy", "pydantic", "rich", "click", "jinja2", "plotly")
SCRIPT = """
import edgestill

run = edgestill.build("recipe.toml", data=([[1.0]], [0]), progress=lambda event: print(event.stage))
outcome: str = run.verdict.outcome
if run.ready:
    p90: float | None = run["int8-static"].p90_ms.value
    run.bundle("handover.zip").manifest.license.upper()
stopped = edgestill.build("recipe.toml", until="data", progress=False)
stopped.record.rows
quantized = edgestill.quantize("m.onnx", {"x": [[1.0]]}, methods=["int8-static"])
smaller = min(file.bytes for file in quantized.files)
measured: edgestill.Measured = edgestill.bench(["m.onnx"], processes=6, rate=10.0)
ratio: float | None = edgestill.compare("a.onnx", run).ratio.value
slowest: float = max(one.us for one in edgestill.bench_operators("a.onnx")["a.onnx"].operators)
count: int = edgestill.bench_instructions(run, baseline="b.json").models[0].entry.instructions
arena: int = edgestill.bench_arena("a.tflite")["a.tflite"].arena.total_bytes
planned = edgestill.plan({"name": "a"}, data=([[1.0]], [0])).would_run
stage: str = planned[0]
explained = edgestill.explain("a.onnx", "b.onnx", apply_to="c.onnx")
saved: float = explained.advice.saving_us if explained.advice else 0.0
unchanged: bool = not edgestill.verify(run).faults
paths = [path.name for path in edgestill.export(run, "ort").files]
try:
    edgestill.load_run("there").gate({"max_size_kib": 100}).open_report()
except edgestill.EdgestillError as error:
    print(error.found, error.exit_code + 1)
"""
WRONG = """
import edgestill

run = edgestill.build("recipe.toml")
run.verdict.outcom
edgestill.quantize("m.onnx")
number: int = edgestill.load_run("there").path
"""


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_it_loads_nothing_heavy():
    code = f"import sys, edgestill; print(*(set({HEAVY}) & set(sys.modules)))"
    assert python(code) == []


def test_importing_it_loads_no_other_module_of_ours_and_few_of_python():
    code = (
        "import sys; before = set(sys.modules); import edgestill; "
        "print(*(set(sys.modules) - before))"
    )
    loaded = set(python(code))
    assert {name for name in loaded if name.startswith("edgestill")} == {"edgestill"}
    assert {name.partition(".")[0] for name in loaded} <= {
        "edgestill", "typing", "_typing", "collections", "importlib", "warnings",
    }  # fmt: skip


def test_every_public_name_is_there_and_documented():
    assert set(edgestill.__all__) == {"__version__", *edgestill._FUNCTIONS, *edgestill._CLASSES}
    assert edgestill.__all__ == sorted(edgestill.__all__)
    assert set(edgestill.__all__) <= set(dir(edgestill))
    for name in edgestill.__all__:
        found = getattr(edgestill, name)
        assert name == "__version__" or inspect.getdoc(found), name
    with pytest.raises(AttributeError, match="nothing"):
        _ = edgestill.nothing


def test_every_error_of_ours_is_a_public_name():
    ours = {name for name in vars(errors) if name.endswith("Error")}
    assert {name for name in edgestill.__all__ if name.endswith("Error")} == ours
    assert all(issubclass(getattr(edgestill, name), edgestill.EdgestillError) for name in ours)


@pytest.mark.parametrize("name", edgestill._FUNCTIONS)
def test_every_parameter_of_a_function_is_documented_and_typed(name):
    function = getattr(edgestill, name)
    assert "    Example:\n" in function.__doc__
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert f"\n        {parameter.name}: " in function.__doc__
        assert parameter.annotation is not inspect.Parameter.empty


@pytest.mark.slow
def test_a_users_script_is_typed(tmp_path):
    (tmp_path / "edgestill").symlink_to(ROOT, target_is_directory=True)
    for name, code in (("script", SCRIPT), ("wrong", WRONG)):
        (tmp_path / f"{name}.py").write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--no-error-summary"]
    told = ("--follow-imports=silent", "--config-file=", "script.py", "wrong.py")
    done = subprocess.run(
        [*command, *told], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [line for line in lines if line.startswith("script.py")] == []
    wrong = [line for line in lines if line.startswith("wrong.py")]
    assert len(wrong) == 3, done.stdout
