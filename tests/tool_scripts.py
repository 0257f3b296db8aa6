"""The scripts of tests/tools as modules, for their tests."""

import importlib.util
from pathlib import Path


def load(name):
    """The module of tests/tools/<name>.py."""
    path = Path(__file__).with_name("tools") / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
