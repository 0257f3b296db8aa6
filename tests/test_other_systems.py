"""macOS and Windows, as far as a Linux machine can show them: see `other_system_site.py`.

The real ones are seen by `.github/workflows/systems.yml`.
"""

import json
import platform
import re
import subprocess
import sys
import types
from pathlib import Path

import conftest
import other_system
import pytest
import tiny
import yaml

ROOT = Path(__file__).resolve().parents[1]
_OF_TOOLCHAINS = {
    *("ai_edge_litert", "coremltools", "executorch", "litert_torch", "ncnn", "openvino"),
    "tflite_micro",
}
IMPORTS = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = [type(error).__name__, getattr(error, "name", None) or str(error)]
print(json.dumps(failed))
"""
FACTS = """
import json
from dataclasses import asdict
from edgestill.devices.onboard.machine import conditions, disturbance, host, limits, system
from edgestill.devices.onboard.measure import energy, memory
from edgestill.errors import MeasureError
try:
    limits.pin([0])
    pinned = None
except MeasureError as error:
    pinned = str(error)
print(json.dumps({
    "host": asdict(host.describe()),
    "conditions": asdict(conditions.now()),
    "disturbance": asdict(disturbance.snapshot()),
    "memory": [memory.begin(), memory.share()],
    "energy": energy.read_counters(),
    "threads": system.threads(),
    "bounded": system.bound("CORE", 0),
    "switches": system.usage().involuntary_switches,
    "cpu_s": system.usage().cpu_s,
    "windows": system.WINDOWS,
    "pinned": pinned,
}))
"""


def modules():
    files = [p for f in ("devices", "exporters", "pipeline", "toolchains") for p in _sources(f)]
    return sorted(name.removesuffix(".__init__") for name in files)


def _sources(folder):
    for path in (ROOT / folder).rglob("*.py"):
        yield ".".join(("edgestill", *path.relative_to(ROOT).with_suffix("").parts))


def command(folder, system, *words):
    done = other_system.run(folder, system, "-m", "edgestill", *words)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("system", ["Windows", pytest.param("macOS", marks=pytest.mark.slow)])
def test_every_module_can_be_imported(tmp_path, system):
    done = other_system.run(tmp_path, system, "-c", IMPORTS, *modules())
    failed = json.loads(done.stdout)
    wrong = {k: v for k, v in failed.items() if v[1] not in _OF_TOOLCHAINS}
    assert wrong == {}, done.stderr
    assert len(failed) < 20


@pytest.mark.parametrize("system", other_system.SYSTEMS)
def test_what_the_system_does_not_tell_is_unknown_with_a_reason(tmp_path, system):
    done = other_system.run(tmp_path, system, "-c", FACTS)
    facts = json.loads(done.stdout or done.stderr)
    assert set(facts["conditions"].values()) == {None}
    mark, share = facts["memory"]
    assert mark == f"{system} has no /proc/self/clear_refs, which sets the high-water mark back"
    assert "smaps_rollup cannot be read" in share
    assert facts["energy"] == "no RAPL counter under /sys/class/powercap"
    assert facts["threads"] is None
    assert facts["cpu_s"] > 0
    assert facts["pinned"] == f"cores: {system}, which keeps no process on a core; leave cores out"
    windows = system == "Windows"
    assert facts["windows"] is windows
    assert facts["bounded"] is not windows
    assert (facts["switches"] is None) is windows
    assert (facts["disturbance"]["own_s"] is None) is windows
    assert facts["host"]["arch"] == ("x86_64" if windows else "aarch64")
    assert facts["host"]["available_cores"] >= 1
    assert facts["host"]["os"] == system


def test_a_file_in_use_cannot_be_removed_in_what_stands_for_windows(tmp_path):
    """Else the builds below would show nothing."""
    code = (
        "import os, numpy as np\n"
        "np.save('a.npy', np.zeros(9)); held = np.load('a.npy', mmap_mode='r')\n"
        "for change in (lambda: os.rename('a.npy', 'b.npy'), lambda: os.unlink('a.npy')):\n"
        "    try: change()\n"
        "    except PermissionError: print('refused')\n"
        "del held; os.unlink('a.npy'); print('gone')\n"
    )
    done = other_system.run(tmp_path / "site", "Windows", "-c", code, cwd=tmp_path)
    assert done.stdout == "refused\nrefused\ngone\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("system", other_system.SYSTEMS)
def test_a_build_and_what_follows_it(tmp_path, system):
    """Trained, exported, quantized, judged, reported and handed over; memory alone is unknown."""
    site, artifacts = tmp_path / "site", tmp_path / "artifacts"
    recipe = tiny.write(tmp_path)
    done = command(site, system, "build", str(recipe), "--artifacts", str(artifacts))
    assert done.returncode == 0, done.stderr
    (run,) = (artifacts / "runs" / "tiny").glob("[0-9]*")
    assert f"{system} has no /proc/self/clear_refs" in (run / "report.json").read_text()
    assert f"{system} has no /proc/self/clear_refs" in (run / "report.html").read_text()
    done = command(site, system, "gate", str(run), "--set", "gate.max_peak_memory_mib=1000")
    assert done.returncode == 5
    fp32, int8 = (str(run / "variants" / f"{name}.onnx") for name in ("fp32", "int8-static"))
    samples = str(_samples(tmp_path))
    for words in (
        ("gate", str(run), "--set", "gate.min_accuracy=0.4"),
        ("report", str(run)),
        ("verify", str(run)),
        ("bundle", str(run), "--out", str(tmp_path / "bundle.zip")),
        ("verify", str(tmp_path / "bundle.zip")),
        ("quantize", fp32, "--calibration", samples, "--out", str(tmp_path / "made")),
        ("export", fp32, "--to", "ort", "--out", str(tmp_path / "exported")),
        ("explain", fp32, int8),
        ("bench", fp32, "--operators"),
        ("bench", fp32, int8, "--scenario", "multi-stream", "--seconds", "0.05"),
        ("compare", fp32, int8, "--seconds", "0.05", "--max-seconds", "1"),
        ("doctor",),
    ):
        done = command(site, system, *words)
        assert done.returncode == 0, (words, done.stderr)
    done = command(site, system, "bench", fp32, "--instructions")
    assert done.returncode == 4
    assert f"counting instructions: found {system}, expected Linux" in done.stderr


def _samples(folder):
    import numpy as np

    path = folder / "calibration.npz"
    samples = np.random.default_rng(0).standard_normal((64, 6)).astype(np.float32)
    np.savez(path, input=samples)
    return path


# --- what CI runs there -----------------------------------------------------------------------


@pytest.mark.parametrize(("here", "skipped"), [("Linux", 0), ("Darwin", 2), ("Windows", 2)])
def test_what_needs_linux_is_skipped_elsewhere_with_a_reason(monkeypatch, here, skipped):
    marks = []

    def item(path, mark=None):
        return types.SimpleNamespace(
            path=ROOT / "tests" / path,
            get_closest_marker=lambda name: mark,
            add_marker=marks.append,
        )

    items = [
        item("pipeline/data", pytest.mark.linux("fork").mark),
        item("devices/onboard/machine"),
        item("pipeline/tasks"),
    ]
    monkeypatch.setattr(platform, "system", lambda: here)
    conftest.pytest_collection_modifyitems(items)
    reasons = [mark.kwargs["reason"] for mark in marks]
    assert len(reasons) == skipped
    for reason, why in zip(reasons, ("fork", "/proc and /sys"), strict=False):
        assert reason == f"{here} lacks what this needs: {why}"


def test_the_workflow_runs_what_there_is_on_three_systems():
    workflow = yaml.safe_load((ROOT / ".github/workflows/systems.yml").read_text())
    (job,) = workflow["jobs"].values()
    systems = {name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    runs = " ".join(step.get("run", "") for step in job["steps"])
    for path in re.findall(r"tests/[\w/.]+", runs):
        assert (ROOT / path).exists(), path
    extras = re.findall(r"\.\[([\w,]+)\]", runs)[0].split(",")
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = ", pyproject, re.M) for extra in extras)
    assert "it has not run yet" in (ROOT / "docs/install.md").read_text()


def test_what_other_systems_collect_imports_nothing_of_posix_at_once():
    """A test of these folders that imports it at the top could not even be skipped there."""
    posix = re.compile(r"^(?:import|from) (?:fcntl|resource|pwd|grp|termios|pty)\b", re.M)
    folders = [f"pipeline/{name}" for name in ("data", "recipe", "report", "judge", "tasks")]
    files = [p for folder in folders for p in (ROOT / "tests" / folder).rglob("*.py")]
    files += (ROOT / "tests").glob("*.py")
    assert [p.name for p in files if posix.search(p.read_text(encoding="utf-8"))] == []


def test_windows_leaves_a_scratch_folder_that_is_mapped_and_removes_any_other(tmp_path):
    """An error travels with its traceback, which holds the arrays."""
    code = (
        "import numpy as np; from edgestill.pipeline.data.archive import scratch\n"
        "def use(folder, fail):\n"
        "    np.save(folder / 'a.npy', np.zeros(9)); held = np.load(folder / 'a.npy', 'r')\n"
        "    if fail: raise ValueError('told')\n"
        "for fail in (False, True):\n"
        "    try:\n"
        "        with scratch() as folder: use(folder, fail)\n"
        "    except ValueError as error: print(error)\n"
        "    print(folder.exists())\n"
    )
    site = tmp_path / "site"
    environment = {**other_system.environment(site, "Windows"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "False\ntold\nTrue\n", done.stderr
