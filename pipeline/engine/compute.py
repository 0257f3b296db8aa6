"""What a stage computes with, and torch set up for it.

>>> Compute(threads=1).device.kind
'cpu'

Threads, device and the number of processes decide the numbers of a training, so they are part of
its key. A stage's function asks for the device (``device()``), as it asks torch for the threads.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...devices import accelerators
from ...devices.accelerators import CPU, Device
from ...devices.onboard.machine.system import available_cores
from ...errors import HostError
from .heap import freed_memory_kept
from .stage import Stage

if TYPE_CHECKING:
    import torch

    from ..recipe.recipe import Recipe
    from ..recipe.train import Train

WHERE = "train.device"
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Unless it is set, cuBLAS may sum in another order at each call. It is read at the first one."""
_current: ContextVar[Device] = ContextVar("device", default=CPU)
_processes: ContextVar[int] = ContextVar("processes", default=1)


@dataclass(frozen=True, slots=True)
class Compute:
    """What training computes with.

    Attributes:
        threads: of torch.
        device: where models are trained and teachers answer.
        processes: that share each training.
    """

    threads: int
    device: Device = CPU
    processes: int = 1

    def used_by(self, stage: Stage[Any, Any]) -> "Compute":
        """What of it a stage uses."""
        return replace(
            self,
            device=self.device if stage.device else CPU,
            processes=self.processes if stage.processes else 1,
        )


def compute_for(recipe: "Recipe") -> Compute:
    """What a recipe trains with here; imports no torch.

    Raises:
        HostError: it asks for a device that is not there.
    """
    processes = _processes.get()
    return Compute(_threads_for(recipe, processes), device_for(recipe.train), processes)


def _threads_for(recipe: "Recipe", processes: int) -> int:
    """Threads of each process: the recipe's, else ``OMP_NUM_THREADS``, else its share of cores."""
    if recipe.threads is not None:
        return recipe.threads
    variable = os.environ.get("OMP_NUM_THREADS", "")
    if variable.isdecimal() and int(variable) > 0:
        return int(variable)
    return max(1, available_cores() // processes)


def device_for(train: "Train") -> Device:
    """The device that a recipe asks for; imports no torch.

    Raises:
        HostError: there is none of the kind.
    """
    if train.device == "auto":
        return accelerators.best()
    found = accelerators.find(train.device)
    if found.device is not None:
        return found.device
    raise HostError(
        found=found.why,
        expected=f"a device for {train.device!r}",
        where=WHERE,
        fix=f"set it to 'auto', which takes {accelerators.best()} here",
    )


@contextmanager
def shared_by(processes: int) -> Iterator[None]:
    """Trainings that are planned in here are shared by so many processes."""
    token = _processes.set(processes)
    try:
        yield
    finally:
        _processes.reset(token)


def device() -> "torch.device":
    """Where the running stage trains: the processor, unless it was given another device."""
    import torch

    kind = _current.get().kind
    return torch.device(kind, _place()) if kind == "cuda" else torch.device(kind)


def has_bf16() -> bool:
    """Whether that device has instructions for bfloat16."""
    return _current.get().has_bf16


def random_state() -> dict[str, "torch.Tensor"]:
    """The states of torch's random generators that the running stage draws from, by name."""
    import torch

    states, on = {"torch": torch.get_rng_state()}, device()
    if on.type != "cpu":
        states["device"] = torch.get_device_module(on).get_rng_state()
    return states


def set_random_state(states: dict[str, "torch.Tensor"]) -> None:
    """Put back what ``random_state`` gave."""
    import torch

    torch.set_rng_state(states["torch"])
    if "device" in states:
        torch.get_device_module(device()).set_rng_state(states["device"])


@contextmanager
def computing(compute: Compute) -> Iterator[None]:
    """Torch with these threads, on this device, with repeatable kernels only; restored afterwards.

    Raises:
        HostError: torch cannot use the device.
    """
    import torch

    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(
            torch.use_deterministic_algorithms, torch.are_deterministic_algorithms_enabled()
        )
        # Torch would write NaN into every new tensor, for code that reads one it has not written.
        deterministic: Any = torch.utils.deterministic
        fills = deterministic.fill_uninitialized_memory
        stack.callback(setattr, deterministic, "fill_uninitialized_memory", fills)
        deterministic.fill_uninitialized_memory = False
        stack.enter_context(freed_memory_kept())
        stack.callback(_current.reset, _current.set(compute.device))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        if compute.device.kind != "cpu":
            stack.enter_context(_on(compute.device))
        torch.set_num_threads(compute.threads)
        torch.use_deterministic_algorithms(True)
        yield


@contextmanager
def _on(taken: Device) -> Iterator[None]:
    """A GPU that computes as repeatably, and fp32 as precisely, as the processor does."""
    import torch

    # It is not put back: cuBLAS has read it by then.
    os.environ.setdefault(_WORKSPACE, ":4096:8")
    module, on = torch.get_device_module(taken.kind), device()
    if not module.is_available() or (on.index or 0) >= module.device_count():
        raise HostError(
            found=f"{taken}, which torch {torch.__version__} cannot use as {on}",
            expected="a GPU for each process",
            where=WHERE,
            fix="set it to 'cpu', or install a build of torch for this GPU",
        )
    with ExitStack() as stack:
        if taken.kind == "cuda":
            torch.cuda.set_device(on)
            # TF32 keeps ten bits of fp32's 23; torch allows it in convolutions.
            backends: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
            for backend in backends:
                stack.callback(setattr, backend, "allow_tf32", backend.allow_tf32)
                backend.allow_tf32 = False
        stack.callback(set_random_state, random_state())
        yield


def _place() -> int:
    """Which of several GPUs: each process of a machine has its own."""
    return int(os.environ.get("LOCAL_RANK", "0"))
