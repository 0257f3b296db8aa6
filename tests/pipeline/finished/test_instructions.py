"""Counts as a result: a row a model over the first, what a baseline says, unsteady processes."""

import pytest
from edgestill.devices.instructions.callgrind import Instructions
from edgestill.pipeline.finished.instruction_baseline import Entry, judge
from edgestill.pipeline.finished.instructions import Counted, InstructionsCounted


def counted(name, *counts, kept=None):
    """One model: what each process counted, and its earlier count, if any."""
    shared = {"core": "x86_64", "kernels": "avx2", "runtime": "onnxruntime 1", "batch": 1}
    entry = Entry(name=name, sha256="0" * 64, shapes={}, instructions=counts[0], **shared)
    instructions = Instructions(counts=counts, counter="valgrind", **shared)
    before = None if kept is None else entry.model_copy(update={"instructions": kept})
    return Counted(entry, instructions, None if kept is None else judge(entry, before))


def test_a_screen_has_each_model_over_the_first():
    found = InstructionsCounted((counted("a", 1000, 1000), counted("b", 2500, 2500)))
    lines = repr(found).splitlines()
    assert lines[2].split() == ["a", "1,000", "1"]
    assert lines[3].split() == ["b", "2,500", "2.5"]
    assert "a count, not a time" in repr(found)
    assert found["b"].entry.instructions == 2500
    assert [row["instructions"] for row in found.records()] == [1000, 2500]
    assert found.exit_code == 0
    with pytest.raises(KeyError):
        found["c"]


def test_processes_that_differ_and_a_count_above_its_baseline_are_said():
    found = InstructionsCounted((counted("a", 1000, 1900), counted("b", 2000, 2000, kept=1000)))
    assert found.unsteady() == ["a: its processes counted 1,000 and 1,900"]
    assert "warning: a: its processes" in repr(found)
    assert found.exit_code == 1
    assert found.to_dict()["models"][1]["baseline"]["outcome"] == "not ready"
