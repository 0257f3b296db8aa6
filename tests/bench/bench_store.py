"""What a store that machines share costs beside one of this machine alone.

    python tests/bench/bench_store.py

An entry of 128 MiB in four files is made with a store of this machine alone, with a shared folder
and with a bucket of an S3 server on the loopback address (moto's, which is written in Python: the
figure is that of the server more than ours), and taken by another machine; beside them a plain copy
that is synced and hashed as an entry is. Then a build of a tiny recipe with nothing to do, with and
without a shared store. Everything in turn, the median of three. Writes artifacts/bench/store.json,
prints a line a figure, and ends with 1 where a mark is missed.
"""

import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
OUT = ROOT / "artifacts" / "bench" / "store.json"
ROUNDS = 3
FILES, FILE_MIB = 4, 32
TOTAL_MB = FILES * FILE_MIB * 2**20 / 1e6


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def copied(source: Path, folder: Path) -> None:
    """A plain copy, on the disk and hashed."""
    from edgestill.pipeline.engine.disk import folder_digests, move_whole

    shutil.copytree(source, folder / "draft")
    folder_digests(folder / "draft")
    move_whole(folder / "draft", folder / "copy")


def transfers(folder: Path, buckets: Callable[[], str]) -> dict[str, float]:
    """One round: seconds of each way, by name."""
    from edgestill.pipeline.engine.store import Store, digest_of

    source = folder / "source"
    source.mkdir()
    for number in range(FILES):
        (source / f"{number}.bin").write_bytes(secrets.token_bytes(FILE_MIB * 2**20))
    parts = {"stage": "data", "round": secrets.token_hex(8)}
    key = digest_of(parts)

    def make(out: Path) -> dict[str, int]:
        for file in source.iterdir():
            shutil.copyfile(file, out / file.name)
        return {}

    def never(out: Path) -> dict[str, int]:
        raise AssertionError(out)

    share = folder / "share"
    share.mkdir()
    seconds = {"copy_s": timed(lambda: copied(source, folder))}
    seconds["alone_s"] = timed(lambda: Store(folder / "alone").made(key, "data", parts, make))
    for name, address in (("folder", str(share)), ("s3", buckets())):
        here, there = folder / f"{name}-here", folder / f"{name}-there"
        first, second = Store(here, shared=address), Store(there, shared=address)
        made = timed(partial(first.made, key, "data", parts, make))
        seconds[f"{name}_upload_s"] = max(made - seconds["alone_s"], 1e-9)
        seconds[f"{name}_download_s"] = timed(partial(second.made, key, "data", parts, never))
    return seconds


def nothing_to_do(folder: Path, address: str) -> dict[str, float]:
    """Seconds of a whole process that builds what is built, without and with a shared store."""
    import tiny

    recipe = tiny.write(folder)
    command = [sys.executable, "-m", "edgestill", "build", str(recipe), "--json", "--artifacts"]
    command += [str(folder / "artifacts"), "--store"]

    def build(store: str) -> None:
        subprocess.run([*command, store], check=True, capture_output=True)

    build(address)
    found: dict[str, list[float]] = {"nothing_to_do_s": [], "nothing_to_do_shared_s": []}
    for _ in range(ROUNDS):
        found["nothing_to_do_s"].append(timed(lambda: build("")))
        found["nothing_to_do_shared_s"].append(timed(lambda: build(address)))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> int:
    """Measure, write, print; 1 where a mark is missed."""
    import s3_server

    rounds: list[dict[str, float]] = []
    with s3_server.serve() as s3:
        os.environ |= s3.environment
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(transfers(Path(folder), s3.bucket))
        with tempfile.TemporaryDirectory() as folder:
            figures = nothing_to_do(Path(folder), s3.bucket())
    for name in rounds[0]:
        seconds = statistics.median(one[name] for one in rounds)
        figures[name] = seconds
        figures[name.replace("_s", "_mb_per_s")] = TOTAL_MB / seconds
    ratio = statistics.median(one["folder_download_s"] / one["copy_s"] for one in rounds)
    figures["folder_download_over_copy"] = ratio
    idle = figures["nothing_to_do_shared_s"] / figures["nothing_to_do_s"]
    figures["nothing_to_do_shared_over_alone"] = idle
    marks = {"folder_download_over_copy": 3.0, "nothing_to_do_shared_over_alone": 1.2}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"figures": figures, "marks": marks, "rounds": rounds}, indent=1))
    for name, value in figures.items():
        mark = f" (mark: at most {marks[name]})" if name in marks else ""
        print(f"{name}: {value:.3g}{mark}")
    return int(any(figures[name] > most for name, most in marks.items()))


if __name__ == "__main__":
    sys.exit(main())
