"""The steps after which a training is scored: a geometric grid from the first to the last.

>>> scored_after(64)
(1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64)
"""

_RATIO = 2**0.5
"""Between two steps of the grid: finer than the factor that a saving of steps is read to."""


def scored_after(total: int) -> tuple[int, ...]:
    """The grid of a training, counted from the first step, in rising order.

    Args:
        total: steps of the training, 1 or more.
    """
    steps, at = {total}, float(total)
    while (at := at / _RATIO) >= 1.0:
        steps.add(round(at))
    return tuple(sorted(steps | {1}))
