"""What a run keeps of test, so that a later run is compared sample by sample."""

import numpy as np
import pytest
from edgestill.pipeline.runs import kept_labels


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "x_test.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    np.save(folder / "y_test.npy", np.array([0, 1, 2, 0]))
    return folder


def kept(data, run):
    (run / "records").mkdir(parents=True)
    kept_labels.keep(data, run / "records")
    return kept_labels.of(run)


def test_labels_are_read_back_as_they_were(data, tmp_path):
    found = kept(data, tmp_path / "run")
    assert found.truth.tolist() == [0, 1, 2, 0]
    assert found.groups is None


def test_the_group_of_each_sample_is_kept(data, tmp_path):
    np.save(data / "group_test.npy", np.array(["a", "a", "b", "b"]))
    assert kept(data, tmp_path / "run").groups.tolist() == ["a", "a", "b", "b"]


@pytest.mark.parametrize("file", ["x_test.npy", "y_test.npy"])
def test_other_samples_or_labels_have_another_digest(data, tmp_path, file):
    first = kept(data, tmp_path / "first")
    again = kept(data, tmp_path / "again")
    array = np.load(data / file)
    array[0] = 1
    np.save(data / file, array)
    other = kept(data, tmp_path / "other")
    assert first.sha256 == again.sha256 != other.sha256


def test_a_run_that_keeps_nothing_or_what_is_broken_has_none(data, tmp_path):
    assert kept_labels.of(tmp_path) is None
    run = tmp_path / "run"
    kept(data, run)
    (run / "records" / kept_labels.FILE).write_bytes(b"PK\x03\x04 broken")
    assert kept_labels.of(run) is None


def test_answers_are_those_of_the_variant(tmp_path):
    answers = tmp_path / "records" / "answers"
    answers.mkdir(parents=True)
    np.save(answers / "int8-static.npy", np.ones((4, 3), np.float32))
    assert kept_labels.outputs_of(tmp_path, "int8-static").shape == (4, 3)
    assert kept_labels.outputs_of(tmp_path, "fp32") is None


def test_a_build_keeps_them(built):
    found = kept_labels.of(built[0].run)
    outputs = kept_labels.outputs_of(built[0].run, "fp32")
    assert len(found.truth) == len(outputs) == built[0].report.quality.test_samples
    score = float((outputs.argmax(1) == found.truth).mean())
    variants = {one.name: one for one in built[0].report.quality.variants}
    assert score == pytest.approx(variants["fp32"].score.value)
