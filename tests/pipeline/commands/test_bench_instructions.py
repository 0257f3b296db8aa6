"""``bench --instructions`` and ``--operators``: exit codes, a baseline, what is shown."""

import hashlib
import io
import json

import pytest
from edgestill.devices.instructions import callgrind as counting
from edgestill.devices.instructions.callgrind import Instructions
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import UsageError
from edgestill.pipeline.commands import bench_operators
from edgestill.pipeline.commands.bench_instructions import lines, summary
from edgestill.pipeline.commands.cli import cli
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.finished import instruction_baseline as baseline
from edgestill.pipeline.finished.instruction_baseline import Baseline, Entry, judge
from edgestill.pipeline.finished.instructions import Counted, InstructionsCounted
from edgestill.pipeline.finished.profiled import Profiled, predicted_lines
from edgestill.pipeline.records import Predicted
from onnx_files import dense
from rich.console import Console


@pytest.fixture
def valgrind():
    if (refusal := counting.missing()) is not None:
        pytest.skip(str(refusal))


@pytest.mark.slow
def test_bench_ends_with_one_where_a_count_is_above_the_baseline(valgrind, tmp_path, capsys):
    model, kept = dense(tmp_path / "m.onnx", 1), tmp_path / "counts.json"
    command = ["bench", str(model), "--instructions", "--baseline", str(kept)]

    def run(*more):
        invocation = Invocation(json="--json" in more)
        cli.main([*command, *more], standalone_mode=False, obj=invocation)
        return invocation.code, capsys.readouterr().out

    assert run("--update-baseline")[0] == 0
    entry = baseline.read(kept).entry("m.onnx", "x86_64")
    assert entry.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    less = entry.model_copy(update={"instructions": entry.instructions * 9 // 10})
    baseline.write(kept, Baseline(counts=(less,)))
    code, said = run("--json")
    assert (code, json.loads(said)["exit_code"]) == (1, 1)
    assert json.loads(said)["models"][0]["baseline"]["outcome"] == "not ready"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--baseline", "b.json"], "--baseline, expected it with --instructions"),
        (["--max-seconds", "9"], "--max-seconds without --precision"),
        (["--scenario", "sustained", "--precision", "3"], "--precision with --scenario sustained"),
        (["--device", "raspberry-pi-4"], "which is only a profile"),
        (["--instructions", "--seconds", "1"], "--seconds with --instructions"),
        (["--instructions", "--spinning"], "--spinning with --instructions"),
        (["--instructions", "--update-baseline"], "--update-baseline without --baseline"),
        (["--instructions", "--baseline", "none.json"], "none.json: no such file"),
        (["--instructions", "--device", "x86-vnni"], "x86_64 with avx_vnni kernels"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dense(tmp_path / "m.onnx", 1)
    with pytest.raises(UsageError, match=message):
        cli.main(["bench", "m.onnx", *words], standalone_mode=False, obj=Invocation())


def instructions(*counts):
    return Instructions(counts, 1, "callgrind", "x86_64", "avx2", "onnxruntime 1.0")


ENTRY = Entry(
    name="m.onnx",
    sha256="0" * 64,
    core="x86_64",
    kernels="avx2",
    runtime="onnxruntime 1.0",
    batch=1,
    shapes={},
    instructions=1_000_000,
)


def changed(**facts):
    return ENTRY.model_copy(update=facts)


@pytest.mark.parametrize(
    ("now", "outcome", "code"),
    [
        (900_000, "ready", 0),
        (1_000_000, "ready", 0),
        (1_010_000, "ready", 0),
        (1_010_001, "not ready", 1),
        (2_000_000, "not ready", 1),
    ],
)
def test_more_than_one_per_cent_above_the_baseline_is_a_regression(now, outcome, code):
    judged = judge(changed(instructions=now), ENTRY)
    assert judged.outcome == outcome
    assert f"{now:,} instructions" in judged.why
    assert InstructionsCounted((Counted(ENTRY, instructions(now), judged),)).exit_code == code


@pytest.mark.parametrize(
    "other",
    [{"runtime": "onnxruntime 2.0"}, {"kernels": "avx512"}, {"batch": 2}, {"shapes": {"x": [1]}}],
)
def test_what_cannot_be_compared_is_undecided_and_says_why(other):
    judged = judge(changed(**other, instructions=9_000_000), ENTRY)
    assert (judged.outcome, judged.ratio) == ("undecided", None)
    (what,) = other
    assert f"counted with {what} " in judged.why
    assert InstructionsCounted((Counted(ENTRY, instructions(1), judged),)).exit_code == 5


def test_another_file_of_the_same_name_is_compared_and_an_unknown_one_is_not():
    assert judge(changed(sha256="1" * 64), ENTRY).outcome == "ready"
    kept = Baseline(counts=(ENTRY,))
    assert kept.entry("m.onnx", "cortex-a72") is None
    assert "not in the baseline" in judge(ENTRY, None).why


def test_a_regression_weighs_more_than_what_is_undecided():
    counted = [
        Counted(ENTRY, instructions(1), judge(one, kept))
        for one, kept in [(ENTRY, None), (changed(instructions=2_000_000), ENTRY), (ENTRY, ENTRY)]
    ]
    assert InstructionsCounted(tuple(counted)).exit_code == 1
    assert (
        InstructionsCounted(
            (
                counted[0],
                counted[2],
            )
        ).exit_code
        == 5
    )
    assert InstructionsCounted(()).exit_code == 0
    told = InstructionsCounted(tuple(counted)).to_dict()
    assert "not a time" in told["figure"]
    assert told["models"][1]["baseline"]["ratio"] == 2.0


def test_a_baseline_keeps_what_was_not_counted_again(tmp_path):
    path = tmp_path / "new" / "counts.json"
    other = changed(core="cortex-a72")
    baseline.write(path, Baseline(counts=(ENTRY, other)))
    kept = baseline.read(path)
    newer = changed(instructions=5)
    baseline.write(path, kept.updated([newer]))
    again = baseline.read(path)
    assert again.entry("m.onnx", "x86_64") == newer
    assert again.entry("m.onnx", "cortex-a72") == other
    assert len(again.counts) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"counts": [{"name": "m"}]}'])
def test_a_file_that_is_no_baseline_is_refused(text, tmp_path):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="expected a file that --update-baseline wrote"):
        baseline.read(path)
    with pytest.raises(UsageError, match="no such file"):
        baseline.read(tmp_path / "none.json")
    assert baseline.read(tmp_path / "none.json", may_be_new=True).counts == ()


def test_counts_are_a_line_and_a_row_a_model_over_the_first():
    twice = changed(name="n.onnx", instructions=2_000_000)
    counted = [Counted(ENTRY, instructions(1_000_000)), Counted(twice, instructions(2_000_000))]
    assert [line["instructions"] for line in lines(InstructionsCounted(tuple(counted)))] == [
        1_000_000,
        2_000_000,
    ]
    console = Console(file=io.StringIO(), width=100)
    console.print(summary(InstructionsCounted(tuple(counted))))
    text = console.file.getvalue()
    assert "a count, not a time" in text
    assert [row.split()[-1] for row in text.splitlines() if ".onnx" in row][:2] == ["1", "2"]


def test_operators_are_a_line_each_and_a_prediction_is_marked():
    figure = Estimate(2.0, 1.0, 3.0, "PREDICTED", 0, None, "ms", "predicted")
    prediction = Predicted(
        name="=m", target="pi", device="Pi", threads=1, p50_ms=figure, call_us=1.0, spread=0.3,
        unroofed=2,
    )  # fmt: skip
    profiled = Profiled((), (prediction,))
    (line,) = bench_operators.lines(profiled)
    assert (line["what"], line["name"], line["p50_ms"]) == ("PREDICTED", "'=m", 2.0)
    assert profiled.to_dict()["predicted"][0]["status"] == "PREDICTED"
    assert all(text.startswith("PREDICTED") for text in predicted_lines(prediction))
