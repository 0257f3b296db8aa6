"""Names that people give to splits, in archives, folders, files and a column ``split``."""

from ..records import Split

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "calibration": "calibration",
    "calib": "calibration",
    "cal": "calibration",
    "test": "test",
    "testing": "test",
}
"""The split that a name means; names are in lower case."""
EXPECTED = "train, validation (or val, valid, dev), calibration or test"
"""For a message."""
