"""How many images a second do two processes train that share each batch, beside one?

    python tests/bench/bench_processes.py

A ResNet-20 of width 16 on images of CIFAR-10's shape, batch 128, one thread a process. One process
and two, as torchrun starts them, take turns; the ratio is the median over pairs. It needs a machine
whose cores have nothing else to do. Writes artifacts/bench/processes.json, and ends with 1 where
the mark is missed.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "artifacts" / "bench" / "processes.json"
TURNS, STEPS, MARK = 5, 30, 1.6


def share() -> None:
    """Train in one of the processes; the first one prints images a second."""
    import torch
    from cifar_steps import Steps
    from edgestill.pipeline.engine.compute import Compute, computing
    from edgestill.pipeline.engine.processes import job_of
    from edgestill.pipeline.engine.ranks import ALONE, sharing

    compute = Compute(1)
    job = job_of(os.environ)
    with computing(compute), sharing(ALONE if job is None else job._ranks(compute)):
        torch.set_num_threads(1)
        steps = Steps("resnet20", 16, distilled=False)
        steps.run(3)
        speed = steps.run(STEPS)
    if job is None or job.rank == 0:
        print(json.dumps(speed))
    if job is not None:
        job._leave()


def measured(processes: int) -> float:
    """Images a second of so many processes."""
    run = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--standalone"]
    command = [sys.executable, *(run if processes > 1 else ()), __file__, "share"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return float(told.stdout.splitlines()[-1])


def main() -> int:
    """Measure, write, print; 1 where the mark is missed."""
    pairs = [(measured(1), measured(2)) for _ in range(TURNS)]
    ratio = statistics.median(two / one for one, two in pairs)
    one, two = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"{'met   ' if ratio >= MARK else 'MISSED'} two processes over one: {ratio:.2f} (>= {MARK})"
    )
    print(f"       images/s: one {one:.0f}, two {two:.0f}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"ratio": ratio, "pairs": pairs, "steps": STEPS}, indent=1))
    return int(ratio < MARK)


if __name__ == "__main__":
    sys.exit(share() if sys.argv[1:] == ["share"] else main())
