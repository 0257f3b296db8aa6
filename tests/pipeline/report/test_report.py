"""The pages of a run: they agree with the record, say what is unknown, and believe no name."""

import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import measured_example
import numpy as np
import pytest
import report_example as example
import tiny
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.scenarios.figures import Ratio
from edgestill.pipeline import report as pages
from edgestill.pipeline.recipe import files as recipefile
from edgestill.pipeline.records import Check, Outcome, Predicted, Report, VariantVerdict
from edgestill.pipeline.report import (
    charts,
    html,
    junit,
    markdown,
    numbers,
    samples,
    svg,
    terminal,
    words,
)
from edgestill.pipeline.report.numbers import BYTES, MICROJOULES, MILLISECONDS, PERCENT, POINTS
from edgestill.pipeline.runs import run as runs
from rich.console import Console

HOSTILE = "</script><script>alert(1)</script>|<img src=x onerror=alert(2)>[x](http://e.vil)\x1b[31m"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    measured_example.write_samples(folder / "records" / "samples")
    pages.write(example.report(), folder)
    return folder


def hostile() -> Report:
    """A report in which labels, a variant, notes, files and the reasons are all hostile."""
    report = example.with_name(example.report(labels=(HOSTILE, "b")), "fp32", HOSTILE)
    report = example.with_name(report, "models/digits-fp32.onnx", HOSTILE)
    report = example.without_energy(report, HOSTILE)
    verdict = report.verdict.model_copy(update={"why": HOSTILE})
    data = report.data.model_copy(update={"notes": (HOSTILE,), "source": HOSTILE})
    return report.model_copy(
        update={"verdict": verdict, "data": data, "recipe": {"name": HOSTILE}, "name": HOSTILE}
    )


def chart_of(page: str, name: str) -> str:
    """One chart of a page."""
    return page.split(f'<figure id="{name}"')[1].split("</figure>")[0]


