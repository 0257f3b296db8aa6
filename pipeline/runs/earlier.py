"""How long stages took in the last builds of a name: the basis of a build's time left.

    expected_seconds(folder, ("teacher", "student"), store)   # (31.2, None)

An estimate has a basis or there is none: a stage that no earlier build of the name ran, or of which
the store no longer has an entry, is not guessed.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from ..engine.store import Store
from .run import MANIFEST

_BUILDS = 5
"""Of the newest runs; most of the stages of a build are those of the build before."""


def expected_seconds(folder: Path, stages: Sequence[str], store: Store) -> tuple[float | None, ...]:
    """The seconds that each stage took when it last ran; None where that is not known.

    A stage that a build runs several times, as of several seeds, has the mean.

    Args:
        folder: of the runs of a name.
        stages: that will run.
        store: that the runs were built with.
    """
    known: dict[str, float] = {}
    for manifest in sorted(folder.glob(f"[0-9]*/{MANIFEST}"))[: -_BUILDS - 1 : -1]:
        if set(stages) <= known.keys():
            break
        try:
            keys = json.loads(manifest.read_text(encoding="utf-8"))["keys"].values()
        except (OSError, ValueError, KeyError, AttributeError):
            continue
        took: dict[str, list[float]] = {}
        for stage, seconds in filter(None, (store.took(str(key)) for key in set(keys))):
            took.setdefault(stage, []).append(seconds)
        for stage, several in took.items():
            known.setdefault(stage, mean(several))
    return tuple(known.get(stage) for stage in stages)
