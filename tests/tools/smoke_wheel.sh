#!/usr/bin/env bash
# Build the wheel, install it in a new environment outside the repository, and use it there.
#
#   PYTHON=python3.12 bash tests/tools/smoke_wheel.sh
#
# PIP_ARGS is passed to pip, as in the Makefile.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

mkdir "$folder/source"
(cd "$repository" && tar -c --exclude=./.venv --exclude=./.git --exclude=./artifacts --exclude=./build --exclude="*.egg-info" .) | tar -x -C "$folder/source"
"${PYTHON:-python3}" -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check)
# shellcheck disable=SC2086 # PIP_ARGS is a list of words
"${pip[@]}" wheel ${PIP_ARGS:-} --no-deps --wheel-dir "$folder/wheels" "$folder/source"
# torch comes first: the pinned version takes a CPU build where the index has one.
"${pip[@]}" install ${PIP_ARGS:-} -c "$repository/constraints.txt" torch
"${pip[@]}" install ${PIP_ARGS:-} -c "$repository/constraints.txt" "$folder"/wheels/edgestill-*.whl
rm -rf "$folder/source"

mkdir "$folder/use"
PYTHONPATH="$repository/tests" "$folder/venv/bin/python" -c "import sys, pathlib, tiny; tiny.write(pathlib.Path(sys.argv[1]))" "$folder/use"
cd /
edgestill="$folder/venv/bin/edgestill"
"$edgestill" --version
"$edgestill" devices list >/dev/null
"$edgestill" plan "$folder/use/recipe.toml" --artifacts "$folder/use/artifacts"
"$edgestill" build "$folder/use/recipe.toml" --artifacts "$folder/use/artifacts" \
  --set teacher.epochs=4 --set distill.epochs=4 --set gate.min_accuracy=0.1
"$edgestill" verify "$folder"/use/artifacts/runs/tiny/*/
"$edgestill" quantize --help >/dev/null
"$edgestill" devices setup-emulator --help >/dev/null
echo "the wheel works outside the repository"
