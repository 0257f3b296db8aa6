"""Tests that run JavaScript: skipped where node or a package of it is missing.

npm install --ignore-scripts --prefix ~/.cache/edgestill/toolchains/node onnxruntime-node
"""

import shutil
import subprocess

import pytest
from edgestill import toolchains


def modules_with(package):
    """The folder `node_modules` that holds a package; beside the toolchains."""
    if shutil.which("node") is None:
        pytest.skip("no node: install nodejs")
    folder = toolchains.folder() / "node" / "node_modules"
    if not (folder / package).is_dir():
        pytest.skip(
            f"no {package}: npm install --ignore-scripts --prefix {folder.parent} {package}"
        )
    return folder


def run(script, folder):
    """Run a script in a folder: its exit code and what it printed."""
    ended = subprocess.run(
        ["node", str(script)], cwd=folder, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr
