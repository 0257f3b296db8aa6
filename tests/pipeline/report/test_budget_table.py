"""Why something is not READY stands below the table of budgets."""

import verdict_examples
from edgestill.pipeline.records import PackageVerdict
from edgestill.pipeline.report import budget_table

WHY = "compared with .onnx by its answers, which are not those of the target's kernels"


def points(**changes):
    """Of a report whose first variant has a second package that is UNDECIDED."""
    report = verdict_examples.EXAMPLES["ready"]()
    first, *others = report.verdict.variants
    own = first.packages[0]
    packages = (own, PackageVerdict(format="ort", outcome="undecided", why=WHY))
    first = first.model_copy(update={"packages": packages, **changes})
    verdict = report.verdict.model_copy(update={"variants": (first, *others)})
    return budget_table.section(report.model_copy(update={"verdict": verdict})).points


def test_another_file_that_is_not_ready_is_said_not_to_change_the_verdict_and_why():
    assert any(
        point.endswith(
            f"its .ort file is UNDECIDED ({WHY}), which does not change the verdict: that is of "
            "the .onnx file"
        )
        for point in points()
    )


def test_that_is_not_said_where_it_may_be_the_file_that_the_app_takes():
    barred = points(cannot_ship="the app takes only its .ort file")
    assert any(point.endswith(f"its .ort file is UNDECIDED ({WHY})") for point in barred)
