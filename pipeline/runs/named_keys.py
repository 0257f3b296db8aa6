"""Which entries of the store the runs on disk were made of.

named_keys(Path("artifacts"))       # {'4a…', '9f…'}: a build of the same recipe reads these
"""

import json
from pathlib import Path

from .run import MANIFEST


def named_keys(artifacts: Path) -> frozenset[str]:
    """The keys of the stages of all runs below a folder; a run that cannot be read names none."""
    found: set[str] = set()
    for manifest in (artifacts / "runs").glob(f"*/[0-9]*/{MANIFEST}"):
        try:
            keys = json.loads(manifest.read_bytes())["keys"]
            found.update(str(key) for key in keys.values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return frozenset(found)
