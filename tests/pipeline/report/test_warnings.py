"""What stands above all figures: classes that are never found, and skewed data."""

import io
from dataclasses import replace

import pytest
import report_example as example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.report import html, markdown, terminal, warnings
from rich.console import Console


def share(value):
    return Estimate(value, 0.0, 1.0, "test", 45, unit="share", kind="measured")


def with_figures(report, figures, name="fp32"):
    """The same report in which one variant has these metrics."""
    variants = tuple(
        v.model_copy(update={"metrics": {**v.metrics, **figures}}) if v.name == name else v
        for v in report.quality.variants
    )
    quality = report.quality.model_copy(update={"variants": variants})
    return report.model_copy(update={"quality": quality})


def with_counts(report, counts, **recipe):
    """The same report of classes of these sizes, in every split."""
    splits = ("train", "validation", "calibration", "test")
    names = tuple("abcdefgh"[: len(counts)])
    data = report.data.model_copy(
        update={"counts": dict.fromkeys(splits, tuple(counts)), "labels": names}
    )
    return report.model_copy(update={"data": data, "recipe": {**report.recipe, **recipe}})


def judged(report, **budgets):
    verdict = judge(Gate(**budgets), report.quality, report.measured)
    return report.model_copy(update={"verdict": verdict})


def printed(report, width=80):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal.table(report))
    return console.export_text()


def test_good_models_of_even_data_have_no_warning():
    assert warnings.first(example.report()) == ()


def test_a_class_that_is_never_found_is_named_with_its_test_samples():
    report = with_figures(example.report(), {"recall[3]": share(0.0)})
    assert warnings.first(report) == ("fp32: class '3' (45 test samples) is never found",)


def test_several_are_listed_and_those_beyond_ten_counted():
    several = with_figures(example.report(), {f"recall[{i}]": share(0.0) for i in (1, 4)})
    assert warnings.first(several) == (
        "fp32: 2 of 10 classes are never found: '1' (45 test samples), '4' (45 test samples)",
    )
    labels = tuple(f"c{i}" for i in range(12))
    many = example.report(labels=labels)
    (text,) = warnings.first(with_figures(many, {f"recall[{i}]": share(0.0) for i in range(12)}))
    assert text.startswith("fp32: 12 of 12 classes are never found: 'c0'")
    assert text.endswith("and 2 more")


def test_only_the_variant_that_ships_or_is_nearest_is_warned_of():
    report = with_figures(example.report(), {"recall[3]": share(0.0)}, name="int8-static")
    assert warnings.first(report) == ()


def test_a_recall_just_above_nothing_is_no_warning():
    assert warnings.first(with_figures(example.report(), {"recall[3]": share(0.01)})) == ()


@pytest.mark.parametrize(
    ("task", "figures", "says"),
    [
        ("multi-label", {"recall[1]": share(0.0)}, "fp32: label 'width' is never found"),
        (
            "regression",
            {"R²[2]": Estimate(-0.1, -0.2, 0.1, "test", 45, kind="measured")},
            "fp32: number 'height' is predicted no better than by the mean",
        ),
    ],
)
def test_a_label_or_a_number_of_which_nothing_was_learned_is_one_too(task, figures, says):
    report = with_figures(example.with_task(example.report(), task), figures)
    assert warnings.first(report) == (says,)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((75, 25), None),
        ((76, 24), "76 % of train is 'a'"),
        ((50, 10, 40), None),
        ((51, 10, 39), "51 % of train is 'a', 5.1 times as much as 'b' (10 samples)"),
        ((900, 100), "90 % of train is 'a', 9 times as much as 'b' (100 samples)"),
        ((100, 0), None),
    ],
)
def test_skewed_data_is_a_warning_from_three_quarters_or_a_ratio_of_five(counts, says):
    found = warnings.first(with_counts(judged(example.report(), min_accuracy=0.5), counts))
    assert len(found) == (says is not None)
    if says:
        assert says in found[0]
        assert "accuracy says little of rare classes" in found[0]


def test_data_that_only_the_test_split_is_skewed_in_is_warned_of():
    report = with_counts(example.report(), (50, 50))
    counts = {**report.data.counts, "test": (95, 5)}
    report = report.model_copy(update={"data": report.data.model_copy(update={"counts": counts})})
    (found,) = warnings.first(report)
    assert "95 % of test is 'a'" in found


