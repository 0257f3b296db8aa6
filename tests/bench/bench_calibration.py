"""What memory does calibration take, beside ONNX Runtime's own, and are the ranges the same?

    python tests/bench/bench_calibration.py

Percentile calibration of every float tensor of a ResNet-20 on CIFAR-10: ours on 5,000 samples,
ONNX Runtime's PercentileCalibrater on twice as many each time until it has used up 4 GiB. Each runs
in a process of its own; figures are its peak resident memory (VmHWM) over that after the imports.
On 64 samples the two sets of ranges are compared. Needs ../shared/data. Writes
artifacts/bench/calibration.json, prints a line a mark, and ends with 1 where one is missed.
"""

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
IMAGES, WEIGHTS = SHARED / "cifar10_jpeg_stream.npz", SHARED / "cifar10_resnet20.safetensors"
OUT = ROOT / "artifacts" / "bench" / "calibration.json"
SAMPLES, COMPARED = 5000, 64
MARK_MIB, LIMIT_GIB = 500.0, 4
PERCENTILE = 99.99
CHILD = """
import edgestill, contextlib, json, re, resource, sys, time
from pathlib import Path
import numpy as np
from edgestill.devices.onboard.measure import memory
from edgestill.pipeline.compress.int8.calibration import ranges
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator

whose, samples, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
percentile, limit_bytes = float(sys.argv[4]), int(sys.argv[5])
model, names = folder / "model.onnx", json.loads((folder / "names.json").read_text())
x = np.load(folder / "x.npy", mmap_mode="r")[:samples]

def batches():
    for start in range(0, samples, 32):
        yield {"input": np.array(x[start : start + 32])}

def ours():
    return ranges(model, names, batches, "percentile", percentile=percentile)

def theirs():
    calibrator = create_calibrator(
        model, None, str(folder / "theirs.onnx"), calibrate_method=CalibrationMethod.Percentile,
        extra_options={"percentile": percentile},
    )
    class Reader:
        given = batches()
        def get_next(self):
            return next(self.given, None)
    calibrator.collect_data(Reader())
    found = calibrator.compute_data()
    return {name: list(map(float, one.range_value)) for name, one in found.items()}

held = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (held + limit_bytes, resource.RLIM_INFINITY))
baseline = memory.begin()
began = time.perf_counter()
with contextlib.redirect_stdout(None):
    found = {"ours": ours, "theirs": theirs}[whose]()
peak = memory.peak_over(baseline)
print(json.dumps({
    "samples": samples, "seconds": time.perf_counter() - began, "ranges": found,
    "peak_mib": None if peak.missing else peak.over_baseline_bytes / 2**20, "missing": peak.missing,
}))
"""


def prepare(folder: Path) -> None:
    """The model, the names of its float tensors, and the samples, as files."""
    import onnx
    import torch
    from edgestill.exporters.onnx import export
    from edgestill.pipeline.models import deployed, example
    from edgestill.pipeline.models.weights import load_foreign
    from edgestill.pipeline.recipe.architecture import Architecture
    from edgestill.pipeline.records import DataRecord
    from PIL import Image

    data = DataRecord(
        source="bench", task="classification", labels=tuple("0123456789"),
        sample_shape=(32, 32, 3), layout="hwc", dtype="uint8", mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375), rows={}, counts={}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip
    torch.set_num_threads(1)
    model = deployed(Architecture(model="resnet20", width=16), data)
    load_foreign(model.backbone, WEIGHTS, "resnet20")
    export(model, example(data), folder / "model.onnx", opset=20)
    graph = onnx.shape_inference.infer_shapes(onnx.load(folder / "model.onnx")).graph
    made = {name for node in graph.node for name in node.output}
    names = [
        one.name
        for one in (*graph.value_info, *graph.output)
        if one.name in made and one.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    ]
    (folder / "names.json").write_text(json.dumps(names))
    with np.load(IMAGES, allow_pickle=False) as archive:
        stream, offset = archive["jpeg_train"], archive["offset_train"]
    files = (stream[offset[i] : offset[i + 1]].tobytes() for i in range(SAMPLES))
    np.save(folder / "x.npy", np.stack([np.asarray(Image.open(io.BytesIO(one))) for one in files]))


def child(whose: str, samples: int, folder: Path) -> dict | None:
    """What a calibration of so many samples took, None where memory ran out."""
    told = (whose, samples, folder, PERCENTILE, LIMIT_GIB * 2**30)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, told)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return json.loads(done.stdout)
    if "MemoryError" in done.stderr or "bad_alloc" in done.stderr or "allocate" in done.stderr:
        return None
    sys.exit(done.stderr)


def bins_apart(ours: dict, theirs: dict) -> float:
    """The largest difference of two sets of ranges, in bins of a histogram of 2,048."""
    apart = 0.0
    for name, (low, high) in ours.items():
        far = max(-low, high)  # below the farthest value, so bins are if anything wider
        other = min(theirs[name][0], 0.0), max(theirs[name][1], 0.0)
        apart = max(apart, abs(low - other[0]) / far * 2048, abs(high - other[1]) / far * 2048)
    return apart


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    if not (IMAGES.is_file() and WEIGHTS.is_file()):
        print("skipped: no CIFAR-10 in ../shared/data")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        ours, theirs = child("ours", SAMPLES, folder), []
        samples = COMPARED
        while samples <= SAMPLES and (one := child("theirs", samples, folder)) is not None:
            theirs.append(one)
            samples *= 2
        same = child("ours", COMPARED, folder)
    if ours is None or same is None or not theirs:
        print(f"MISSED calibration within {LIMIT_GIB} GiB")
        return 1
    return report(ours, theirs, samples, bins_apart(same["ranges"], theirs[0]["ranges"]))


def report(ours: dict, theirs: list[dict], died_at: int, apart: float) -> int:
    """Print each mark beside its figure, write all of them."""
    if ours["peak_mib"] is None:
        print(f"skipped: {ours['missing']}")
        return 0
    marks = {
        f"peak MiB over the imports on {SAMPLES} samples": (ours["peak_mib"], MARK_MIB),
        f"bins between our ranges and ONNX Runtime's on {COMPARED}": (apart, 2.0),
    }
    missed = 0
    for what, (figure, mark) in marks.items():
        missed += figure > mark
        print(f"{'met   ' if figure <= mark else 'MISSED'} {what}: {figure:.1f} (<= {mark:g})")
    print(f"       ours: {len(ours['ranges'])} tensors in {ours['seconds']:.0f} s")
    for one in theirs:
        print(
            f"       ONNX Runtime's on {one['samples']}: {one['peak_mib']:.0f} MiB, "
            f"{one['seconds']:.0f} s"
        )
    if died_at <= SAMPLES:
        print(f"       ONNX Runtime's on {died_at}: more than {LIMIT_GIB} GiB")
    found = {"ours": ours, "theirs": theirs, "theirs_died_at": died_at, "bins_apart": apart}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
