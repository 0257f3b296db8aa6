"""``edgestill verify``: a run that changed is named, before any of its models is run."""

import json
import shutil

import numpy as np
import onnx
import pytest
from edgestill.errors import MaterialError
from edgestill.pipeline.commands.runs import verify
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.finished.verify_run import check
from edgestill.pipeline.judge.answers import GOLDEN
from edgestill.pipeline.runs.run import MANIFEST, folder_digests, manifest_of


@pytest.fixture
def copied(built, tmp_path):
    """A copy of a run that a test may change."""
    folder = tmp_path / built[0].run.name
    shutil.copytree(built[0].run, folder)
    return folder


def sealed(run):
    """The run again, its manifest written for the files that are in it."""
    manifest = manifest_of(run)
    manifest["files"] = folder_digests(run)
    del manifest["files"][MANIFEST]
    (run / MANIFEST).write_text(json.dumps(manifest))
    return run


def test_a_run_as_it_was_written_has_no_fault(built):
    checked = check(built[0].run)
    files = built[0].report.variants.files
    assert checked.faults == ()
    assert checked.models == sum(len(variant.packages) for variant in files)


def test_a_changed_file_is_named_and_no_model_is_run(copied):
    (copied / "report.md").write_text("other")
    checked = check(copied)
    assert (checked.faults, checked.models) == (("report.md changed",), 0)


def test_outputs_that_are_not_the_recorded_ones_are_a_fault(copied):
    file = copied / "records" / GOLDEN
    golden = dict(np.load(file))
    golden["fp32.onnx"] = golden["fp32.onnx"] + 1.0
    np.savez(file, **golden)
    checked = check(sealed(copied))
    assert len(checked.faults) == 1
    assert checked.faults[0].startswith("fp32.onnx: outputs differ by 1 from those recorded")


UNSTEADY = {"samples": 16, "again": 0.9, "session": 0.9, "alone": None}


def with_steadiness(run, name, steadiness):
    """A run whose build recorded this of one variant."""
    report = json.loads((run / "report.json").read_text())
    for quality in report["quality"]["variants"]:
        if quality["name"] == name:
            quality["steadiness"] = steadiness
    (run / "report.json").write_text(json.dumps(report))
    return sealed(run)


def verified(run, capsys):
    """The exit code and the document of the command."""
    invocation = Invocation(json=True)
    verify.main([str(run)], standalone_mode=False, obj=invocation)
    return invocation.code, json.loads(capsys.readouterr().out)


def test_a_recorded_fault_of_fp32_is_one_of_all_that_was_made_from_it(copied, capsys):
    code, document = verified(with_steadiness(copied, "fp32", UNSTEADY), capsys)
    assert (code, document["exit_code"], document["faults"]) == (1, 1, [])
    assert document["wrong"].pop("fp32")[0].startswith("answers one input in several ways")
    assert document["wrong"]
    for faults in document["wrong"].values():
        assert faults[0].startswith("made from fp32, which answers one input in several ways")


def test_a_fault_of_what_does_not_ship_is_said_and_leaves_the_run_ready(copied, built, capsys):
    ship = built[0].report.verdict.ship
    other = next(v.name for v in built[0].report.quality.variants if v.name not in (ship, "fp32"))
    code, document = verified(with_steadiness(copied, other, UNSTEADY), capsys)
    assert list(document["wrong"]) == [other]
    assert code == (0 if ship else 1)


def test_a_file_that_draws_is_found_though_the_run_does_not_record_it(copied, capsys):
    file = copied / "variants" / "fp32.onnx"
    model = onnx.load(file)
    (output,) = model.graph.output
    maker = next(node for node in model.graph.node if output.name in node.output)
    maker.output[0] = "before"
    model.graph.node.append(onnx.helper.make_node("RandomNormalLike", ["before"], [output.name]))
    onnx.save(model, file)
    code, document = verified(with_steadiness(copied, "fp32", None), capsys)
    assert document["wrong"]["fp32"][0].startswith("answers one input in several ways")
    assert document["faults"][0].startswith("fp32.onnx: outputs differ by")
    assert code == MaterialError.exit_code


def test_unreadable_golden_samples_are_refused(copied):
    (copied / "records" / GOLDEN).write_bytes(b"no archive")
    with pytest.raises(MaterialError, match="unreadable"):
        check(sealed(copied))
