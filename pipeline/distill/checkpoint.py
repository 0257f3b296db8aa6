"""The state of a training after a step, on disk: one safetensors file, replaced as a whole.

It holds all that later steps depend on, so that a training that was killed resumes to the same
weights, bit for bit. The order of samples and the learning rate are functions of the seed and the
step, and are not stored.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..engine.store import write_atomic

FILE = "checkpoint.safetensors"
Groups = Mapping[str, Mapping[str, torch.Tensor]]
"""Named tensors, by the name of a group."""


class Checkpoint(NamedTuple):
    """What was saved last.

    Attributes:
        groups: named tensors, by the name of a group.
        facts: what else, as JSON.
    """

    groups: dict[str, dict[str, torch.Tensor]]
    facts: dict[str, Any]


def write(folder: Path, groups: Groups, facts: Mapping[str, Any]) -> None:
    """Save groups of named tensors, and facts that are JSON."""
    tensors = {
        # A copy: the format refuses tensors that share memory, as tied weights do.
        f"{group}/{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for group, named in groups.items()
        for name, tensor in named.items()
    }
    facts_json = json.dumps(facts, allow_nan=False)
    metadata = {"facts": facts_json, "sha256": _digest(tensors, facts_json)}
    write_atomic(folder / FILE, save(tensors, metadata))


def read(folder: Path) -> Checkpoint | None:
    """What was saved last; None where there is no file, or a damaged one."""
    try:
        with safe_open(folder / FILE, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata["sha256"] != _digest(tensors, metadata["facts"]):
            return None
        facts = json.loads(metadata["facts"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    return Checkpoint(groups, facts)


def numbered(tensors: Iterable[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors without names, as a group."""
    return {str(number): tensor for number, tensor in enumerate(tensors)}


@torch.no_grad()
def fill(tensors: Iterable[torch.Tensor], group: Mapping[str, torch.Tensor]) -> None:
    """Copy a group that ``numbered`` made back into its tensors."""
    for number, tensor in enumerate(tensors):
        tensor.copy_(group[str(number)])


def _digest(tensors: Mapping[str, torch.Tensor], facts: str) -> str:
    """Hash of all that is in the file: a damaged file must not be trained from."""
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
