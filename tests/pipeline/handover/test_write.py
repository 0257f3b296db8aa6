"""A bundle is written whole or not at all, and twice as the same bytes."""

import errno
import hashlib
import json
import os
import shutil
import zipfile

import pytest
import run_example
from edgestill.errors import MaterialError, StorageError, UsageError
from edgestill.pipeline.handover import write as module
from edgestill.pipeline.handover.manifest import MANIFEST
from edgestill.pipeline.handover.write import default_name, write
from run_example import NASTY, hostile, seal, write_run


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_the_manifest_has_size_and_digest_of_every_file(folder):
    files = json.loads((folder / MANIFEST).read_text())["files"]
    found = content(folder)
    del found[MANIFEST]
    assert files == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in found.items()
    }


def test_it_holds_all_that_is_needed(folder):
    wanted = {
        "README.md",
        "preprocessing.json",
        "labels.txt",
        "ml-bom.cdx.json",
        "models/fp32.onnx",
    }
    wanted |= {"models/fp32.ort", "golden/fp32.onnx.npz", "golden/input.bin", "snippets/run.py"}
    assert wanted <= content(folder).keys()
    assert (folder / "labels.txt").read_text().split() == list("0123456789")


def test_figures_are_those_of_the_report_and_only_of_what_was_measured(folder):
    measured, compared = json.loads((folder / MANIFEST).read_text())["packages"]
    report = run_example.report()
    fp32 = next(one for one in report.quality.variants if one.name == "fp32")
    assert measured["figures"]["score"]["value"] == fp32.score.value
    assert measured["figures"]["p50_ms"]["value"] > 0
    assert (compared["format"], compared["figures"]) == ("ort", {})


def test_a_zip_has_the_files_of_the_folder(run, folder, tmp_path):
    write(run, tmp_path / "b.zip", zipped=True)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == content(folder)


def test_two_bundles_of_one_run_are_the_same_bytes(run, folder, tmp_path):
    write(run, tmp_path / "a.zip", zipped=True)
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(run, moved)
    os.utime(moved / "variants" / "fp32.onnx", (0, 0))
    write(moved, tmp_path / "b.zip", zipped=True)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    write(moved, tmp_path / "again")
    assert content(tmp_path / "again") == content(folder)


def test_nothing_in_it_names_a_place_on_this_machine(real):
    for name, data in content(real[0]).items():
        assert str(real[0].parent.parent).encode() not in data, name


def test_a_licence_of_the_recipe_stands_in_it_or_that_there_is_none(run, folder, tmp_path):
    assert json.loads((folder / MANIFEST).read_text())["license"] == "not stated"
    report = run_example.report()
    licensed = report.model_copy(update={"recipe": {**report.recipe, "license": "MIT"}})
    manifest = write(write_run(tmp_path / "licensed", licensed), tmp_path / "b")
    assert manifest.license == "MIT"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("make", ["mkdir", "touch", "link"])
def test_what_is_there_already_is_left_alone(run, tmp_path, zipped, make):
    out = tmp_path / "b.zip"
    out.symlink_to("nowhere") if make == "link" else getattr(out, make)()
    with pytest.raises(UsageError, match="something there already"):
        write(run, out, zipped=zipped)
    assert os.path.lexists(out)


def test_a_folder_that_is_not_there_is_refused(run, tmp_path):
    with pytest.raises(StorageError, match="choose a folder that can be written"):
        write(run, tmp_path / "no" / "b")


def test_a_full_disk_leaves_nothing(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "b")

    monkeypatch.setattr(module.shutil, "copyfileobj", full)
    before = set(tmp_path.iterdir())
    with pytest.raises(StorageError, match="no space left"):
        write(run, tmp_path / "b.zip", zipped=True)
    assert set(tmp_path.iterdir()) == before


def test_a_run_that_changed_is_refused(run, tmp_path):
    (run / "variants" / "fp32.onnx").write_bytes(b"another")
    with pytest.raises(MaterialError, match=r"variants/fp32\.onnx changed"):
        write(run, tmp_path / "b")


def test_for_inspection_what_is_not_ready_is_marked(tmp_path):
    report = run_example.report(outcome="not ready", ship=None)
    verdicts = tuple(
        one.model_copy(update={"outcome": "not ready"}) for one in report.verdict.variants
    )
    verdict = report.verdict.model_copy(update={"variants": verdicts})
    run = write_run(tmp_path / "run", report.model_copy(update={"verdict": verdict}))
    manifest = write(run, tmp_path / "b", inspection=True)
    assert (manifest.inspection, manifest.outcome) == (True, "not ready")
    assert "is not READY. Do not ship it." in (tmp_path / "b" / "README.md").read_text()


def test_what_the_app_does_not_take_is_for_inspection_only(tmp_path):
    report = run_example.report()
    verdicts = tuple(
        one.model_copy(update={"cannot_ship": "the app does not take it"})
        for one in report.verdict.variants
    )
    verdict = report.verdict.model_copy(update={"variants": verdicts})
    run = write_run(tmp_path / "run", report.model_copy(update={"verdict": verdict}))
    assert write(run, tmp_path / "b", formats=("onnx",), inspection=True).inspection


def test_a_bundle_of_what_is_ready_is_not_for_inspection_whatever_was_asked(run, tmp_path):
    assert not write(run, tmp_path / "b", inspection=True).inspection
    assert "inspection" not in (tmp_path / "b" / "README.md").read_text()


def test_a_run_made_up_to_write_outside_is_refused(run, tmp_path):
    text = (run / "report.json").read_text()
    (run / "report.json").write_text(text.replace('"fp32.onnx"', '"../../x.onnx"'))
    with pytest.raises(MaterialError, match=r"a file named '\.\./\.\./x\.onnx'"):
        write(seal(run), tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "-rf", ""])
def test_a_run_with_an_odd_name_needs_one_given(name):
    report = run_example.report().model_copy(update={"name": name})
    with pytest.raises(MaterialError, match="give --out"):
        default_name(report, zipped=True)


def test_labels_of_any_text_are_a_line_each_and_whole_in_the_json(tmp_path):
    report = hostile(run_example.report())
    write(write_run(tmp_path / "run", report), tmp_path / "b")
    lines = (tmp_path / "b" / "labels.txt").read_text(encoding="utf-8").split("\n")
    assert len(lines) == len(report.data.labels) + 1
    preprocessing = json.loads((tmp_path / "b" / "preprocessing.json").read_text(encoding="utf-8"))
    assert preprocessing["labels"][3] == f"{NASTY}3"


def test_a_folder_that_takes_no_bundle_is_named_as_the_user_named_it(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as refused:
        write(run, tmp_path / "file" / "bundle")
    assert refused.value.where == str(tmp_path / "file")
