"""What a stage's key is made of.

A key is the hash of the stage's inputs (recipe parts as JSON, other stages by key), the source text
of the stage's own modules, the versions of the libraries it uses, and, where the numbers depend on
them, the thread count and the CPU's kernel class, the device and the number of processes: sums of
floats come out otherwise in another order.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from importlib import metadata
from typing import Any

from ...devices.onboard.machine import host
from ..recipe.part import Part
from ..records import Record
from . import sources
from .compute import Compute
from .extras import is_known, missing
from .stage import Made, Stage
from .store import digest_of


@dataclass(frozen=True, slots=True)
class Machine:
    """What of a machine stands in keys.

    Attributes:
        kernels: the class of its CPU's kernels, and whether they have bfloat16: what is trained
            depends on it.
        identity: its CPU, cores, memory in bytes and the release of its system: what is measured
            belongs to it.
    """

    kernels: tuple[str, bool]
    identity: tuple[str, int, int | None, str]


def ingredients(
    stage: Stage[Any, Any], inputs: object, compute: Compute, machine: Machine | None = None
) -> dict[str, Any]:
    """All that decides a stage's result, as JSON.

    Args:
        stage: the stage.
        inputs: its frozen dataclass; each field counts, also those of dataclasses inside it.
        compute: what training computes with.
        machine: that runs it; None: this one.

    Raises:
        TypeError: the inputs are of another stage, or hold a value that has no JSON form.
        HostError: a library that the stage uses is not installed.
    """
    if not isinstance(inputs, stage.takes):
        raise TypeError(f"{stage.name} takes {stage.takes.__name__}, not {type(inputs).__name__}")
    parts: dict[str, Any] = {
        "stage": stage.name,
        "inputs": _as_json(inputs),
        "sources": sources.digest(stage.run.partition(":")[0]),
        "gives": _schema_digest(stage.gives),  # type: ignore[arg-type]  # a class is hashable
        "libraries": {name: _version(name) for name in stage.libraries},
    }
    machine = machine or this_machine()
    if stage.threads:
        parts |= {"threads": compute.threads, "kernels": list(machine.kernels)}
    if stage.device:
        parts["device"] = compute.device.identity
    if stage.processes:
        parts["processes"] = compute.processes
    if stage.machine:
        parts["machine"] = list(machine.identity)
    return parts


@cache
def _schema_digest(record: type[Record]) -> str:
    return digest_of(record.model_json_schema())


@cache
def this_machine() -> Machine:
    """The machine of this process."""
    here = host.describe()
    return Machine(
        (host.kernel_class(here.features), host.has_bf16(here.features)),
        (here.cpu, here.available_cores, here.memory_bytes, platform.release()),
    )


def _as_json(value: Any) -> Any:
    """An input as the key holds it: what was made by its key, everything else by value."""
    if isinstance(value, Made):
        return {"key": value.key}
    if isinstance(value, Part):
        return value.ingredients()
    if isinstance(value, Record):
        return value.model_dump(mode="json")
    if is_dataclass(value):
        return {field.name: _as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_as_json(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} in the inputs of a stage has no JSON form for its key")


@cache
def _version(distribution: str) -> str:
    """The version of a library that a stage uses.

    Raises:
        HostError: it is not installed; seen before any stage runs.
    """
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        if not is_known(distribution):
            raise
        raise missing(distribution) from None
