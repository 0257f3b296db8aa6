"""``edgestill bench --scenario``: every option works with each scenario or is refused with why."""

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import edgestill
import numpy as np
import pytest
from edgestill.devices.bench import inspection
from edgestill.devices.bench.settings import Settings
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.onboard.measure.job import InspectJob
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.onboard.stats.processes import median_over_processes
from edgestill.devices.scenarios.cold_start import ColdFigures
from edgestill.devices.scenarios.result import Result
from edgestill.devices.scenarios.scenario import Implementation, Procedure
from edgestill.devices.scenarios.table import SCENARIOS, Scenario
from edgestill.devices.scenarios.threads import ThreadFigures, ThreadsFigures
from edgestill.errors import UsageError
from edgestill.pipeline.commands import bench_scenarios, cli
from edgestill.pipeline.commands.bench import USES
from edgestill.pipeline.commands.bench import bench as command
from edgestill.pipeline.commands.bench_scenario_options import ScenarioName
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.finished import measure as measuring
from edgestill.pipeline.finished.measured import Measured
from fake_place import FakePlace
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT
KNOWN = Path(edgestill.__file__).parent / "devices/profiles/raspberry-pi-4.toml"
"""Figures of a machine that is not measured for them."""


def bench(*arguments):
    invocation = Invocation(json="--json" in arguments)
    cli.cli.main(["bench", *map(str, arguments)], standalone_mode=False, obj=invocation)


def dense(path, axes=("n", 8)):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [("x", FLOAT, list(axes))], [("y", FLOAT, list(axes))]
    return save(path, nodes, *ends, [("w", np.ones((8, 8), np.float32))])


@pytest.fixture
def model(tmp_path):
    return dense(tmp_path / "m.onnx")


@pytest.fixture
def place(monkeypatch):
    """Every device is a place whose processes take longer and longer."""
    fake = FakePlace({"m.onnx": lambda n: 1_000_000 + 1000 * n})
    monkeypatch.setattr(measuring, "place_of", lambda *_, **__: fake)
    return fake


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline", "cold-start"])
def test_a_precision_goes_on_with_more_processes_in_every_scenario(
    model, place, tmp_path, capsys, scenario
):
    del place
    words = (model, "--scenario", scenario, "--processes", 2, "--out", tmp_path / "o", "--json")
    bench(*words, "--precision", 99)
    result = json.loads(capsys.readouterr().out)
    assert (result["scenario"], result["enough"]) == (scenario, True)
    assert result["processes"] == 7, "the fewest that have an interval at the first look"


@pytest.mark.parametrize("wanted", ["99", "0.0001"])
def test_it_goes_on_until_medians_are_precise_enough_or_time_is_up(
    model, place, tmp_path, capsys, wanted
):
    del place
    until = ("--precision", wanted, "--max-seconds", 2)
    bench(model, *until, "--processes", 2, "--out", tmp_path / "o", "--json")
    result = json.loads(capsys.readouterr().out)
    p50 = result["models"][0]["p50_ms"]
    precise = (p50["high"] - p50["low"]) / 2 <= float(wanted) / 100 * p50["value"]
    assert precise == result["enough"] == (wanted == "99")
    assert any("time was up" in warning for warning in result["warnings"]) != precise
    assert p50["n"] >= 7


