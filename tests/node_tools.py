"""Tests that run JavaScript: skipped where node or a package of it is missing, but never in CI.

npm install --ignore-scripts --prefix ~/.cache/edgestill/toolchains/node onnxruntime-node
"""

import os
import shutil
import subprocess

import pytest
from edgestill import toolchains


def modules_with(package):
    """The folder `node_modules` that holds a package; beside the toolchains."""
    folder = toolchains.folder() / "node" / "node_modules"
    if shutil.which("node") is not None and (folder / package).is_dir():
        return folder
    reason = f"no node, or: npm install --ignore-scripts --prefix {folder.parent} {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(script, folder):
    """Run a script in a folder: its exit code and what it printed."""
    ended = subprocess.run(
        ["node", str(script)], cwd=folder, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr
