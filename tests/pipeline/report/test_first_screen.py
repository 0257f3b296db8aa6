"""What the first screen of a report says, and how much the page says before it is unfolded."""

import page_words
import pytest
import report_example as example
import runtimes_example
import verdict_examples
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.records import Check
from edgestill.pipeline.report import bullet, changes, first_screen, gap, html

MOST_WORDS = 1_500
MOST_BYTES = 2_000_000
QUALITY = example.report().quality


def check(key, budget, *ends, kind="measured", outcome="ready"):
    figure = Estimate(*ends, "m", 9, None, "", kind)
    return Check(key=key, budget=budget, figure=figure, outcome=outcome, why="a reason")


def test_a_verdict_of_ready_leads_with_what_ships_and_where():
    screen = first_screen.of(verdict_examples.EXAMPLES["ready"]())
    assert screen.lead == "fp32 ships"
    assert screen.file == "models/digits-fp32.onnx (81.2 KiB) in ONNX Runtime"
    assert screen.machine.startswith("Target host, measured on it: Intel(R) Xeon(R)")
    assert [row.outcome for row in screen.budgets] == ["ready"] * 6
    assert screen.changes == (
        "Closest: accuracy lost to the teacher, whose budget is at most 4 points. Its interval "
        "ends 0.7 points inside.",
        "A budget below 3.3 points would make it UNDECIDED, one below -0.9 points NOT READY.",
    )


def test_a_verdict_of_not_ready_leads_with_what_failed_and_by_how_much():
    screen = first_screen.of(verdict_examples.EXAMPLES["not ready"]())
    assert screen.lead == "latency p90 is 1.66× its budget (1.65 to 1.74); 1 more missed"
    assert screen.file.startswith("Nothing ships. Nearest: variants/digits-fp32.onnx")
    assert [row.name for row in screen.budgets[:3]] == [
        "Latency p90",
        "File size",
        "Accuracy on test",
    ]
    assert screen.changes[:2] == (
        "Cheapest to try, for fp32: a narrower student; work and bytes fall about with the square "
        "of the width; some score is lost.",
        "Latency p90 has to fall by 42.6 %, so that its whole interval is inside, or the budget "
        "to be at most 0.0348 ms.",
    )
    assert screen.command == "edgestill build recipe.toml --set student.width=4"
    assert (
        "File size has to fall by 60.6 %, or the budget to be at most 81.2 KiB." in screen.changes
    )


def test_a_verdict_of_undecided_leads_with_what_is_unknown_and_the_cheapest_step():
    screen = first_screen.of(verdict_examples.EXAMPLES["undecided"]())
    assert screen.lead == "accuracy lost to the teacher may be inside or outside its budget"
    assert screen.changes == (
        "Cheapest next step, for accuracy lost to the teacher: more test samples, about 2,700 "
        "instead of 450 if the figure stays; or raise the budget to what is shown, at most 3.3 "
        "points, which is what the command below does.",
    )
    assert screen.command == "edgestill gate RUN --set gate.max_drop_vs_teacher=0.033"


def test_what_a_device_has_to_measure_comes_after_what_costs_nothing_but_time():
    report = verdict_examples.judged(max_p50_ms=0.0312, max_energy_uj=50.0)
    said = changes.of(report)
    assert said[0].startswith("Cheapest next step, for latency p50: measure on a quieter machine")
    assert said[1].startswith("Then, for energy proxy per query: the energy is computed by a")
    assert len(said) == 2


def test_another_machine_than_the_target_is_named_and_its_budgets_are_unknown():
    report = example.with_measured(example.report(), on_target=False, target="raspberry-pi-5")
    screen = first_screen.of(verdict_examples.judged(report))
    assert screen.machine.startswith("Target raspberry-pi-5; measured on host (")
    assert screen.lead == "latency p90 is unknown; 1 more open"
    assert screen.budgets[0].value == "unknown"
    assert screen.budgets[0].bar.value is None
    assert screen.budgets[0].kind == "not measured"
    assert screen.changes == (
        "Cheapest next step, for latency p90 and peak memory: measure on raspberry-pi-5 "
        "(benchmark.device); so far only host was measured; board.toml is its profile with a "
        "[reach] table.",
    )
    names = [str(cells[0]) for cells in screen.teacher.rows]
    assert names[1:3] == ["latency, on host", "file size"]


def test_a_prediction_is_named_as_one_and_decides_nothing():
    screen = first_screen.of(verdict_examples.EXAMPLES["another target"]())
    assert screen.lead == "latency p50 is predicted, not measured; 2 more open"
    assert screen.budgets[0].kind == "predicted"
    assert screen.changes[0].startswith(
        "Cheapest next step, for latency p50, latency p90 and peak memory: measure on"
    )


def test_a_fault_is_named_before_any_budget():
    report = verdict_examples.EXAMPLES["ready"]()
    first, *rest = report.verdict.variants
    broken = first.model_copy(update={"outcome": "not ready", "faults": ("parity is lost",)})
    verdict = report.verdict.model_copy(
        update={"outcome": "not ready", "ship": None, "variants": (broken, *rest)}
    )
    screen = first_screen.of(report.model_copy(update={"verdict": verdict}))
    assert screen.lead == "fp32 has a fault"
    assert screen.changes[0] == "Whatever the budgets, this fault has to be mended: parity is lost."
    assert screen.command == "edgestill verify RUN"


def test_who_meets_a_budget_that_the_nearest_misses_is_named_with_what_it_misses():
    report = verdict_examples.judged(max_size_kib=60.0, max_p90_ms=0.035)
    assert report.verdict.nearest == "fp32"
    assert "int8-dynamic meets that budget but misses latency p90." in changes.of(report)


def test_without_a_teachers_file_the_screen_says_why():
    screen = first_screen.of(example.with_black_box(example.report()))
    assert screen.teacher is None
    assert screen.without.startswith("Of the teacher's ONNX file a build takes the answers alone")


def test_of_many_budgets_those_that_decide_are_on_the_screen():
    recalls = {str(digit): 0.5 for digit in range(9)} | {"9": 0.999}
    screen = first_screen.of(verdict_examples.judged(min_recall=recalls))
    assert len(screen.budgets) == first_screen.MOST_BUDGETS
    assert screen.more_budgets == 16 - first_screen.MOST_BUDGETS
    assert screen.budgets[0].name == "Recall of '9' on test"
    assert screen.budgets[0].outcome != "ready"


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (check("max_p90_ms", 2.0, 3.0, 2.9, 3.2), "1.50× its budget (1.45 to 1.60)"),
        (check("max_size_kib", 50.0, 81.2, 81.2, 81.2), "1.62× its budget"),
        (
            check("min_accuracy", 0.94, 0.92, 0.91, 0.93),
            "2.0 points (1.0 to 3.0) outside its budget",
        ),
        (
            check("max_drop_vs_teacher", 0.02, 0.05, 0.03, 0.07),
            "3.0 points (1.0 to 5.0) outside its budget",
        ),
        (check("max_p90_ms", 2.0, None, None, None), "unknown"),
    ],
)
def test_a_distance_is_a_ratio_of_time_and_size_and_a_difference_of_answers(one, said):
    assert gap.gap(one, QUALITY) == said


def test_an_interval_shrinks_with_the_root_of_the_samples():
    one = check("min_accuracy", 0.94, 0.95, 0.93, 0.97)
    assert gap.more_samples(one, QUALITY) == pytest.approx(4.0)
    assert gap.more_samples(check("min_accuracy", 0.94, 0.94, 0.93, 0.95), QUALITY) is None
    assert gap.more_samples(check("min_accuracy", 0.94, 0.99, 0.98, 1.0), QUALITY) is None


def test_a_bar_begins_at_zero_where_less_is_better():
    bar = bullet.of_check(check("max_p90_ms", 2.0, 1.0, 0.9, 1.2), QUALITY)
    assert bar.allowed == (0.0, bar.limit)
    assert bar.value == pytest.approx(bar.limit / 2, abs=0.01)
    assert bar.interval[0] < bar.value < bar.interval[1] < bar.limit


def test_a_bar_of_a_share_shows_what_lies_around_it_and_allows_what_is_right_of_its_budget():
    bar = bullet.of_check(check("min_accuracy", 0.94, 0.976, 0.957, 0.988), QUALITY)
    assert bar.allowed == (bar.limit, 100.0)
    assert 0.0 < bar.limit < bar.interval[0] < bar.value < bar.interval[1] < 100.0


def test_a_bar_without_an_upper_end_reaches_to_its_border():
    bar = bullet.of_check(check("max_p99_ms", 2.0, 1.0, 0.9, None), QUALITY)
    assert bar.interval[1] == 100.0
    exact = bullet.of_check(check("max_size_kib", 2.0, 1.0, 1.0, 1.0), QUALITY)
    assert exact.interval is None


@pytest.mark.parametrize("name", [*verdict_examples.EXAMPLES, "several runtimes"])
def test_a_page_is_short_until_it_is_unfolded_and_small(name, tmp_path):
    """4,290 words were open and 4.9 MB were plotly's before."""
    made = verdict_examples.EXAMPLES.get(name, runtimes_example.several)()
    page = html.page(made, tmp_path)
    assert 500 < len(page_words.open_words(page)) < MOST_WORDS
    assert len(page.encode()) < MOST_BYTES / 10


def test_every_word_of_the_first_screen_is_open_and_details_are_not(tmp_path):
    page = html.page(verdict_examples.EXAMPLES["not ready"](), tmp_path)
    words = " ".join(page_words.open_words(page))
    assert "NOT READY: latency p90 is 1.66× its budget (1.65 to 1.74)" in words
    assert "Latency p90 at most 0.02 ms 0.0332 ms 0.0329 to 0.0348, measured ✗ missed" in words
    assert "Frequency governor" in page
    assert "Frequency governor" not in words


def test_a_ratio_of_the_first_screen_is_the_phrase_of_all_other_pages(tmp_path):
    report = example.report()
    (pair,) = (one for one in report.measured.benchmark.ratios if (one.of, one.over) == (
        "fp32", "teacher"))  # fmt: skip
    cells = [str(cells[-1]) for cells in first_screen.of(report).teacher.rows]
    assert cells[1] == "0.074× (0.074 to 0.077)"
    assert pair.p50.value == pytest.approx(0.074, abs=0.001)