class Elements(HTMLParser):
    """Every element a browser would see, with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def in_terminal(report: Report) -> str:
    """What a pipe would carry: the file is no terminal."""
    console = Console(width=80, file=io.StringIO())
    console.print(terminal.table(report))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def pages_of(report: Report) -> dict[str, str]:
    return {
        "html": html.page(report, Path("/nowhere")),
        "markdown": markdown.page(report),
        "junit": junit.document(report).decode(),
        "terminal": in_terminal(report),
    }


def test_the_four_files_are_written_and_no_draft_is_left(run: Path) -> None:
    names = {path.name for path in run.iterdir() if path.is_file()}
    assert names == {"report.json", "report.md", "report.html", "junit.xml"}


def test_report_json_is_the_report(run: Path) -> None:
    text = (run / "report.json").read_text(encoding="utf-8")
    assert Report.model_validate_json(text) == example.report()
    json.loads(text, parse_constant=lambda found: pytest.fail(f"{found} is not JSON"))


def test_the_same_report_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    measured_example.write_samples(tmp_path / "records" / "samples")
    pages.write(example.report(), tmp_path, place=run)
    for name in ("report.json", "report.md", "report.html", "junit.xml"):
        assert (tmp_path / name).read_bytes() == (run / name).read_bytes(), name


@pytest.mark.parametrize(
    ("outcome", "ship", "expected"),
    [
        ("ready", "fp32", "READY: fp32 ships"),
        ("not ready", None, "NOT READY: nothing ships"),
        ("undecided", None, "UNDECIDED: nothing ships"),
    ],
)
def test_every_page_opens_with_the_verdict(
    outcome: Outcome, ship: str | None, expected: str
) -> None:
    report = example.report(outcome=outcome, ship=ship)
    assert words.headline(report) == expected
    assert in_terminal(report).startswith(expected)
    assert markdown.page(report).startswith(f"# digits: {expected}\n")
    assert f"<title>digits: {expected}</title>" in html.page(report, Path("/nowhere"))
    assert f'value="{expected}"' in junit.document(report).decode()


@pytest.mark.parametrize(
    ("estimate", "unit", "expected"),
    [
        ((0.0234, 0.0231, 0.0239, 9, None), MILLISECONDS, "23.4 µs (23.1 to 23.9)"),
        ((1.5, 1.4, 1.6, 9, None), MILLISECONDS, "1.50 ms (1.40 to 1.60)"),
        ((2048.0, 2048.0, 2048.0, 1, None), BYTES, "2.00 KiB"),
        ((0.9756, 0.957, 0.9862, 450, None), PERCENT, "97.6 % (95.7 to 98.6)"),
        ((0.97561, 0.97560, 0.97562, 9, None), PERCENT, "97.561 % (97.560 to 97.562)"),
        ((0.0, -0.00001, 0.02, 450, None), POINTS, "0.0 points (0.0 to 2.0)"),
        ((747e-3, 0.374, 1.794, 1, None), MICROJOULES, "747 nJ (374 to 1,794)"),
        ((3.0, None, None, 2, "2 processes; it takes 6"), MILLISECONDS,
         "3.00 ms (no interval: 2 processes; it takes 6)"),
        ((None, None, None, 0, "no counter"), MICROJOULES, "unknown: no counter"),
        ((float("nan"), None, None, 0, None), MICROJOULES, "unknown: no reason was recorded"),
    ],
)  # fmt: skip
def test_a_figure_has_a_unit_and_an_interval_or_a_reason(
    estimate: tuple[float | None, float | None, float | None, int, str | None],
    unit: numbers.Unit,
    expected: str,
) -> None:
    value, low, high, n, missing = estimate
    assert numbers.show(Estimate(value, low, high, "", n, missing), unit) == expected


def test_a_missing_figure_is_shown_with_its_reason_on_every_page() -> None:
    reason = "no counter under powercap"
    for name, page in pages_of(example.without_energy(example.report(), reason)).items():
        if name != "junit":  # no budget is on energy here
            assert "unknown" in page, name
            assert reason in page, name


def test_no_page_shows_a_number_that_is_none() -> None:
    report = example.without_energy(example.report(), "no counter")
    for name, page in pages_of(report).items():
        text = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
        assert not re.search(r"\b(NaN|nan|Infinity|inf|None)\b(?!\.)", text), name


def test_a_ratio_is_a_difference_only_where_its_interval_excludes_none() -> None:
    def latency(value: float, low: float | None, high: float | None) -> words.Comparison:
        return words.compared(Estimate(value, low, high, "", 9), "latency")

    assert str(latency(0.25, 0.24, 0.26)) == "0.25× the latency (0.24 to 0.26)"
    assert str(latency(1.46, 1.40, 1.50)) == "1.46× the latency (1.40 to 1.50)"
    unshown = latency(0.98, 0.95, 1.02)
    assert str(unshown) == "0.98× the latency (0.95 to 1.02, no difference shown)"
    assert unshown.change is None
    assert str(latency(0.50, None, None)) == "0.50× the latency (no interval)"
    assert (latency(0.25, 0.24, 0.26).change, latency(1.46, 1.4, 1.5).change) == ("less", "more")


@pytest.mark.parametrize(
    ("time", "size", "said"),
    [
        (1.3, 1.2, "Slower and no smaller. int8-static against fp32: 1.30× the latency"),
        (1.3, 0.999, "Slower and hardly smaller. int8-static"),
        (1.3, 0.5, "Smaller but slower. int8-static"),
        (0.8, 0.5, "int8-static against fp32: 0.80× the latency"),
    ],
)
def test_the_first_page_says_where_a_compressed_file_is_slower_or_no_smaller(
    time: float, size: float, said: str
) -> None:
    report = example.report()
    pair = Ratio(
        of="int8-static",
        over="fp32",
        p50=Estimate(time, time - 0.01, time + 0.01, "", 9),
        peak_memory=Estimate.unknown("none"),
        energy=Estimate.unknown("none"),
        size=Estimate.exact(size, ""),
    )
    benchmark = replace(report.measured.benchmark, ratios=(pair,))
    report = example.with_measured(report, benchmark=benchmark)
    assert words.against_fp32(report)[-1].startswith(said)
    assert said in markdown.page(report)


def test_the_time_of_another_machine_is_no_verdict_on_a_compression_for_the_target() -> None:
    report = example.report()
    unknown = Estimate.unknown("its operators were not timed here", "PREDICTED")
    elsewhere = Predicted(
        name="fp32", target="raspberry-pi-5", device="a board", threads=1, p50_ms=unknown,
        call_us=0.0, spread=0.0, unroofed=0,
    )  # fmt: skip
    counts = {"fp32": 200_000.0, "int8-static": 120_000.0}
    models = tuple(
        replace(one, instructions=Estimate.exact(counts[one.name], "counted by qemu"))
        if one.name in counts
        else one
        for one in report.measured.benchmark.models
    )
    benchmark = replace(report.measured.benchmark, models=models)
    report = example.with_measured(
        report,
        predicted=(elsewhere,),
        on_target=False,
        target=elsewhere.target,
        benchmark=benchmark,
    )
    said = words.against_fp32(report)[-1]
    assert said.startswith("int8-static against fp32: ")
    assert "0.60× the instructions" in said
    assert "On this machine, which is not the target: " in said


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        ((0.0067, -0.0051, 0.0184), "Distillation: no difference shown"),
        (
            (0.0167, 0.0051, 0.0284),
            "With one seed, distillation gained accuracy: 1.7 points (0.5 to 2.8)",
        ),
        (
            (-0.0167, -0.0284, -0.0051),
            "With one seed, distillation made accuracy worse: -1.7 points (-2.8 to -0.5)",
        ),
        ((0.0167, None, None), "Distillation: no difference shown"),
    ],
)
def test_what_distillation_gave_is_claimed_only_where_it_was_shown(
    difference: tuple[float, float | None, float | None], expected: str
) -> None:
    report = example.with_gain(example.report(), Estimate(*difference, "paired", 450))
    for name, page in pages_of(report).items():
        if name != "junit":
            assert expected in re.sub(r"\s+", " ", page), name


def test_the_terminal_fits_80_columns_and_needs_no_colour() -> None:
    text = in_terminal(example.report())
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    assert "0.074× the latency" in " ".join(text.split())
    for name in ("teacher", "fp32 (ships)", "int8-dynamic", "int8-static"):
        assert name in text


@pytest.mark.promise("A name inside a model starts no script in the report")
def test_hostile_names_start_no_script_and_no_element_in_html() -> None:
    plain, attacked = (
        Elements(html.page(report, Path("/nowhere"))).found
        for report in (example.report(labels=("a", "b")), hostile())
    )
    assert [tag for tag, _ in attacked if tag in {"script", "img", "a"}] == [
        tag for tag, _ in plain if tag in {"script", "img", "a"}
    ]
    assert not [attrs for _, attrs in attacked if any(key.startswith("on") for key in attrs)]


def test_hostile_names_reach_the_charts_as_text() -> None:
    drawn = [
        svg.panel(plot, chart.alternative)
        for chart in charts.charts(hostile(), Path("/nowhere"))
        for plot in chart.plots
    ]
    assert any("&lt;img" in one for one in drawn)
    assert not any("<img" in one or "<script" in one or "<a " in one for one in drawn)


def test_hostile_names_break_no_table_and_make_no_link_in_markdown() -> None:
    page = markdown.page(hostile()).split("```sh")[0]
    assert "<" not in page
    assert not re.search(r"(?<!\\)\]\(", page)
    assert "http://" not in page
    tables = re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE)
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_a_recipe_cannot_close_its_code_block_in_markdown() -> None:
    report = example.report().model_copy(update={"recipe": {"a": "```\n# owned"}})
    assert "````toml\n" in markdown.page(report)


@pytest.mark.promise("A name inside a model reaches no terminal as an escape code")
def test_hostile_names_reach_no_terminal_as_escape_codes() -> None:
    assert "\x1b" not in in_terminal(hostile())


def test_junit_is_valid_with_hostile_names_and_counts_what_it_holds() -> None:
    root = ET.fromstring(junit.document(hostile()))
    assert root.get("tests") == str(len(root.findall(".//testcase")))
    assert root.get("failures") == str(len(root.findall(".//failure")))


def test_junit_has_a_suite_a_variant_and_a_case_a_budget_or_fault() -> None:
    report = example.report()
    broken = VariantVerdict(
        name="broken", outcome="not ready", checks=(), faults=("parity is lost", "no .ort")
    )
    judged = {"variants": (*report.verdict.variants, broken), "ship": None, "outcome": "undecided"}
    verdict = report.verdict.model_copy(update=judged)
    root = ET.fromstring(junit.document(report.model_copy(update={"verdict": verdict})))
    suites = {suite.get("name"): suite for suite in root.findall("testsuite")}
    assert list(suites) == ["fp32", "int8-dynamic", "int8-static", "broken"]
    assert [case.get("name") for case in suites["fp32"].findall("testcase")] == [
        *(check.key for check in report.verdict.variants[0].checks),
        "sound",
    ]
    types = [failure.get("type") for failure in root.findall(".//failure")]
    assert types == ["undecided", "not ready", "not ready"]
    assert suites["fp32"].get("failures") == "0"


def test_junit_is_green_where_a_variant_ships_and_says_what_the_others_missed() -> None:
    root = ET.fromstring(junit.document(example.report()))
    assert root.get("failures") == "0"
    assert [each.get("message", "").split(":")[0] for each in root.iter("skipped")] == ["undecided"]


@pytest.mark.promise("report.html loads nothing from anywhere")
def test_the_page_names_no_address_to_load_from(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    for tag, attrs in Elements(page).found:
        for key in ("src", "href", "action", "data", "srcset", "poster"):
            value = attrs.get(key)
            assert value is None or value == "data:," or value.startswith("#"), (tag, key, value)
    assert "url(" not in page.split("<style>")[1].split("</style>")[0]
    policy = next(attrs["content"] for _, attrs in Elements(page).found if "http-equiv" in attrs)
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def test_a_page_without_raw_samples_says_so_and_keeps_the_rest() -> None:
    page = html.page(example.report(), Path("/nowhere"))
    assert "the raw samples cannot be read: no such file or directory" in page
    assert "<svg" not in chart_of(page, "latency")
    assert "<svg" in chart_of(page, "tradeoff")


def test_samples_of_another_model_or_kind_are_not_taken(tmp_path: Path) -> None:
    np.save(tmp_path / "int8-0.npy", np.arange(1, 9, dtype=np.int64))
    np.save(tmp_path / "int8-dynamic-0.npy", np.arange(1, 9, dtype=np.int64))
    np.save(tmp_path / "bad-0.npy", np.zeros(3))
    found = samples.read(tmp_path, "samples/int8-*.npy")
    assert not isinstance(found, str)
    assert len(found) == 1
    assert "expected positive int64" in str(samples.read(tmp_path, "samples/bad-*.npy"))
    assert samples.read(tmp_path, "samples/gone-*.npy") == "no raw samples were kept"


def test_a_latency_curve_passes_the_percentiles_and_stops_where_luck_begins() -> None:
    curve = samples.curve([np.arange(1, 10_001, dtype=np.int64) * 1_000])
    median = np.interp(2.0, curve.odds, curve.milliseconds)
    assert median == pytest.approx(5.0, rel=0.05)
    assert 1e4 / max(curve.odds) == pytest.approx(6.64, rel=0.01)


def test_an_at_sign_is_escaped_only_where_it_would_name_someone() -> None:
    assert markdown.escape("Processor @ 2.80GHz, @someone") == "Processor @ 2.80GHz, &#64;someone"


def test_budgets_are_read_in_their_own_unit() -> None:
    quality, figure = example.report().quality, Estimate(0.9, 0.8, 1.0, "", 9)

    def of(key: str, budget: float) -> Check:
        return Check(key=key, budget=budget, figure=figure, outcome="ready", why="")

    assert numbers.budget(of("max_p90_ms", 2.0), quality) == "at most 2 ms"
    assert numbers.budget(of("max_drop_vs_teacher", 0.01), quality) == "at most 1 point"
    assert numbers.budget(of("max_drop_vs_teacher", 0.02), quality) == "at most 2 points"
    assert numbers.budget(of("min_accuracy", 0.94), quality) == "at least 94 %"
    assert numbers.budget(of("min_balanced_accuracy", 0.94), quality) == "at least 94 %"
    assert numbers.budget(of("max_drop_vs_teacher", 0.035), quality) == "at most 3.5 points"
    assert numbers.budget(of("above_constant.min_accuracy", 0.0), quality) == "above 0 points"
    found = words.figure_found(of("max_size_kib", 1.0), quality)
    assert found == "0.900 KiB (0.800 to 1.000)"
    assert words.figure_found(of("min_recall.3", 1.0), quality) == "90.0 % (80.0 to 100.0)"
    assert words.budget_name(of("min_score", 0.9), quality) == "accuracy on test"
    assert words.budget_name(of("min_recall.3", 0.9), quality) == "recall of '3' on test"


def test_drawing_the_pages_loads_no_runtime_and_no_training_library() -> None:
    code = (
        "import sys; import edgestill.pipeline.report.html, edgestill.pipeline.report.terminal;"
        "print(*sorted({'torch', 'onnxruntime', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_an_ampersand_is_escaped_in_markdown_only_where_it_would_begin_an_entity() -> None:
    assert markdown.escape("Bonett & Price") == "Bonett & Price"
    assert markdown.escape("a &lt; b &#60;") == "a &#38;lt; b &#38;\\#60;"


@pytest.mark.parametrize("needs", [True, False])
def test_what_the_shipped_model_needs_lies_beside_it(tmp_path: Path, needs: bool) -> None:
    report = example.report()
    onnx, mobile = report.variants.variants[0].packages
    operators = replace(mobile.beside[0], name="ops.config")
    packages = (
        replace(onnx, model=replace(onnx.model, name="a.onnx")),
        replace(mobile, model=replace(mobile.model, name="a.ort"), beside=(operators,)),
    )
    fp32 = report.variants.variants[0].model_copy(update={"packages": packages})
    variants = {"variants": (fp32, *report.variants.variants[1:])}
    data: dict[str, object] = {"labels": (), "counts": {}}
    if needs:
        data = {"files": ("tokenizer.json",), "front_end": {"kind": "text", "mark": "é"}}
    report = report.model_copy(
        update={
            "variants": report.variants.model_copy(update=variants),
            "data": report.data.model_copy(update=data),
        }
    )
    recipe = recipefile.load(tiny.write(tmp_path))

    def fill(draft: Path) -> None:
        (draft / "variants").mkdir()
        for name in ("a.onnx", "a.ort", "ops.config", "tokenizer.json"):
            (draft / "variants" / name).write_text(name)

    models = runs.publish(tmp_path, report, {}, recipe, fill) / "models"
    found = {path.name for path in models.iterdir()}
    always = {"digits-fp32.onnx", "digits-fp32.ort", "ops.config"}
    if not needs:
        assert found == always
        return
    assert found == always | {"tokenizer.json", "front_end.json", "labels.txt"}
    assert (models / "tokenizer.json").read_text() == "tokenizer.json"
    told = json.loads((models / "front_end.json").read_text(encoding="utf-8"))
    assert told == {"kind": "text", "mark": "é"}
    assert (models / "labels.txt").read_text().splitlines() == list("0123456789")
    said = words.shipped_files(report)
    assert said is not None
    assert "It needs models/tokenizer.json. models/front_end.json describes" in said
