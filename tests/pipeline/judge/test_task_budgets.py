"""Every metric of a task is a budget; what a task does not have is refused with what it has."""

import dataclasses

import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import RecipeError
from edgestill.pipeline.judge.budgets import BUDGETS
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.judge.task_budgets import check, find, in_schema, keys, of_record
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.tasks import TASKS, of
from edgestill.pipeline.tasks.metric import Metric

LABELS = ("cat", "dog", "lung opacity")


def figure(value, low, high):
    return Estimate(value, low, high, "test", 9, kind="measured")


def with_metric(task, metric, found):
    """The example of a task, every variant of which has this figure."""
    report = report_example.report()
    if task != "classification":
        report = report_example.with_task(report, task)
    update = {"score": found} if metric == of(task).metric else {}
    variants = tuple(
        v.model_copy(update={**update, "metrics": {**v.metrics, metric.name: found}})
        for v in report.quality.variants
    )
    return report.quality.model_copy(update={"variants": variants}), report.measured


CASES = [
    (task.name, metric) for task in TASKS.values() for metric in task.reported if metric.of_all
]


@pytest.mark.parametrize(("task", "metric"), CASES, ids=lambda one: getattr(one, "name", one))
def test_every_metric_of_every_task_is_judged_by_its_interval_in_its_direction(task, metric):
    quality, measured = with_metric(task, metric, figure(0.5, 0.4, 0.6))
    inside, outside = (0.3, 0.7) if metric.higher_is_better else (0.7, 0.3)
    for budget, outcome in ((inside, "ready"), (0.55, "undecided"), (outside, "not ready")):
        verdict = judge(Gate(**{metric.key: budget}), quality, measured)
        assert verdict.variants[0].checks[0].key == metric.key
        assert verdict.variants[0].checks[0].outcome == outcome
        assert verdict.outcome == outcome


def test_the_budget_has_the_unit_and_the_words_of_its_metric():
    numbers = of("regression")
    rmse = find("max_rmse", numbers, ("price",))
    assert (rmse.unit, rmse.direction, rmse.title) == ("label unit", "at most", "RMSE on test")
    recall = find("min_recall.lung opacity", of("classification"), LABELS)
    assert (recall.unit, recall.direction) == ("share", "at least")
    assert recall.title == "recall of 'lung opacity' on test"


def test_a_budget_of_one_class_is_that_of_its_number():
    report = report_example.report()
    quality = report.quality
    for number in ("3", "7"):
        budget = of_record(f"min_recall.{number}", quality)
        for variant in quality.variants:
            assert budget.figure(variant, None) == variant.metrics[f"recall[{number}]"]
    one = quality.variants[0].metrics["recall[3]"]
    verdict = judge(Gate(min_recall={"3": one.low, "7": 0.1}), quality, report.measured)
    assert [check.key for check in verdict.variants[0].checks[:2]] == [
        "min_recall.3",
        "min_recall.7",
    ]
    assert verdict.variants[0].checks[0].outcome == "ready"


def test_of_one_number_the_figure_of_all_is_its_own():
    found = find("max_rmse.price", of("regression"), ("price",))
    assert found.title == "RMSE on test"


@pytest.mark.parametrize("key", ["min_recall.bird", "min_nonsense", "above_constant.min_nonsense"])
def test_a_key_that_nothing_has_decides_nothing(key):
    found = find(key, of("classification"), LABELS)
    assert found.figure(report_example.report().quality.variants[0], None).value is None


def test_a_metric_that_these_samples_do_not_define_is_undecided():
    report = report_example.report()
    variants = tuple(v.model_copy(update={"metrics": {}}) for v in report.quality.variants)
    quality = report.quality.model_copy(update={"variants": variants})
    verdict = judge(Gate(min_macro_f1=0.1), quality, report.measured)
    assert verdict.outcome == "undecided"
    assert "macro-F1 is not defined on these test samples" in verdict.variants[0].checks[0].why


