#!/usr/bin/env bash
# Build the wheel, install it in a new environment outside the repository, and use it there: first
# without what trains, then with it.
#
#   PYTHON=python3.12 bash tests/tools/smoke_wheel.sh
#
# PIP_ARGS is passed to pip, as in the Makefile. The sizes of both installations are printed.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

mkdir "$folder/source"
(cd "$repository" && tar -c --exclude=./.venv --exclude=./.git --exclude=./artifacts --exclude=./build --exclude="*.egg-info" .) | tar -x -C "$folder/source"
"${PYTHON:-python3}" -m venv "$folder/venv"
bin="$folder/venv/bin"
[ -d "$bin" ] || bin="$folder/venv/Scripts" # Windows
python="$bin/python"
pip=("$python" -m pip --quiet --disable-pip-version-check)
# shellcheck disable=SC2086 # PIP_ARGS is a list of words
install() { "${pip[@]}" install ${PIP_ARGS:-} -c "$repository/constraints.txt" "$@"; }
size() { echo "$1: $(du -sm "$folder/venv" | cut -f1) MiB"; }
size "an empty environment"
# shellcheck disable=SC2086
"${pip[@]}" wheel ${PIP_ARGS:-} --no-deps --wheel-dir "$folder/wheels" "$folder/source"
wheel=("$folder"/wheels/edgestill-*.whl)
rm -rf "$folder/source"

install "${wheel[0]}"
size "edgestill"
mkdir "$folder/use"
cd "$folder/use"
edgestill="$bin/edgestill"
"$edgestill" --version
"$edgestill" devices list >/dev/null
"$python" - <<'MODEL'
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

assert "torch" not in sys.modules
draw = np.random.default_rng(0).standard_normal
stored = [
    numpy_helper.from_array(draw(shape).astype(np.float32), name)
    for name, shape in (("w", (64, 64)), ("b", (64,)), ("v", (64, 8)), ("c", (8,)))
]
nodes = [
    helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
    helper.make_node("Relu", ["h"], ["r"]),
    helper.make_node("Gemm", ["r", "v", "c"], ["y"]),
]
ports = [
    [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])]
    for name, size in (("x", 64), ("y", 8))
]
graph = helper.make_graph(nodes, "smoke", *ports, stored)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), "m.onnx")
np.savez("samples.npz", x=draw((64, 64)).astype(np.float32))
MODEL
"$edgestill" bench m.onnx
"$edgestill" quantize m.onnx --calibration samples.npz
"$edgestill" compare m.onnx m.int8-static.onnx --seconds 0.05 --max-seconds 5
ended=0
"$edgestill" build 2>missing.txt || ended=$?
grep -q "pip install 'edgestill\[train\]'" missing.txt
[ "$ended" = 4 ]

# torch comes first: the pinned version takes a CPU build where the index has one.
install torch
install "${wheel[0]}[train]"
size "edgestill[train]"
PYTHONPATH="$repository/tests" "$python" -c "import pathlib, tiny; tiny.write(pathlib.Path())"
"$edgestill" plan recipe.toml
"$edgestill" build recipe.toml \
  --set teacher.epochs=4 --set distill.epochs=4 --set gate.min_accuracy=0.1
run=(artifacts/runs/tiny/[0-9]*/)
"$edgestill" verify artifacts/runs/tiny/latest
"$edgestill" gate "${run[0]}" --set gate.min_accuracy=0.2
echo "the wheel works outside the repository"
