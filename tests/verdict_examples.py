"""The report of ``report_example``, judged READY, NOT READY and UNDECIDED by real budgets.

EXAMPLES["not ready"]()     # p90 is 1.9 times its budget
"""

import report_example
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate

BUDGETS = {
    "min_accuracy": 0.94,
    "max_drop_vs_teacher": 0.04,
    "max_drop_vs_fp32": 0.03,
    "max_p90_ms": 2.0,
    "max_peak_memory_mib": 16.0,
    "max_size_kib": 128.0,
}


def judged(whole=None, **budgets):
    """The report, judged by ``BUDGETS`` and others."""
    whole = whole or report_example.report()
    gate = Gate(**(BUDGETS | budgets))
    return whole.model_copy(update={"verdict": judge(gate, whole.quality, whole.measured)})


EXAMPLES = {
    "ready": judged,
    "not ready": lambda: judged(max_p90_ms=0.02, max_size_kib=32.0),
    "undecided": lambda: judged(max_drop_vs_teacher=0.02),
}