def test_the_keys_of_a_task_are_its_metrics_and_those_of_all_tasks():
    assert keys(of("regression"))[:4] == ["min_r2", "max_rmse", "max_mae", "min_score"]
    assert "max_worst_class_drop" in keys(of("multi-label"))
    assert "max_worst_class_drop" not in keys(of("regression"))
    assert {"max_p90_ms", "max_size_kib", "min_agreement"} <= set(keys(of("embedding")))


@pytest.mark.parametrize(
    ("task", "budgets", "where", "says"),
    [
        ("regression", {"min_accuracy": 0.5}, "gate.min_accuracy", "min_r2, max_rmse, max_mae"),
        ("classification", {"max_rmse": 0.5}, "gate.max_rmse", "min_balanced_accuracy"),
        (
            "classification",
            {"min_balanced_acuracy": 0.5},
            "gate.min_balanced_acuracy",
            "did you mean 'min_balanced_accuracy'?",
        ),
        (
            "classification",
            {"max_balanced_accuracy": 0.5},
            "gate.max_balanced_accuracy",
            "did you mean 'min_balanced_accuracy'?",
        ),
        ("regression", {"max_rmsee": 0.5}, "gate.max_rmsee", "did you mean 'max_rmse'?"),
        ("embedding", {"max_worst_class_drop": 0.1}, "gate.max_worst_class_drop", "min_cosine"),
        ("classification", {"min_recall": 0.5}, "gate.min_recall", "min_recall = { cat = … }"),
        (
            "classification",
            {"min_macro_f1": {"cat": 0.5}},
            "gate.min_macro_f1",
            "one number, as macro-F1 is of all classes together",
        ),
        ("classification", {"min_recall": {"cta": 0.5}}, "gate.min_recall", "mean 'cat'?"),
        (
            "classification",
            {"min_recall": {"horse": 0.5}},
            "gate.min_recall",
            "one of 'cat', 'dog', 'lung opacity'",
        ),
        ("classification", {"min_macro_f1": 80.0}, "gate.min_macro_f1", "80 % is 0.8"),
        ("classification", {"min_macro_f1": -0.1}, "gate.min_macro_f1", "0 to 1"),
        ("classification", {"min_recall": {"cat": 90.0}}, "gate.min_recall.cat", "90 % is 0.9"),
        ("regression", {"max_rmse": -1.0}, "gate.max_rmse", "at least 0"),
        ("regression", {"max_p50_ms": 1.0, "max_mape": 1.0}, "gate.max_mape", "'max_mae'"),
    ],
)
def test_a_budget_that_a_task_does_not_have_is_refused_with_those_it_has(
    task, budgets, where, says
):
    with pytest.raises(RecipeError) as refusal:
        check(Gate(**budgets), of(task), LABELS)
    assert refusal.value.where == where
    assert says in str(refusal.value)
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("task", "budgets"),
    [
        ("classification", {"min_recall": {"lung opacity": 0.9, "dog": 0.1}, "min_macro_f1": 0.5}),
        ("regression", {"max_rmse": {"dog": 3.0}, "min_r2": -0.5, "max_mae": 2.0}),
        ("multi-label", {"min_map": 0.5, "min_recall": {"cat": 0.5}}),
        ("embedding", {"min_cosine": 0.5, "min_recall_at_1": 0.5}),
    ],
)
def test_what_a_task_has_is_let_through_with_names_and_without(task, budgets):
    check(Gate(**budgets), of(task), LABELS)
    check(Gate(**budgets), of(task))


A_SHARE = "0 to 1, as macro-F1 is a share"


@pytest.mark.parametrize(
    ("task", "budgets", "found", "expected", "fix"),
    [
        (
            "classification",
            {"min_recall": 0.5},
            "one number",
            "a table of numbers by the name of a class, as recall is of each",
            "min_recall = { cat = … }",
        ),
        (
            "classification",
            {"min_macro_f1": {"cat": 0.5}},
            "a table by class",
            "one number, as macro-F1 is of all classes together",
            None,
        ),
        (
            "classification",
            {"min_recall": {"zebra": 0.5}},
            "'zebra', which is no class of the data",
            "one of 'cat', 'dog', 'lung opacity'",
            "name one of the classes",
        ),
        (
            "classification",
            {"min_recall": {"lung opacit": 0.5}},
            "'lung opacit', which is no class of the data",
            "one of 'cat', 'dog', 'lung opacity'",
            "did you mean 'lung opacity'?",
        ),
        ("classification", {"min_macro_f1": 80.0}, "80", f"{A_SHARE}; 80 % is 0.8", None),
        ("classification", {"min_macro_f1": 100.0}, "100", f"{A_SHARE}; 100 % is 1", None),
        ("classification", {"min_macro_f1": 101.0}, "101", A_SHARE, None),
        ("classification", {"min_macro_f1": -0.1}, "-0.1", A_SHARE, None),
        ("regression", {"max_rmse": -1.0}, "-1", "at least 0, as RMSE is", None),
        (
            "embedding",
            {"max_worst_class_drop": 0.1},
            "a budget that embedding does not have",
            f"one of {', '.join(keys(of('embedding')))}",
            "leave gate.max_worst_class_drop out",
        ),
    ],
)  # fmt: skip
def test_a_refusal_says_what_was_found_and_expected_and_what_to_do(
    task, budgets, found, expected, fix
):
    with pytest.raises(RecipeError) as refusal:
        check(Gate(**budgets), of(task), LABELS)
    told = refusal.value
    assert (told.found, told.expected, told.fix) == (found, expected, fix)


@pytest.mark.parametrize(
    ("labels", "fix"),
    [
        (("lung opacity",), 'min_recall = { "lung opacity" = … }'),
        (("cat",), "min_recall = { cat = … }"),
        ((), "min_recall = { NAME = … }"),
        (None, "min_recall = { NAME = … }"),
    ],
)
def test_a_table_is_shown_with_the_name_of_a_class_as_it_has_to_be_written(labels, fix):
    with pytest.raises(RecipeError) as refusal:
        check(Gate(min_recall=0.5), of("classification"), labels)
    assert refusal.value.fix == fix


@pytest.mark.parametrize(("number", "more"), [(30, False), (31, True)])
def test_of_many_names_thirty_are_shown(number, more):
    with pytest.raises(RecipeError) as refusal:
        check(Gate(min_recall={"?": 0.5}), of("classification"), [f"c{i}" for i in range(number)])
    assert refusal.value.expected.startswith("one of 'c0', 'c1', ")
    assert refusal.value.expected.endswith("'c29', …" if more else "'c29'")


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_may_be_all_or_nothing_and_an_error_may_be_0(value):
    check(Gate(min_macro_f1=value), of("classification"))
    check(Gate(max_rmse=value), of("regression"))


OVER = "gained over the best constant answer"


@pytest.mark.parametrize(
    ("key", "unit", "direction", "title"),
    [
        ("above_constant.min_accuracy", "points", "above", f"accuracy {OVER}"),
        ("above_constant.max_rmse", "label unit", "above", f"RMSE {OVER}"),
        ("min_nonsense", "none", "at least", "min_nonsense"),
        ("max_nonsense", "none", "at most", "max_nonsense"),
    ],
)
def test_a_budget_says_what_it_limits(key, unit, direction, title):
    task = of("regression" if "rmse" in key else "classification")
    found = find(key, task, LABELS)
    assert (found.unit, found.direction, found.title) == (unit, direction, title)


def test_the_schema_has_every_metric_of_every_task_as_a_key():
    own = {"prefer": {"type": "string"}, "min_accuracy": {"description": "its own"}}
    schema = {"x": 1, "$defs": {"Other": {}, "Gate": {"properties": own, "title": "Gate"}}}
    made = in_schema(schema)
    assert schema["$defs"]["Gate"]["properties"] == own, "what is given stays as it is"
    assert (made["x"], made["$defs"]["Other"]) == (1, {})
    gate = made["$defs"]["Gate"]
    assert (gate["title"], gate["additionalProperties"]) == ("Gate", False)
    assert gate["properties"].items() >= own.items()
    share = {"type": "number", "minimum": 0.0, "maximum": 1.0}
    each = {"type": "object", "additionalProperties": share, "minProperties": 1}
    assert gate["properties"]["min_balanced_accuracy"] == {
        **share,
        "description": "balanced accuracy on test; for classification.",
    }
    assert gate["properties"]["min_recall"] == {
        **each,
        "description": "recall of a class or label, by its name, on test; for classification, "
        "multi-label.",
    }
    number = {"type": "number"}
    assert gate["properties"]["max_rmse"] == {
        "anyOf": [
            number,
            {"type": "object", "additionalProperties": number, "minProperties": 1},
        ],
        "description": "RMSE on test; for regression.",
    }


def test_the_names_of_classes_are_checked_once_they_are_known():
    gate = Gate(min_recall={"horse": 0.5})
    check(gate, of("classification"))
    with pytest.raises(RecipeError, match="'horse', which is no class of the data"):
        check(gate, of("classification"), LABELS)


def test_a_metric_that_is_added_to_a_task_is_a_budget_at_once(monkeypatch):
    median = Metric("median error", "label unit", higher_is_better=False)
    more = dataclasses.replace(of("regression"), reported=(*of("regression").reported, median))
    monkeypatch.setitem(TASKS, "regression", more)
    check(Gate(max_median_error=3.0), of("regression"))
    quality, measured = with_metric("regression", median, figure(2.0, 1.0, 4.0))
    assert judge(Gate(max_median_error=4.0), quality, measured).outcome == "ready"
    assert judge(Gate(max_median_error=3.0), quality, measured).outcome == "undecided"


def variant():
    return report_example.report().quality.variants[0]


@pytest.mark.parametrize(
    ("key", "unit", "short", "title"),
    [
        ("min_recall.cat", "share", "recall of 'cat'", "recall of 'cat' on test"),
        ("min_macro_f1", "share", "macro-F1", "macro-F1 on test"),
        ("min_accuracy", "share", "accuracy", "accuracy on test"),
        ("min_nonsense.cat", "none", "", "min_nonsense.cat"),
    ],
)
def test_a_budget_has_a_short_name_for_a_narrow_table(key, unit, short, title):
    found = find(key, of("classification"), LABELS)
    assert (found.unit, found.short, found.title) == (unit, short, title)
    assert not found.of_machine


def test_of_several_numbers_each_has_its_own_figure_and_of_one_the_figure_of_all():
    task = of("regression")
    metrics = {name: figure(at, at, at) for at, name in enumerate(("RMSE", "RMSE[0]", "RMSE[1]"))}
    quality = variant().model_copy(update={"metrics": metrics})

    def value(key, *labels):
        return find(key, task, labels).figure(quality, None).value

    assert [value(f"max_rmse{part}", "a", "b") for part in ("", ".a", ".b")] == [0.0, 1.0, 2.0]
    assert value("max_rmse.a", "a") == 0.0
    assert find("max_rmse.a", task, ("a",)).title == "RMSE on test"
    # Recall is of each class alone, also where there is only one.
    only = find("min_recall.a", of("classification"), ("a",))
    assert only.title == "recall of 'a' on test"


