"""A Python that has numpy and a runtime and nothing else: neither edgestill nor torch."""

import subprocess
import sys
from pathlib import Path

_RUN = """\
import importlib.util, runpy, sys
sys.path.insert(0, sys.argv[1])
for name in ("edgestill", "torch", "onnx", "scipy"):
    assert importlib.util.find_spec(name) is None, name
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
_WHERE = (
    "import importlib.util; print(importlib.util.find_spec({!r}).submodule_search_locations[0])"
)


def run(script, *arguments, cwd, site, packages, python=sys.executable):
    """Run a script with these packages only: its exit code and what it printed.

    Args:
        script: to run.
        arguments: of it.
        cwd: the folder to run it in.
        site: a folder to make, for links to the packages.
        packages: that may be imported besides Python's own, by their names.
        python: the interpreter that has them.
    """
    site.mkdir(exist_ok=True)
    for name in packages:
        where = subprocess.run(
            [str(python), "-P", "-c", _WHERE.format(name)],
            capture_output=True,
            text=True,
            check=True,
        )
        package = Path(where.stdout.strip())
        # numpy.libs has the libraries that its wheel brings.
        for path in (package, package.with_name(f"{name}.libs")):
            if path.is_dir() and not (site / path.name).exists():
                (site / path.name).symlink_to(path)
    ended = subprocess.run(
        [str(python), "-I", "-S", "-c", _RUN, str(site), str(script), *arguments],
        cwd=cwd,
        env={"OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr
