"""Answers of workers that never ran, with fields that a test chose.

measure_answer(load_ms=7.0)
"""

from edgestill.devices.onboard.machine.conditions import Conditions
from edgestill.devices.onboard.measure.answer import (
    ColdStartAnswer,
    Fixed,
    LoadAnswer,
    LoadgenAnswer,
    MeasureAnswer,
    MemoryAnswer,
    ServerAnswer,
    SustainedAnswer,
)

RUNTIME = "fake 1.0"
RUN = {
    "runtime": RUNTIME,
    "settled": True,
    "timed_from": 0.0,
    "timed_seconds": 1.0,
    "energy_uj": None,
    "energy_missing": "no counter",
    "conditions": (Conditions(), Conditions()),
    "providers": (),
    "involuntary_switches": 0,
    "queries": 64,
}
MIB = 1 << 20


def measure_answer(**fields):
    return MeasureAnswer(
        **{
            **RUN,
            "load_ms": 1.0,
            "first_inference_ms": 2.0,
            "warmup_queries": 1,
            "warmup_seconds": 0.1,
            "cpu_seconds": 1.0,
            "feeds": 1,
            "peak_memory_bytes": MIB,
            "peak_memory_total_bytes": 2 * MIB,
            "peak_memory_missing": None,
            "pss_bytes": MIB,
            "pss_missing": None,
            "process_threads": 1,
            "python": "3.11.9",
            **fields,
        }
    )


def load_answer(**fields):
    return LoadAnswer(**{**RUN, "columns": ("stream", "start_ns", "latency_ns"), **fields})


def server_answer(**fields):
    columns = ("due_ns", "started_ns", "ended_ns", "late_ns")
    return ServerAnswer(**{**RUN, "columns": columns, "unanswered": 0, **fields})


def sustained_answer(windows, **fields):
    columns = ("window", "latency_ns")
    return SustainedAnswer(**{**RUN, "columns": columns, "windows": tuple(windows), **fields})


def cold_start_answer(**fields):
    parts = {"import_ms": 3.0, "load_ms": 1.0, "first_inference_ms": 2.0}
    return ColdStartAnswer(**{"runtime": RUNTIME, **parts, **fields})


def loadgen_answer(**fields):
    run = {key: value for key, value in RUN.items() if key != "queries"}
    return LoadgenAnswer(**{**run, "early_stopping_p90_ns": None, **fields})


def memory_answer(**fields):
    return MemoryAnswer(
        **{
            "runtime": RUNTIME,
            "peak_memory_bytes": MIB,
            "peak_memory_missing": None,
            "pss_bytes": None,
            "pss_missing": "no such file",
            "fixed": Fixed(addresses=True, malloc=True),
            "graph": None,
            **fields,
        }
    )
