"""What a stage computes with: the device of a recipe, its place in keys, torch as it was before."""

from dataclasses import replace

import pytest
import torch
from edgestill.devices import accelerators
from edgestill.devices.accelerators import CPU, Device, Search
from edgestill.errors import HostError
from edgestill.pipeline import stages
from edgestill.pipeline.distill.inputs import Samples, TeacherInputs
from edgestill.pipeline.engine import compute, keys
from edgestill.pipeline.engine.compute import Compute, computing, device_for
from edgestill.pipeline.engine.stage import Made, Stage
from edgestill.pipeline.recipe.architecture import Teacher
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.train import Train

GPU = Device("cuda", "NVIDIA A100", (8, 0), ("CUDA 13.0",))


def test_auto_takes_what_is_there_and_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(accelerators, "best", lambda: GPU)
    monkeypatch.setattr(accelerators, "find", lambda kind: Search(None, f"no {kind} here"))
    assert device_for(Train()) == GPU
    with pytest.raises(HostError) as refused:
        device_for(Train(device="mps"))
    assert refused.value.exit_code == 4
    assert str(refused.value) == (
        "train.device: found no mps here, expected a device for 'mps'; set it to 'auto', which "
        "takes cuda (NVIDIA A100) here"
    )


def ingredients(stage, made_with):
    samples = Samples(Made(stages.DATA, "abc"), Augment(), 0)
    inputs = TeacherInputs(Teacher(model="mlp1"), None, samples)
    return keys.ingredients(replace(stage, takes=TeacherInputs), inputs, made_with)


def test_a_key_depends_on_the_device_and_the_processes_that_a_stage_uses_and_on_no_other():
    one = Compute(1)
    for stage in vars(stages).values():
        if not isinstance(stage, Stage):
            continue
        key = ingredients(stage, one)
        assert (ingredients(stage, replace(one, device=GPU)) != key) == stage.device
        assert (ingredients(stage, replace(one, processes=2)) != key) == stage.processes
        assert replace(one, device=GPU).used_by(stage).device == (GPU if stage.device else CPU)
    assert ingredients(stages.TEACHER, one)["device"] == ["cpu"]
    assert stages.TARGETS.device
    assert not stages.TARGETS.processes


def test_torch_is_as_it_was_behind_a_stage():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with computing(Compute(3)):
        assert torch.get_num_threads() == 3
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
        assert compute.device() == torch.device("cpu")
        torch.rand(3)
        assert list(compute.random_state()) == ["torch"]
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(torch.cuda.is_available(), reason="it can use the GPU")
def test_a_gpu_that_torch_cannot_use_is_refused_before_anything_runs():
    with pytest.raises(HostError, match="cannot use as cuda:0"), computing(Compute(1, GPU)):
        pass
    assert compute.device() == torch.device("cpu")
    assert not torch.are_deterministic_algorithms_enabled()


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "3")
    with pytest.raises(HostError, match="cannot use as cuda:3"), computing(Compute(1, GPU)):
        pass
