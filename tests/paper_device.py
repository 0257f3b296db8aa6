"""A device of paper: tensors on it are real, and no operator takes one together with a CPU tensor.

python tests/paper_device.py FOLDER        # every kind of training step on it, against the CPU

torch has a place for a backend of one's own (PrivateUse1), which can be written in Python. A tensor
of this one wraps a CPU tensor. Operators run on what is wrapped, after the check that a GPU makes:
tensors of two devices do not go together, unless one of them is a single number.
"""

import json
import sys
from functools import partial
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "paper"
DEVICE = torch.device("privateuseone", 0)
_MOVES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}


class Module:
    """What ``torch.paper`` would be."""

    def is_available(self):
        return True

    def is_initialized(self):
        return True

    def _is_in_bad_fork(self):
        return False

    def device_count(self):
        return 1

    def current_device(self):
        return 0

    def manual_seed_all(self, seed):
        pass

    def get_rng_state(self):
        return torch.zeros(8, dtype=torch.uint8)

    def set_rng_state(self, state):
        assert state.device.type == "cpu"

    def get_amp_supported_dtype(self):
        return [torch.bfloat16]


class OnPaper(torch.Tensor):
    """A tensor of the device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, device=DEVICE,
        )  # fmt: skip
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


class Machine(TorchDispatchMode):
    """A machine that has the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


def run(func, args, kwargs):
    """One operator."""
    kwargs = dict(kwargs)
    tensors = [one for one in tree_iter((args, kwargs)) if isinstance(one, torch.Tensor)]
    on_paper = [one for one in tensors if isinstance(one, OnPaper)]
    to_paper = bool(on_paper)
    if kwargs.get("device") is not None:
        to_paper = torch.device(kwargs["device"]).type == NAME
        kwargs["device"] = torch.device("cpu")
    if on_paper and func not in _MOVES:
        stray = [one for one in tensors if not isinstance(one, OnPaper) and one.dim()]
        if stray:
            shapes = [list(one.shape) for one in stray]
            raise RuntimeError(f"{func}: expected all tensors on {NAME}, found {shapes} on cpu")

    def inner(one):
        return one.inner if isinstance(one, OnPaper) else one

    found = func(*tree_map(inner, args), **tree_map(inner, kwargs))
    if func is torch.ops.aten.copy_.default:
        return args[0]
    known = {id(one.inner): one for one in on_paper}

    def outer(one):
        if not isinstance(one, torch.Tensor):
            return one
        if id(one) in known:
            return known[id(one)]
        return OnPaper(one) if to_paper else one

    return tree_map(outer, found)


def main(folder):
    """Train on both devices, and print what came out as JSON."""
    from edgestill.devices.accelerators import Device
    from edgestill.pipeline.distill import student
    from edgestill.pipeline.distill.batches import Batch
    from edgestill.pipeline.engine.compute import Compute, computing
    from training_steps import OTHERS, TRAININGS, Kit, answers, killed_and_resumed, trained

    kit, found = Kit(folder), {}
    paper = Compute(1, Device(NAME))
    ways = {name: partial(trained, name=name) for name in TRAININGS} | OTHERS
    ways["killed"] = lambda kit: killed_and_resumed(kit, "adamw, clipped, averaged", work())

    def work():
        return folder / f"work-{len(list(folder.glob('work-*')))}"

    for name, way in ways.items():
        with computing(Compute(1)):
            expected, told = way(kit)
        with computing(paper), Machine():
            state, figures = way(kit)
        assert all(type(value) is torch.Tensor for value in state.values()), "it is back on the CPU"
        apart = max(
            float((value - expected[key]).abs().max())
            for key, value in state.items()
            if value.is_floating_point() and value.numel()
        )
        found[name] = {"apart": apart, "curve": [told, figures]}
    with computing(Compute(1)):
        expected = answers(kit, folder / "answers-cpu")
    with computing(paper), Machine():
        stored = answers(kit, folder / "answers-paper")
    assert (stored == expected).all()
    strays = {}
    own, to = student.hard_labels, Batch.to

    def forgetful(data, schedule=None):
        weights = torch.ones(3)
        loss = own(data, schedule)
        return lambda outputs, batch: loss(outputs * weights, batch)

    with pytest_like(student, "hard_labels", forgetful):
        strays["a loss with a tensor of its own"] = refused(kit, paper, trained, "labels")
    with pytest_like(Batch, "to", lambda self, _: self):
        strays["samples that stay"] = refused(kit, paper, trained, "kd")
    with pytest_like(Batch, "to", lambda self, on: to(self, on)._replace(y=self.y)):
        strays["labels that stay"] = refused(kit, paper, trained, "dkd, mse")
    print(json.dumps({"trained": found, "strays": strays}))


class pytest_like:
    """Something else in place of an attribute."""

    def __init__(self, owner, name, value):
        self.owner, self.name, self.value = owner, name, value

    def __enter__(self):
        self.before = getattr(self.owner, self.name)
        setattr(self.owner, self.name, self.value)

    def __exit__(self, *_):
        setattr(self.owner, self.name, self.before)


def refused(kit, paper, trained, name):
    """What a training on paper fails with."""
    from edgestill.pipeline.engine.compute import computing

    try:
        with computing(paper), Machine():
            trained(kit, name)
    except RuntimeError as error:
        return str(error)
    return None


if __name__ == "__main__":
    _setup_privateuseone_for_python_backend(NAME, backend_module=Module())
    # ``parameter.data = other`` gives a wrapper the other's strides and leaves what it wraps.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
