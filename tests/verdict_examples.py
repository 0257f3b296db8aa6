"""The report of ``report_example``, judged READY, NOT READY and UNDECIDED by real budgets.

EXAMPLES["not ready"]()     # p90 is 1.9 times its budget
"""

import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.files import bundled, load
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import Predicted

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
    recipe = load(bundled("digits")).model_copy(update={"gate": gate})
    return whole.model_copy(
        update={
            "recipe": recipe.model_dump(mode="json", exclude_none=True),
            "verdict": judge(gate, whole.quality, whole.measured),
        }
    )


def elsewhere():
    """A board that was not there: its latency is predicted, and the data are skewed."""
    whole = report_example.report()
    predicted = tuple(
        Predicted(
            name=one.name,
            target="raspberry-pi-5",
            device="Raspberry Pi 5, a Cortex-A76 at 2.4 GHz",
            threads=1,
            p50_ms=Estimate(
                value=0.09, low=0.05, high=0.17, method="roofline", n=1, unit="ms", kind="predicted"
            ),
            call_us=5.0,
            spread=0.3,
            unroofed=2,
        )
        for one in whole.variants.variants
    )
    counts = {split: (900, *[10] * 9) for split in whole.data.counts}
    whole = whole.model_copy(update={"data": whole.data.model_copy(update={"counts": counts})})
    whole = report_example.with_measured(
        whole, on_target=False, target="raspberry-pi-5", predicted=predicted
    )
    return judged(whole, max_p50_ms=1.0)


EXAMPLES = {
    "ready": judged,
    "not ready": lambda: judged(max_p90_ms=0.02, max_size_kib=32.0),
    "undecided": lambda: judged(max_drop_vs_teacher=0.02),
    "another target": elsewhere,
}
