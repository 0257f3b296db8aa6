"""What tests of whole builds share."""

import sys

import pytest
from small_builds import NETS


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with the user's module in it, where the command is run."""
    for name in ("nets", "timm", "transformers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    yield tmp_path
    for name in ("nets", "timm", "transformers"):
        sys.modules.pop(name, None)
