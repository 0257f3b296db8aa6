"""``edgestill compare`` and what ``bench`` writes: ratios, sentences, exit codes, files."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pytest
import report_example
from click.testing import CliRunner
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import StorageError
from edgestill.pipeline.commands import bench_files, bench_latency
from edgestill.pipeline.commands import compare as shown
from edgestill.pipeline.commands.cli import cli
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.finished import compare as comparison
from edgestill.pipeline.finished.compare_answers import AnswersCompared
from edgestill.pipeline.finished.measured import spreads
from edgestill.pipeline.progress import Silent
from fake_place import FakePlace
from flat_options import flat_settings
from onnx import TensorProto, helper, numpy_helper
from rich.console import Group

HOSTILE = '=1+1,"<script>alert(1)</script>\x1b[31m'


def estimate(value, low=None, high=None):
    return Estimate(
        value, low, high, "test", 9, None if low else "2 processes", "ratio", "measured"
    )


def dense(path, layers, width=64):
    nodes = [helper.make_node("MatMul", [f"h{i}", "w"], [f"h{i + 1}"]) for i in range(layers)]
    weight = np.eye(width, dtype=np.float32)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("h0", TensorProto.FLOAT, [1, width])],
        [helper.make_tensor_value_info(f"h{layers}", TensorProto.FLOAT, [1, width])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two models compared on the command line where a query takes 1 ms and 2 ms."""
    folder = tmp_path_factory.mktemp("compare")
    fake = FakePlace({"a.onnx": lambda _: 1_000_000, "b.onnx": lambda _: 2_000_000})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            comparison, "measure", lambda request: measure(dataclasses.replace(request, place=fake))
        )
        patch.chdir(folder)
        return on_the_command_line(folder, 1)


def on_the_command_line(folder, layers, *options):
    """A model of one layer and another one compared, with every option."""
    small, large = dense(folder / "a.onnx", 1), dense(folder / "b.onnx", layers)
    told = ["compare", small, large, "--json", *options]
    done, invocation = command(*told, "--csv", folder / "c.csv", "--max-ratio", 1.0)
    return json.loads(done.stdout), invocation, folder


def command(*told):
    invocation = Invocation(json="--json" in told)
    return CliRunner().invoke(cli, [str(one) for one in told], obj=invocation), invocation


@pytest.mark.slow
def test_a_model_of_two_hundred_times_the_work_takes_another_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = ("--seconds", 0.02, "--max-seconds", 1)
    found, invocation, _ = on_the_command_line(tmp_path, 200, *quick)
    assert found["different"] is True
    assert found["ratio"]["low"] > 2
    assert re.fullmatch(r"B takes [\d.]+× the latency of A \([\d.]+ to [\d.]+\)", found["sentence"])
    assert (found["outcome"], invocation.code) == ("not ready", 1)


def test_a_model_that_takes_twice_the_time_misses_the_budget(pair):
    found, invocation, folder = pair
    ratio = found["ratio"]
    assert (ratio["low"], ratio["value"], ratio["high"]) == (2.0, 2.0, 2.0)
    assert found["different"] is True
    assert found["sentence"] == "B takes 2.00× the latency of A"
    assert (found["outcome"], invocation.code, found["exit_code"]) == ("not ready", 1, 1)
    assert (found["a"], found["b"]) == (str(folder / "a.onnx"), str(folder / "b.onnx"))


def test_comparing_takes_turns_in_at_least_nine_fresh_processes_each(pair):
    found, _, folder = pair
    processes = json.loads((folder / found["folder"] / "processes.json").read_text())
    assert len(processes) == 2 * found["ratio"]["n"] >= 18
    pairs = [
        (first["subject"], second["subject"])
        for first, second in zip(processes[::2], processes[1::2], strict=True)
    ]
    assert set(pairs) == {("A", "B"), ("B", "A")}


def test_the_document_has_the_answers_as_json(tmp_path, monkeypatch):
    fake(monkeypatch, estimate(2.0, 1.9, 2.1))
    model = dense(tmp_path / "m.onnx", 1)
    found = comparison.compare(model, model, Silent(), comparison.CompareOptions())
    assert isinstance(shown.summary(found, verbose=True), Group)
    document = json.loads(json.dumps(found.to_dict()))
    assert document["answers"]["queries"] == 32
    assert document["ratio"]["high"] == 2.1


def test_comparisons_csv_has_the_ratio_with_its_interval(pair):
    _, _, folder = pair
    first, second = table(folder / "c.csv")
    for end in ("", "_low", "_high"):
        assert float(first[f"p10_over_first{end}"]) == 1.0
        assert float(second[f"p10_over_first{end}"]) == 2.0


def table(file):
    return list(csv.DictReader(io.StringIO(file.read_text())))


def fake(monkeypatch, ratio):
    """The same comparison where the measurement finds this ratio and no answer is looked at."""
    report = report_example.report()
    pair = dataclasses.replace(report.measured.benchmark.ratios[0], of="B", over="A", p10=ratio)
    models = tuple(
        dataclasses.replace(one, name=name)
        for name, one in zip("AB", report.measured.benchmark.models[:2], strict=True)
    )
    measured = dataclasses.replace(report.measured.benchmark, models=models, ratios=(pair,))
    monkeypatch.setattr(comparison, "measure", lambda *_, **__: measured)
    answers = AnswersCompared(32, False, (), "a test", ())
    monkeypatch.setattr(comparison, "compare_answers", lambda *_: answers)


