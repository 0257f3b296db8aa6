"""``edgestill bundle`` and ``edgestill verify`` of a bundle: what is printed, and exit codes."""

import json
import zipfile

import pytest
import run_example
from edgestill.errors import UsageError
from edgestill.pipeline.commands.bundle import bundle
from edgestill.pipeline.commands.runs import verify
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.handover import verify as of_bundles
from edgestill.pipeline.handover.choice import NothingReadyError
from edgestill.pipeline.handover.verify import Checked


def run(command, *arguments, capsys, as_json=True):
    """The exit code and the document, or the lines, of a command."""
    invocation = Invocation(json=as_json)
    command.main([str(one) for one in arguments], standalone_mode=False, obj=invocation)
    out = capsys.readouterr().out
    return invocation.code, json.loads(out) if as_json else out.splitlines()


@pytest.fixture
def ready(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return run_example.write_run(tmp_path / "run", run_example.report())


@pytest.fixture
def not_ready(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = run_example.report(outcome="not ready", ship=None)
    verdicts = tuple(
        one.model_copy(update={"outcome": "not ready"}) for one in report.verdict.variants
    )
    verdict = report.verdict.model_copy(update={"variants": verdicts})
    return run_example.write_run(tmp_path / "run", report.model_copy(update={"verdict": verdict}))


def test_a_folder_is_named_for_the_run(ready, tmp_path, capsys):
    code, document = run(bundle, ready, capsys=capsys)
    assert (code, document["bundle"], document["inspection"]) == (0, "digits-bundle", False)
    assert [one["model"] for one in document["packages"]] == ["models/fp32.onnx", "models/fp32.ort"]
    found = [path for path in (tmp_path / "digits-bundle").rglob("*") if path.is_file()]
    assert document["files"] == len(found)


def test_lines_name_every_package_with_its_verdict(ready, capsys):
    _, lines = run(bundle, ready, "--format", "onnx", capsys=capsys, as_json=False)
    assert lines[0] == "models/fp32.onnx: ready, measured and judged"
    assert lines[-1] == "bundle: digits-bundle"


@pytest.mark.parametrize("arguments", [["--zip"], ["--out", "b.zip"]])
def test_a_zip_is_written_where_it_is_asked_for(ready, tmp_path, arguments, capsys):
    _, document = run(bundle, ready, *arguments, capsys=capsys)
    assert document["bundle"] in ("digits-bundle.zip", "b.zip")
    assert zipfile.is_zipfile(tmp_path / document["bundle"])


def test_a_run_that_is_not_ready_is_refused_and_nothing_is_written(not_ready, tmp_path, capsys):
    with pytest.raises(NothingReadyError, match="nothing ships") as refused:
        run(bundle, not_ready, capsys=capsys)
    assert refused.value.exit_code == 1
    assert list(tmp_path.iterdir()) == [not_ready]


def test_for_inspection_it_is_written_and_its_check_ends_with_1(not_ready, capsys, monkeypatch):
    code, document = run(bundle, not_ready, "--inspect", capsys=capsys)
    assert (code, document["inspection"]) == (0, True)
    checked = Checked("digits", 9, 2, (), (), ready=False)
    monkeypatch.setattr(of_bundles, "check", lambda *_: checked)
    code, lines = run(verify, "digits-bundle", capsys=capsys, as_json=False)
    assert code == 1
    assert lines[-1] == "for inspection only: not all of it is READY"


@pytest.mark.parametrize(
    ("checked", "code"),
    [
        (Checked("digits", 9, 2, (), (), ready=True), 0),
        (Checked("digits", 9, 1, (), ("m.tflite: no litert",), ready=True), 4),
        (Checked("digits", 9, 0, ("labels.txt changed",), (), ready=True), 3),
        (Checked("digits", 9, 1, ("a: differs",), ("b: no litert",), ready=False), 3),
    ],
)
def test_the_exit_code_says_what_was_found(ready, checked, code, capsys, monkeypatch):
    run(bundle, ready, capsys=capsys)
    monkeypatch.setattr(of_bundles, "check", lambda *_: checked)
    found, document = run(verify, "digits-bundle", capsys=capsys)
    assert (found, document["exit_code"]) == (code, code)
    assert document["faults"] == list(checked.faults)
    assert document["not_run"] == list(checked.not_run)


def test_a_changed_bundle_is_named(ready, tmp_path, capsys):
    run(bundle, ready, capsys=capsys)
    (tmp_path / "digits-bundle" / "labels.txt").write_text("cat\n")
    code, document = run(verify, "digits-bundle", capsys=capsys)
    assert (code, document["faults"], document["models"]) == (3, ["labels.txt changed"], 0)


def test_its_models_run_on_the_device_that_is_named(ready, capsys, monkeypatch):
    run(bundle, ready, capsys=capsys)
    seen = []

    def check(path, place):
        seen.append(place)
        return Checked("digits", 9, 2, (), (), ready=True)

    monkeypatch.setattr(of_bundles, "check", check)
    run(verify, "digits-bundle", capsys=capsys)
    run(verify, "digits-bundle", "--device", "host", capsys=capsys)
    assert seen[0] is None
    assert seen[1] is not None
    with pytest.raises(UsageError, match="only a profile"):
        run(verify, "digits-bundle", "--device", "raspberry-pi-5", capsys=capsys)


def test_a_run_is_checked_here_only(ready, capsys):
    with pytest.raises(UsageError, match="write one: edgestill bundle"):
        run(verify, ready, "--device", "host", capsys=capsys)
