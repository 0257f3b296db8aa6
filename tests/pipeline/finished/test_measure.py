"""Models measured in turn: until a precision is reached, in a folder of their own."""

from pathlib import Path

import pytest
from edgestill.devices.onboard.settings import Feed
from edgestill.pipeline.finished import measure as measuring
from edgestill.pipeline.finished.inspected import inspected, subjects_of
from edgestill.pipeline.finished.scenario import SINGLE_STREAM, Chosen
from edgestill.pipeline.progress import Silent
from fake_place import FakePlace
from noted import Noted
from onnx_files import dense


@pytest.mark.parametrize("precision", [None, 0.99])
def test_two_models_take_turns_and_are_each_others_reference(tmp_path, monkeypatch, precision):
    fake = FakePlace({"a.onnx": lambda _: 1_000_000, "b.onnx": lambda _: 2_000_000})
    monkeypatch.setattr(measuring, "place_of", lambda *_, **__: fake)
    files = [dense(tmp_path / f"{name}.onnx", layers=1, width=8) for name in "ab"]
    models = inspected(subjects_of(files), Feed(), ask=None)
    options = measuring.BenchOptions(processes=7, precision=precision, out=tmp_path / "out")
    measured = measuring.measure(models, Chosen(SINGLE_STREAM, {}), options, Silent())
    found, folder = measured.found, measured.folder
    assert folder == tmp_path / "out"
    assert (folder / "processes.json").is_file()
    ratios = {(one.of, one.over): one.p50.value for one in found.ratios}
    assert ratios[("b.onnx", "a.onnx")] == 2.0
    assert ratios[("a.onnx", "b.onnx")] == 0.5
    assert found.processes == 7


def test_raw_samples_lie_in_a_new_folder_where_none_is_named():
    assert measuring.new_folder().parent == Path("artifacts/bench")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (0.001, "the precision of 0.1 % was not reached in 1 s: half the widest interval is "),
        (0.99, None),
    ],
)
def test_a_precision_that_is_not_reached_is_told(tmp_path, monkeypatch, asked, said):
    fake = FakePlace({"a.onnx": lambda n: 1_000_000 * (1 + n % 2)})
    monkeypatch.setattr(measuring, "place_of", lambda *_, **__: fake)
    models = inspected(
        subjects_of([dense(tmp_path / "a.onnx", layers=1, width=8)]), Feed(), ask=None
    )
    options = measuring.BenchOptions(
        processes=7, precision=asked, max_seconds=1.0, out=tmp_path / "out"
    )
    told = Noted()
    measured = measuring.measure(models, Chosen(SINGLE_STREAM, {}), options, told)
    found = [text for text in measured.warnings if "precision" in text]
    assert [text[: len(said or "")] for text in found] == ([said] if said else [])
    assert [text for text in told.warned if "precision" in text] == found
