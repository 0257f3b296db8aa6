"""Make a Python process lack libraries; copied onto its path as `sitecustomize.py`.

They are neither imported nor found, as where they were never installed. `missing.json` beside it
has their names for import and for pip.
"""

import json
import sys
from pathlib import Path

MISSING = set(json.loads(Path(__file__).with_name("missing.json").read_text()))


class _Others:
    """All finders but for what is missing."""

    def __init__(self, finders):
        self._finders = finders

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            return None
        found = (finder.find_spec(name, path, target) for finder in self._finders)
        return next((spec for spec in found if spec is not None), None)

    def find_distributions(self, *context):
        for finder in self._finders:
            for one in getattr(finder, "find_distributions", lambda *_: ())(*context):
                if one.metadata["Name"] not in MISSING:
                    yield one

    def invalidate_caches(self):
        for finder in self._finders:
            getattr(finder, "invalidate_caches", lambda: None)()


sys.meta_path[:] = [_Others(list(sys.meta_path))]