def test_the_metric_of_a_task_is_its_score_and_others_are_among_its_metrics():
    quality, task = variant(), of("classification")
    other = quality.model_copy(update={"metrics": {}})
    assert find("min_accuracy", task, LABELS).figure(other, None) == quality.score
    assert find("min_macro_f1", task, LABELS).figure(quality, None) == quality.metrics["macro-F1"]
    assert find("min_macro_f1", task, LABELS).figure(other, None) == Estimate.unknown(
        "macro-F1 is not defined on these test samples"
    )
    assert find("min_recall.dog", task, LABELS).figure(other, None) == Estimate.unknown(
        "recall[1] is not defined on these test samples"
    )


def test_the_gain_over_a_constant_answer_is_that_of_its_metric():
    quality, task = variant(), of("classification")
    gains = {over.metric: over.gain for over in quality.over_constant}
    assert len(gains) > 1
    for name, key in (("accuracy", "min_accuracy"), ("balanced accuracy", "min_balanced_accuracy")):
        assert find(f"above_constant.{key}", task, LABELS).figure(quality, None) == gains[name]
    alone = quality.model_copy(update={"over_constant": ()})
    assert find("above_constant.min_accuracy", task, LABELS).figure(alone, None) == (
        Estimate.unknown("this run did not compare it with a constant answer")
    )


@pytest.mark.parametrize("key", ["min_recall.bird", "min_nonsense", "above_constant.min_nonsense"])
def test_a_key_that_nothing_has_is_named(key):
    found = find(key, of("classification"), LABELS).figure(variant(), None)
    assert found == Estimate.unknown(f"no figure is called {key}")


def test_a_budget_of_any_task_is_found_whatever_the_task():
    for key in BUDGETS:
        assert find(key, of("regression"), ()) is BUDGETS[key]


def test_the_schema_names_every_task_that_has_a_metric_once():
    properties = in_schema({"$defs": {"Gate": {"properties": {}}}})["$defs"]["Gate"]["properties"]
    having = {
        metric.key: [task.name for task in TASKS.values() if metric.key in keys(task)]
        for task in TASKS.values()
        for metric in task.reported
    }
    assert properties.keys() == having.keys()
    for key, names in having.items():
        form = properties[key]
        assert form["description"].endswith(f"on test; for {', '.join(names)}.")
        metrics = [one for name in names for one in of(name).reported if one.key == key]
        number = {"type": "number"}
        if metrics[0].unit == "share":
            number |= {"minimum": 0.0, "maximum": 1.0}
        table = {"type": "object", "additionalProperties": number, "minProperties": 1}
        forms = [number] * any(one.of_all for one in metrics)
        forms += [table] * any(one.of_each for one in metrics)
        told = {k: v for k, v in form.items() if k != "description"}
        assert told == (forms[0] if len(forms) == 1 else {"anyOf": forms})


@pytest.mark.parametrize(("key", "value"), [("min_r2", -3.0), ("min_r2", 2.0), ("max_mae", 5.0)])
def test_a_metric_that_is_no_share_may_be_beyond_1_and_one_that_grows_below_0(key, value):
    check(Gate(**{key: value}), of("regression"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("min_acuracy", "min_accuracy"),
        ("max_p50", "max_p50_ms"),
        ("max_latency", "max_p50_ms"),
        ("max_latency_ms", "max_p50_ms"),
        ("max_memory_mib", "max_peak_memory_mib"),
        ("max_size_mb", "max_size_kib"),
        ("max_energy", "max_energy_uj"),
    ],
)
def test_a_refused_key_says_the_one_that_is_meant_and_not_the_whole_list(name, meant):
    with pytest.raises(RecipeError) as refusal:
        check(Gate(**{name: 0.5}), of("classification"))
    assert refusal.value.found == "a budget that classification does not have"
    assert refusal.value.fix == f"did you mean {meant!r}?"
    assert refusal.value.expected is None
    assert refusal.value.where == f"gate.{name}"


def test_a_refused_key_that_resembles_none_is_answered_with_all():
    with pytest.raises(RecipeError) as refusal:
        check(Gate(min_glory=0.5), of("regression"))
    assert refusal.value.expected == f"one of {', '.join(keys(of('regression')))}"
