"""Every benchmark still finds what it measures; running them takes minutes and is `make bench`."""

import runpy
import sys
from pathlib import Path

import pytest

BENCHES = sorted((Path(__file__).parent / "bench").glob("bench_*.py"))


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_a_bench_loads(path):
    # Only this entry is taken back: packages that add one when they are imported need it later.
    sys.path.insert(0, str(path.parent))
    try:
        assert callable(runpy.run_path(str(path), run_name="loaded")["main"])
    finally:
        sys.path.remove(str(path.parent))