@pytest.mark.parametrize("scenario", ["multi-stream", "offline", "threads", "cold-start"])
def test_csv_and_page_are_written_in_every_scenario(model, place, tmp_path, capsys, scenario):
    del place
    files = ("--csv", tmp_path / "t.csv", "--html", tmp_path / "t.html")
    bench(model, "--scenario", scenario, "--processes", 1, "--out", tmp_path / "o", *files)
    with (tmp_path / "t.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["scenario"] for line in lines} == {scenario}
    page = (tmp_path / "t.html").read_text()
    assert "m.onnx" in page
    assert "<script" not in page
    assert "m.onnx" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scenario", "cold-start", "--meter", "x.csv"), "one query is too short"),
        (("--scenario", "sustained", "--precision", 1), "no share of it is a precision"),
        (("--scenario", "server", "--rate", 1, "--operators"), "waiting for other queries"),
        (("--scenario", "multi-stream", "--operators"), "waiting for other queries"),
        (("--loadgen", "--meter", "x.csv"), "--meter with --loadgen"),
        (("--scenario", "offline", "--predict"), "--scenario with --predict"),
        (("--scenario", "offline", "--instructions"), "--scenario with --instructions"),
        (("--streams", 2, "--instructions"), "--streams with --instructions"),
        (("--operators", "--seconds", 1), "--seconds with --operators"),
        (("--operators", "--instructions"), "--instructions and --operators"),
        (("--host-profile", "x.toml"), "--host-profile: found|--host-profile"),
        (("--max-seconds", 3), "--max-seconds without --precision"),
        (("--batch", 4, "--shape", "x=2,8"), "--batch 4 and 2 samples in --shape 'x'"),
        (
            ("--operators", "--device", "raspberry-pi-4", "--host-profile", "x.toml"),
            "both name the figures of this machine",
        ),
    ],
)
def test_what_would_be_ignored_is_refused_and_nothing_is_written(model, tmp_path, arguments, words):
    with pytest.raises(UsageError, match=words):
        bench(model, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_every_option_belongs_to_something_that_is_measured():
    used = set().union(*USES.values())
    assert {option.name for option in command.params if option.expose_value} == used


def test_a_scenario_with_rows_has_a_line_for_each(tmp_path):
    exact = [Estimate.exact(value, "a test", "ms") for value in (1.0, 2.0)]
    rows = tuple(ThreadFigures(n, *[exact[n - 1]] * 3) for n in (1, 2))
    settings = Settings(processes=1)
    result = Result(describe(), settings, (ThreadsFigures("m", rows),), (), (), "r", "now",
                    scenario="threads")  # fmt: skip
    lines = bench_scenarios.lines(result, tmp_path)
    assert [(line["threads"], line["p50_ms"]) for line in lines] == [(1, 1.0), (2, 2.0)]
    assert Measured(result, tmp_path).to_dict()["folder"] == str(tmp_path)


def counting(monkeypatch):
    """Paths of the models that a child process inspects."""
    seen, run = [], inspection.run

    def counted(job, **options):
        if isinstance(job, InspectJob):
            seen.append(job.model)
        return run(job, **options)

    monkeypatch.setattr(inspection, "run", counted)
    return seen


def test_a_model_is_inspected_once(model, place, tmp_path, monkeypatch):
    del place
    seen = counting(monkeypatch)
    bench(model, "--processes", 1, "--out", tmp_path / "o", "--json")
    assert seen == [str(model)]


def test_a_model_with_given_shapes_is_inspected_once_and_its_operations_are_of_them(
    tmp_path, place, monkeypatch, capsys
):
    del place
    seen, model = counting(monkeypatch), dense(tmp_path / "m.onnx", ("n", "length", 8))
    bench(model, "--shape", "x=1,5,8", "--processes", 1, "--out", tmp_path / "o", "--json")
    assert seen == [str(model)]
    assert json.loads(capsys.readouterr().out)["models"][0]["macs"] == 5 * 8 * 8


def test_operators_are_timed_at_every_batch_of_offline(model, capsys):
    offline = ("--scenario", "offline", "--batches", "1,3")
    bench(model, *offline, "--operators", "--host-profile", KNOWN, "--json")
    records = json.loads(capsys.readouterr().out)["models"]
    assert [record["name"] for record in records] == ["m.onnx (batch-1)", "m.onnx (batch-3)"]
    macs = [sum(one["macs"] or 0 for one in record["operators"]) for record in records]
    assert macs == [64, 3 * 64]


def test_a_new_scenario_is_on_the_command_line_at_once(model, place, tmp_path, capsys, monkeypatch):
    del place

    def figures(name, variants, confidence):
        total = median_over_processes([p.answer.load_ms for p in variants[""]], confidence, "ms")
        return ColdFigures(name, total, total, total, total, total)

    def prepare(prepared, options):
        del options
        jobs = {"": lambda subject, samples, _: prepared.closed_loop(subject, samples)}
        return Procedure(jobs=jobs, figures=figures, most_threads=1)

    toy = Implementation(
        prepare=prepare,
        decisive=lambda found: (found.total_ms,),
        rows=lambda found: [("loading", found.load_ms)],
    )
    module = SimpleNamespace(IMPLEMENTATION=toy)
    monkeypatch.setitem(sys.modules, "edgestill.devices.scenarios.toy", module)
    monkeypatch.setitem(SCENARIOS, "toy", Scenario("toy", "how long loading takes"))
    bench(model, "--scenario", "toy", "--processes", 6, "--out", tmp_path / "o")
    assert "loading  1.00 ms (1.00 to 1.00)" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--streams with --scenario toy"):
        bench(model, "--scenario", "toy", "--streams", 2)


def test_a_screen_has_no_reason_why_an_interval_is_missing(model, place, tmp_path, capsys):
    del place
    some = (model, "--scenario", "cold-start", "--processes", 2, "--out", tmp_path / "o")
    bench(*some)
    screen = capsys.readouterr().out
    assert "(no interval)" in screen
    assert "why an interval is missing: --verbose" in screen
    bench(*some, "--verbose")
    whole = " ".join(capsys.readouterr().out.split())
    assert "no interval: an interval at 95 % takes at least 6" in whole
    assert "--verbose" not in whole


def test_operators_on_a_screen_are_the_slowest_of_all(model, capsys):
    known = ("--operators", "--host-profile", KNOWN)
    bench(model, *known)
    assert "details: more types and operators: --verbose" in capsys.readouterr().out
    bench(model, *known, "--verbose")
    assert "details" not in capsys.readouterr().out


def test_scenarios_are_chosen_by_the_names_of_the_table_at_the_time_of_use(monkeypatch):
    monkeypatch.setitem(SCENARIOS, "toy", Scenario("toy", "how long loading takes"))
    assert ScenarioName().convert("toy", None, None) == "toy"
    monkeypatch.delitem(SCENARIOS, "toy")
    with pytest.raises(click.BadParameter):
        ScenarioName().convert("toy", None, None)


@pytest.mark.slow
def test_a_scenario_prints_one_json_document_or_a_table(model, tmp_path, capsys):
    some = (model, "--processes", 1, "--out", tmp_path / "o")
    load_ = ("--scenario", "server", "--rate", 100, "--deadline-ms", 900, "--duration", 0.1)
    bench(*some, *load_, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["scenario"] == "server"
    assert document["models"][0]["queries"] == 10
    assert document["models"][0]["missed"] == 0
    bench(*some, *load_)
    text = capsys.readouterr().out
    for word in ("m.onnx", "utilisation", "sustained", "deadline missed", "p50 by tenth"):
        assert word in text
    bench(*some, "--scenario", "cold-start")
    text = capsys.readouterr().out
    for word in ("process start", "import", "load", "first inference"):
        assert word in text


def test_sustained_is_one_process_and_has_a_duration_not_seconds(model, tmp_path, capsys):
    sustained = (model, "--scenario", "sustained", "--out", tmp_path / "o")
    bench(*sustained, "--duration", 0.3, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["settings"]["processes"] == 1
    assert document["settings"]["timing"]["seconds"] == 0.3
    with pytest.raises(UsageError, match="say how long with --duration"):
        bench(*sustained, "--seconds", 1)
    for scenario, option in (("threads", "--threads"), ("offline", "--batch")):
        with pytest.raises(UsageError, match=f"{option} with --scenario {scenario}"):
            bench(model, "--scenario", scenario, option, 2)
    options = cli.cli.commands["bench"].make_context("bench", ["m", "--batches", "1, 16"]).params
    assert options["batches"] == (1, 16)
    with pytest.raises(click.BadParameter, match="is not like 1,2,4"):
        bench(model, "--scenario", "offline", "--batches", "1,0")