def test_the_way_out_is_what_the_recipe_does_not_have_yet():
    plain = judged(example.report(), min_accuracy=0.5)
    guarded = judged(example.report(), min_balanced_accuracy=0.5)
    by_class = judged(example.report(), min_recall={"3": 0.5})
    weights = {"distill": {"class_weights": True}}
    text = warnings.first(with_counts(plain, (900, 100)))[0]
    assert text.endswith(
        "; consider a budget gate.min_balanced_accuracy and teacher.class_weights and "
        "distill.class_weights = true"
    )
    for report in (guarded, by_class):
        (text,) = warnings.first(with_counts(report, (900, 100)))
        assert text.endswith("; consider teacher.class_weights and distill.class_weights = true")
    (text,) = warnings.first(with_counts(plain, (900, 100), **weights))
    assert text.endswith("; consider a budget gate.min_balanced_accuracy")
    (text,) = warnings.first(with_counts(guarded, (900, 100), **weights))
    assert "consider" not in text


def test_labels_of_which_several_hold_are_not_skewed():
    report = example.with_task(example.report(), "multi-label")
    assert warnings.first(with_counts(report, (900, 10, 1))) == ()


def test_the_warnings_stand_above_the_figures_on_every_page(tmp_path):
    report = with_counts(example.report(), (45,) * 10)
    counts = {split: (900, *[10] * 9) for split in report.data.counts}
    data = report.data.model_copy(update={"counts": counts, "labels": tuple("0123456789")})
    report = with_figures(report.model_copy(update={"data": data}), {"recall[3]": share(0.0)})
    never, skewed = warnings.first(report)
    text = " ".join(printed(report).split())
    assert text.index(f"warning: {never}") < text.index(f"warning: {skewed}")
    assert text.index(f"warning: {skewed}") < text.index("lost to")
    page = markdown.page(report)
    assert page.index("is never found") < page.index("Against the teacher")
    drawn = html.page(report, tmp_path)
    assert drawn.index("is never found") < drawn.index('id="key"')
    assert drawn.count('id="warnings"') == 1


def test_what_disturbed_several_models_alike_is_one_line_of_a_page_and_one_each_in_the_record():
    report = example.report()
    said = tuple(f"{name}: 2 of 9 processes had not settled" for name in ("fp32", "int8-static"))
    benchmark = replace(report.measured.benchmark, warnings=said)
    measured = report.measured.model_copy(update={"benchmark": benchmark})
    report = report.model_copy(update={"measured": measured})
    (line,) = warnings.of_measurement(report)
    assert line == "fp32, int8-static: 2 of 9 processes had not settled"
    assert report.model_dump(mode="json")["measured"]["benchmark"]["warnings"] == list(said)


def test_warnings_about_the_measurement_stand_below_the_figures_on_every_page(tmp_path):
    report = with_figures(example.report(), {"recall[3]": share(0.0)})
    benchmark = replace(report.measured.benchmark, warnings=("a noisy neighbour",))
    measured = report.measured.model_copy(update={"benchmark": benchmark})
    report = report.model_copy(update={"measured": measured})
    text = printed(report)
    at = [text.index(said) for said in ("never found", "peak memory", "warning: a noisy")]
    assert at == sorted(at)
    page = markdown.page(report)
    figures, disturbed = page.index("Against the teacher"), page.index("- a noisy neighbour")
    assert page.index("never found") < figures < disturbed < page.index("## Budgets")
    drawn = html.page(report, tmp_path)
    at = [drawn.index(f'id="{name}"') for name in ("warnings", "key", "disturbed", "budgets")]
    assert at == sorted(at)
    assert drawn.count("a noisy neighbour") == 1
    quiet = measured.model_copy(update={"benchmark": replace(benchmark, warnings=())})
    undisturbed = report.model_copy(update={"measured": quiet})
    assert 'id="disturbed"' not in html.page(undisturbed, tmp_path)


def test_a_class_name_cannot_write_to_the_terminal():
    labels = ("a\x1b[31m", *"bcdefghij")
    report = with_figures(example.report(labels=labels), {"recall[0]": share(0.0)})
    assert "\x1b" not in printed(report)


@pytest.mark.parametrize(
    ("task", "unlabelled", "told", "warned"),
    [
        ("regression", 3, {}, True),
        ("regression", 5000, {}, False),
        ("regression", 3, {"unlabelled": "npz:more.npz"}, False),
        ("classification", 3, {}, False),
    ],
)
def test_a_few_labels_that_are_missing_may_be_an_accident(task, unlabelled, told, warned):
    report = (
        example.with_task(example.report(), task) if task != "classification" else example.report()
    )
    data = report.data.model_copy(update={"task": task, "unlabelled": unlabelled})
    report = report.model_copy(
        update={"data": data, "recipe": {**report.recipe, "data": {"source": "a", **told}}}
    )
    found = [one for one in warnings.first(report) if "have no label" in one]
    assert bool(found) == warned
