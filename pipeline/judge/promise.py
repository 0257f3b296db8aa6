"""What a verdict promises: READY is wrong in at most 1 % of builds.

    >>> round(confidence(files=8), 5)
    0.99875

One error rate for the verdict as a whole, over all its budgets and all files that could have
shipped:

* A file is READY only where *every* interval lies inside its budget. If it violates a budget, a
  false READY takes the error of that one interval, however many others there are (an
  intersection-union test: Berger, "Multiparameter hypothesis testing and acceptance sampling",
  Technometrics 24, 1982). So nothing is corrected for the number of budgets.
* Any of k files may be the one that is READY by luck, so that each has a k-th of the error
  (Bonferroni). Every interval is two-sided at 1 - 0.01 / k.

A file is a variant. Formats beside its measured file ship the same answers and are judged by the
same figures, so they count once; a variant in another runtime has figures of its own and counts;
the teacher ships nothing and does not count.

Variants that ``gate.runtimes`` keeps from shipping count, too: ``edgestill gate`` may let them in
after their figures have been seen, and a verdict of any of these gates keeps the promise.
"""

FINDING_CONFIDENCE = 0.95
"""Of what decides no budget, such as the gain of distillation."""
ERROR_RATE = 0.01
"""Builds that may be READY though the one that ships is truly outside a budget."""


def confidence(files: int) -> float:
    """The confidence of every interval that is judged.

    Args:
        files: variants that could ship.

    Raises:
        ValueError: there is none.
    """
    if files < 1:
        raise ValueError(f"a verdict about {files} files")
    return 1.0 - ERROR_RATE / files
