"""Without what `edgestill[train]` brings: what measures, judges and quantizes works."""

import subprocess
import sys

import numpy as np
import pytest
import without

LEAN = ("bench", "bundle", "compare", "explain", "export", "gate", "quantize", "report", "verify")
IMPORTS = """
import importlib, pkgutil, sys
import edgestill.pipeline as p
for folder in ("commands", "engine", "finished", "handover", "isolation", "judge", "records",
               "recipe", "report", "runs", "tasks", "compress.int8", "compress.weights"):
    found = importlib.import_module(f"edgestill.pipeline.{folder}")
    for one in pkgutil.iter_modules(found.__path__, f"{found.__name__}."):
        trains = one.name.rpartition(".")[2] in ("verify", "gain", "adaptation", "students")
        if not (trains and "judge" in one.name) and not one.name.endswith("engine.ranks"):
            importlib.import_module(one.name)
for name in ("build", "runs.rejudge", "handover.write", "compress.worker"):
    importlib.import_module(f"edgestill.pipeline.{name}")
print("all")
"""


@pytest.fixture
def lean(tmp_path):
    environment = without.environment(tmp_path / "site")

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "edgestill", *map(str, words)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


def test_nothing_that_they_import_needs_more(tmp_path):
    environment = without.environment(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "all\n", done.stderr


@pytest.mark.parametrize("words", [("build",), ("plan",)])
def test_what_trains_says_in_one_line_what_brings_it(lean, words):
    done = lean(*words)
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    gone = "torch, onnxscript, safetensors and scipy are not installed"
    assert done.stderr == f"error: scikit-learn, {gone}; pip install 'edgestill[train]'\n"


@pytest.mark.slow
def test_every_lean_command_works_on_a_run_made_before(lean, own_build, tmp_path):
    run = own_build[0].run
    fp32, int8 = (run / "variants" / f"{name}.onnx" for name in ("fp32", "int8-static"))
    samples = np.random.default_rng(0).standard_normal((64, 6)).astype(np.float32)
    np.savez(tmp_path / "calibration.npz", input=samples, y=np.arange(64) % 3)
    commands = {
        "gate": (run, "--set", "gate.min_accuracy=0.4"),
        "report": (run,),
        "verify": (run,),
        "bundle": (run, "--out", "bundle"),
        "bench": (fp32, "--operators"),
        "compare": (fp32, int8, "--seconds", "0.05", "--max-seconds", "1"),
        "explain": (fp32, int8),
        "quantize": (fp32, "--calibration", "calibration.npz", "--method", "int8-mixed"),
        "export": (fp32, "--to", "ort", "--out", "exported"),
    }
    assert sorted(commands) == sorted(LEAN)
    for name, words in commands.items():
        done = lean(name, *words)
        assert done.returncode == 0, (name, done.stderr)
    assert lean("verify", "bundle").returncode == 0
    assert (tmp_path / "exported" / "fp32.ort").is_file()
