"""A place without processes: its jobs answer at once, with latencies that a test chose.

    place = FakePlace({"a.onnx": lambda query: 1000 + query % 7})
    measure(Request([Subject("a", path)], Settings(), out, place=place))

Models are inspected on this machine all the same. Nothing here depends on how busy the machine is.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from edgestill.devices.onboard.machine.disturbance import Disturbance
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.onboard.measure.answer import ProcessFacts
from edgestill.devices.onboard.measure.job import MemoryJob, ScenarioJob
from fake_answers import cold_start_answer, load_answer, measure_answer, memory_answer

QUERIES = 64


@dataclass
class FakePlace:
    """Runs no job and answers as if it had.

    Attributes:
        latency_ns: by the model's file name, the latency of a query of the n-th process.
        jobs: every job so far.
        energy_uj: of a query, None where it is not measured.
        start: unix seconds when the first process begins to time; each times for a second.
    """

    latency_ns: dict
    energy_uj: float | None = None
    start: float = 1_767_225_600.0
    jobs: list = field(default_factory=list)

    def run(self, job, *, timeout_s, memory_limit_bytes=None, cores=()):
        self.jobs.append(job)
        if isinstance(job, MemoryJob):
            return memory_answer()
        timed = [one for one in self.jobs if not isinstance(one, MemoryJob)]
        latency = self.latency_ns[Path(job.model).name](len(timed))
        table = np.full(QUERIES, latency, np.int64)
        if isinstance(job, ScenarioJob):
            streams = np.arange(QUERIES) % job.streams
            table = np.stack([streams, np.arange(QUERIES) * latency, table], axis=1)
        Path(job.samples).parent.mkdir(exist_ok=True)
        np.save(job.samples, table)
        if isinstance(job, ScenarioJob) and job.scenario == "cold-start":
            return cold_start_answer(process=ProcessFacts(process_start_ms=4.0))
        return (load_answer if isinstance(job, ScenarioJob) else measure_answer)(
            process=ProcessFacts(process_start_ms=4.0),
            queries=QUERIES,
            timed_from=self.start + 2.0 * len(timed),
            energy_uj=self.energy_uj,
            energy_missing=None if self.energy_uj else "no counter",
        )

    def describe(self):
        return describe()

    def snapshot(self):
        return Disturbance(0.0, 0.0, 0.0, 0.0, 0.0, 0)
