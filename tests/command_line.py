"""The command line in a process of its own."""

import subprocess
import sys


def edgestill(*words, cwd, **options):
    """Run a command; what it printed and how it ended."""
    return subprocess.run(
        [sys.executable, "-m", "edgestill", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )
