"""What a page says of changed answers is true in the task's own terms, and names its tolerance."""

import io

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline import tasks
from edgestill.pipeline.records import OutputShift, Shift
from edgestill.pipeline.report import (
    html,
    junit,
    lost_words,
    markdown,
    shift_words,
    terminal,
    words,
)
from report_example import report as example
from rich.console import Console

MOVED = Shift(
    samples=1_200,
    changed=0,
    outputs=(
        OutputShift(
            name="price [USD]", measure="difference", changed=0, tolerance=11_500.0,
            typical=310.0, farthest=9_042.0,
        ),
    ),
)  # fmt: skip
SENTENCE = (
    "price [USD] moves by 310 in the median and 9,042 at most; 0 of 1,200 answers by more than "
    "11,500 (0.1 standard deviations of the truth)"
)


def of_numbers(**quality):
    """The example as a regression, whose answers all moved without one that is another answer."""
    report = example()
    variants = tuple(
        variant.model_copy(
            update={
                "shift_vs_fp32": MOVED,
                "answers_changed_vs_fp32": 0,
                "fidelity": variant.fidelity.model_copy(
                    update={"task": "regression", "changed": None, "classes": (),
                            "worst_class": None, "shift": MOVED, "figures": {}}
                ),
            }
        )
        for variant in report.quality.variants
    )  # fmt: skip
    changed = report.quality.model_copy(
        update={"metric": "R²", "variants": variants, "test_samples": 1_200, **quality}
    )
    data = report.data.model_copy(update={"task": "regression", "labels": ("price [USD]",),
                                          "counts": {}})  # fmt: skip
    return report.model_copy(update={"quality": changed, "data": data})


def on_terminal(report):
    console = Console(file=io.StringIO(), width=80)
    console.print(terminal.table(report))
    return " ".join(console.file.getvalue().split())


def test_a_regression_says_how_far_its_answers_moved_and_not_that_none_changed(tmp_path):
    report = of_numbers()
    assert any(line.endswith(f"{SENTENCE}.") for line in words.against_fp32(report))
    for page in (on_terminal(report), markdown.page(report).replace("\\", "")):
        assert "310 in the median and 9,042 at most" in page
        assert "0 of 1,200 changed" not in page
        assert "0 of 1,200 answers changed" not in page
    assert "310 in the median and 9,042 at most" in html.page(report, tmp_path)


def test_against_the_teacher_too(tmp_path):
    text = lost_words.changed(of_numbers())
    assert text.endswith(f"against the teacher: {SENTENCE}.")
    assert text in on_terminal(of_numbers())


@pytest.mark.parametrize("name", tasks.TASKS)
def test_the_same_answer_is_never_said_without_what_counts_as_one(name):
    report, task = example(), tasks.of(name)
    data = report.data.model_copy(update={"task": name})
    page = markdown.page(report.model_copy(update={"data": data})).replace("\\", "")
    assert f"Same answer as the teacher ({task.same_answer})" in page


def test_a_budget_of_agreement_names_it_too():
    report = example()
    check = report.verdict.variants[0].checks[0].model_copy(update={"key": "min_agreement"})
    classes = report.quality
    numbers = classes.model_copy(update={"task": "regression", "metric": "R²"})
    assert words.budget_name(check, numbers).endswith(
        "within 0.1 standard deviations of the truth)"
    )
    assert words.budget_name(check, classes) == "same answer as the teacher (the same class)"
    assert junit.document(report)


def of_labels(*names):
    report = example()
    quality = report.quality.model_copy(update={"metric": "mAP", "left_out": names})
    data = report.data.model_copy(update={"task": "multi-label"})
    return report.model_copy(update={"quality": quality, "data": data})


def test_a_mean_that_leaves_labels_out_says_which():
    report = of_labels("hernia")
    total = len(report.data.labels)
    text = lost_words.left_out(report)
    assert text == (
        f"mAP and recall are over {total - 1} of {total} labels: 'hernia' has no positive sample "
        "in test."
    )
    assert text in on_terminal(report)
    assert text in markdown.page(report).replace("\\", "")
    assert lost_words.left_out(of_labels("a", "b")).endswith(
        "'a', 'b' have no positive sample in test."
    )
    assert "2 more have no" in lost_words.left_out(of_labels(*"abcdefg"))


def test_a_mean_over_all_says_nothing():
    assert lost_words.left_out(example()) is None
    assert lost_words.left_out(of_labels()) is None


def test_runs_of_schema_2_have_the_count_alone():
    report = example()
    old = tuple(v.model_copy(update={"shift_vs_fp32": None}) for v in report.quality.variants)
    quality = report.quality.model_copy(update={"variants": old})
    lines = words.against_fp32(report.model_copy(update={"quality": quality}))
    assert all("answers changed" in line for line in lines)


def test_a_warning_of_a_teacher_is_on_the_first_screen():
    report = example()
    warned = report.teachers[0].model_copy(update={"warnings": ("no better than chance",)})
    report = report.model_copy(update={"teachers": (warned,)})
    assert "warning: no better than chance" in on_terminal(report)
    assert "no better than chance" in markdown.page(report)


def said(task, found, names=(), units=()):
    data = example().data.model_copy(
        update={"task": task, "labels": tuple(names), "units": tuple(units)}
    )
    return shift_words.sentence(found, data)


def test_numbers_are_said_in_their_units():
    truth = np.linspace(0.0, 100_000.0, 101)[:, None]
    after = truth + np.where(np.arange(101) == 7, 2_500.0, 300.0)[:, None]
    found = tasks.of("regression").shift(after, truth, truth, ["price"])
    assert said("regression", found, ["price"], ["USD"]) == (
        "price moves by 300 USD in the median and 2,500 USD at most; 0 of 101 answers by more than "
        "2,915 USD (0.1 standard deviations of the truth)"
    )
    assert said("regression", found, ["price"]).startswith("price moves by 300 in the median")


def test_of_several_numbers_the_one_that_moved_farthest_for_its_spread_is_named():
    truth = np.random.default_rng(0).normal(size=(200, 2)) * [1_000.0, 1.0]
    found = tasks.of("regression").shift(truth + np.array([20.0, 0.5]), truth, truth, ["a", "b"])
    text = said("regression", found, ["a", "b"], ["m", "kg"])
    assert text.startswith("of 2 numbers b moves farthest: by 0.500 kg in the median")
    assert text.endswith(
        "200 of 200 answers by more than 0.1 standard deviations of the truth in some number"
    )


def test_labels_that_changed_are_named_the_most_frequent_first():
    of = tuple(OutputShift(name=f"l{i}", measure="count", changed=9 - i) for i in range(6))
    text = said("multi-label", Shift(samples=20, changed=9, outputs=of))
    assert text == (
        "9 of 20 answers changed in some label (l0 in 9, l1 in 8, l2 in 7, 3 more labels in fewer)"
    )
    same = tuple(OutputShift(name="l0", measure="count", changed=0) for _ in range(2))
    text = said("multi-label", Shift(samples=20, changed=0, outputs=same))
    assert text == "0 of 20 answers changed in some label"


@pytest.mark.parametrize(("cosine", "text"), [(1.0, "1.0000"), (0.99996, "0.9999"), (-0.5, "-0.5")])
def test_a_cosine_is_1_only_where_the_directions_are_the_same(cosine, text):
    vector = OutputShift(name="vector", measure="cosine", changed=3, typical=1.0, farthest=cosine)
    found = said("embedding", Shift(samples=40, changed=3, outputs=(vector,)))
    assert found.startswith(f"cosine 1.0000 in the median and {text}")
    assert found.endswith("3 of 40 answers now nearest to another vector of the teacher")


def test_classes_are_counted():
    found = Shift(samples=4, changed=1, outputs=())
    assert said("classification", found) == "1 of 4 answers changed"
    assert shift_words.cell(None, 1, example())[1] is None


@pytest.mark.parametrize("value", [0.5, 1.0, 2.0])
def test_a_ratio_without_an_interval_shows_no_change(value):
    ratio = Estimate(value, None, None, "medians", 1, "one process", "ratio")
    assert words.compared(ratio, "latency").change is None
    shown = Estimate(2.0, 1.9, 2.1, "medians", 9, None, "ratio")
    assert words.compared(shown, "latency").change == "more"
    assert words.compared(Estimate.exact(0.5, "file sizes"), "file size").change == "less"


def test_a_mean_over_numbers_of_different_units_says_so():
    report = example()
    errors = {"RMSE": Estimate(2.0, 1.0, 3.0, "m", 9)}
    files = tuple(v.model_copy(update={"metrics": errors}) for v in report.quality.variants)
    quality = report.quality.model_copy(update={"variants": files, "teacher": None, "metric": "R²"})
    data = report.data.model_copy(
        update={"task": "regression", "labels": ("m", "kg"), "counts": {}}
    )
    page = markdown.page(report.model_copy(update={"quality": quality, "data": data}))
    assert "RMSE, mean over 2 numbers, each in its own units" in page
