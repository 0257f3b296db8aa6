"""Where the shared data sets lie: beside the repository. Tests skip where they are absent."""

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
