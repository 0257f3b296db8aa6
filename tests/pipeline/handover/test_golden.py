"""Golden samples of a bundle: whole queries, the same numbers in both forms."""

import dataclasses
import json

import numpy as np
import pytest
import report_example
import run_example
from edgestill.errors import MaterialError
from edgestill.exporters.scaled import Scaled
from edgestill.pipeline.handover import golden
from edgestill.pipeline.handover.choice import chosen
from edgestill.pipeline.handover.manifest import MANIFEST


def test_the_files_of_bare_numbers_are_those_of_the_archive(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    assert len(manifest["packages"]) == 2
    for package in manifest["packages"]:
        described = package["golden"]
        with np.load(folder / described["file"]) as archive:
            for key in ("input", "output"):
                tensor = described[key]
                bare = np.fromfile(folder / tensor["file"], f"<{np.dtype(tensor['dtype']).str[1:]}")
                assert np.array_equal(bare.reshape(tensor["shape"]), archive[key])


def with_batch(report, batch):
    from dataclasses import replace

    bench = report.measured.benchmark
    feed = replace(bench.settings.feed, batch=batch)
    bench = replace(bench, settings=replace(bench.settings, feed=feed))
    return report_example.with_measured(report, benchmark=bench)


@pytest.mark.parametrize(("batch", "kept"), [(1, 16), (5, 15), (16, 16), (20, 16)])
def test_only_whole_queries_are_kept(run, tmp_path, batch, kept):
    report = with_batch(run_example.report(), batch)
    pair = chosen(report, (), inspection=False)[0]
    written = golden.write(tmp_path, report, pair, golden.read(run))
    assert (written.batch, written.input.shape[0], written.output.shape[0]) == (batch, kept, kept)


def test_what_nothing_ran_has_no_golden_samples(run, tmp_path):
    report = run_example.report()
    recorded = golden.read(run)
    del recorded["fp32.onnx"]
    pair = chosen(report, (), inspection=False)[0]
    assert golden.write(tmp_path, report, pair, recorded) is None


def test_samples_that_cannot_be_read_are_refused(run):
    (run / "records" / "golden.npz").write_bytes(b"no archive")
    with pytest.raises(MaterialError, match="unreadable"):
        golden.read(run)


def test_a_file_that_takes_integers_has_them_in_its_archive(run, tmp_path):
    report, recorded = run_example.report(), golden.read(run)
    pair = chosen(report, (), inspection=False)[0]
    takes, gives = Scaled("int8", (1, 8, 8), 0.5, -3), Scaled("int8", (1, 10), 0.25, 4)
    package = dataclasses.replace(pair.package, input=takes, output=gives)
    integers = dataclasses.replace(pair, package=package)
    for one, keys in ((pair, set()), (integers, {"input_integers", "output_integers"})):
        written = golden.write(tmp_path, report, one, recorded)
        with np.load(tmp_path / written.file) as archive:
            assert set(archive) == {"input", "output"} | keys
            for key in keys:
                scaled = takes if key == "input_integers" else gives
                numbers = archive[key.removesuffix("_integers")]
                assert archive[key].dtype == np.int8
                assert np.array_equal(archive[key], scaled.as_taken(numbers))