@pytest.mark.parametrize(
    ("ratio", "option", "code", "words"),
    [
        (estimate(2.0, 1.9, 2.1), (), 0, "B takes 2.00"),
        (estimate(1.0, 0.99, 1.01), (), 0, "0.99 to 1.01, no difference shown"),
        (estimate(2.0, 1.9, 2.1), ("--max-ratio", 1.05), 1, "at most 1.05: missed"),
        (estimate(1.0, 0.99, 1.01), ("--max-ratio", 1.05), 0, "at most 1.05: kept"),
        (estimate(1.0, 0.9, 1.1), ("--max-ratio", 1.05), 5, "at most 1.05: undecided"),
    ],
)
def test_the_exit_code_is_the_budgets_and_else_zero(
    tmp_path, monkeypatch, ratio, option, code, words
):
    fake(monkeypatch, ratio)
    model = dense(tmp_path / "m.onnx", 1)
    done, invocation = command("compare", model, model, *option)
    assert done.exception is None
    assert invocation.code == code
    assert words in done.stdout


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Three models, one of a hostile name, the fastest in the middle; six processes each."""
    folder = tmp_path_factory.mktemp("bench")
    layers = {"slow": 300, HOSTILE: 1, "middle": 100}
    subjects = [Subject(name, dense(folder / f"{n}.onnx", n)) for name, n in layers.items()]
    settings = flat_settings(processes=6, seconds=0.01, max_queries=64, warmup_seconds=0.25)
    return measure(Request(subjects, settings, folder), references=list(layers)), folder


@pytest.mark.slow
def test_the_fastest_is_told_against_every_other(measured):
    found, _ = measured
    first, second = bench_latency.fastest(found)
    latency = r" takes [\d.]+× the latency of "
    interval = r" \([\d.]+ to [\d.]+\)"
    assert re.fullmatch(f"slow{latency}{re.escape(HOSTILE)}{interval}", first)
    assert re.fullmatch(f"middle{latency}{re.escape(HOSTILE)}{interval}", second)
    assert bench_latency.fastest(dataclasses.replace(found, models=found.models[:1])) == []
    alike = [
        dataclasses.replace(one, p50=estimate(1.01, 0.9, 1.1)) if one.over == HOSTILE else one
        for one in found.ratios
    ]
    told = bench_latency.fastest(dataclasses.replace(found, ratios=tuple(alike)))
    assert told == [
        f"{name} takes 1.01× the latency of {HOSTILE} (0.90 to 1.10, no difference shown)"
        for name in ("slow", "middle")
    ]


@pytest.mark.slow
def test_the_spread_is_of_all_queries_of_a_model_and_of_no_other(measured):
    _, folder = measured
    for name, one in spreads(folder).items():
        files = [
            folder / p["samples"]
            for p in json.loads((folder / "processes.json").read_text())
            if p["subject"] == name
        ]
        ms = np.concatenate([np.load(file) for file in files]) / 1e6
        assert len(files) == 6
        assert (one.min_ms, one.max_ms) == (ms.min(), ms.max())
        assert one.mean_ms == pytest.approx(ms.mean())
        assert one.sd_ms == pytest.approx(ms.std())


@pytest.mark.slow
def test_csv_has_a_line_a_model_and_no_cell_is_a_formula(measured):
    found, folder = measured
    text = bench_files.as_csv(bench_latency.lines(found, folder))
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["name"] for line in lines][::2] == ["slow", "middle"]
    assert lines[1]["name"].startswith("'=1+1")
    assert "\x1b" not in text
    assert not [v for line in lines for v in line.values() if v[:1] in "=+@\t\r" and v]
    for line, model in zip(lines, found.models, strict=True):
        assert float(line["p50_ms"]) == model.p50_ms.value
        assert float(line["p50_ms_low"]) == model.p50_ms.low
        assert int(line["queries"]) == model.queries
        assert (line["p99_ms"], line["processes"]) == ("", "6")
    (ratio,) = [r.p50.value for r in found.ratios if (r.of, r.over) == ("middle", "slow")]
    assert float(lines[2]["p50_over_first"]) == ratio


@pytest.mark.slow
def test_the_page_needs_nothing_but_itself_and_escapes_names(measured):
    page = bench_latency.page(*measured)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "slow takes " in page
    assert bench_latency.how(measured[0]) in page


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path):
    model = dense(tmp_path / "m.onnx", 1)
    for option in ("--csv", "--html"):
        done, _ = command("bench", model, option, tmp_path / "no" / "file")
        assert isinstance(done.exception, StorageError)
    bench_files.can_write(tmp_path / "m.csv", None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx"]


@pytest.mark.slow
def test_bench_writes_csv_page_and_terminal_from_one_measurement(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two = dense(tmp_path / "one.onnx", 1), dense(tmp_path / "two.onnx", 300)
    quick = ("--processes", 6, "--seconds", 0.01)
    done, _ = command("bench", two, one, *quick, "--csv", "t.csv", "--html", "t.html")
    assert done.exception is None, done.exception
    assert "two.onnx takes" in done.stdout
    assert "details: " in done.stdout
    assert [line["name"] for line in table(tmp_path / "t.csv")] == ["two.onnx", "one.onnx"]
    assert "<h1>two.onnx and one.onnx</h1>" in (tmp_path / "t.html").read_text()


def test_progress_says_once_that_it_goes_on():
    from edgestill.pipeline.progress import measuring

    class Told(Silent):
        notes = ()

        def note(self, text):
            self.notes += (text,)

    progress = Told()
    with measuring(progress, 4) as told:
        for done in range(1, 9):
            told(done, 4, "A")
    assert progress.notes == ("benchmark: not decided yet, going on with more processes",)
