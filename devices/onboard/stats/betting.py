"""Bounds on the mean of figures that lie between 0 and 1, whatever their distribution.

    >>> shown_below(np.zeros(60), 0.1, 0.01), shown_below(np.zeros(40), 0.1, 0.01)
    (True, False)

The figure of a process is the share of its queries above a latency. Its mean over all processes
there could be is the chance of such a query. Most processes of a model are alike, and a few may be
slow as a whole, so neither a normal distribution nor a variance found in a few of them says
anything.

Whoever bets a part of a capital against "the mean is at least m", process after process, multiplies
it by 1 + bet (m - share), which is 1 or less on average where that is true. So the chance that the
capital ever grows to 1 / error is at most ``error`` (Ville's inequality; Waudby-Smith & Ramdas,
"Estimating means of bounded random variables by betting", JRSS B 86, 2024, section 4). It holds at
every number of processes and under any rule of stopping, with no share of the error for each look.
With no query above it takes log(1 / error) / -log(1 - m) processes, as the binomial test does: no
method that holds for every distribution takes fewer.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

_BETS = ((0.97, 0.9), (0.6, 0.05), (0.25, 0.05))
"""Bets as parts of the largest that cannot lose all, and how the capital is divided among them. The
first suits processes that are alike; the others those that differ."""


def shown_below(shares: NDArray[np.float64], mean: float, error: float) -> bool:
    """Whether shares of processes show that their expectation is below a mean.

    Args:
        shares: one a process, in [0, 1], shape (n,).
        mean: in (0, 1).
        error: largest chance of saying so where it is not.
    """
    return shown_above_zero((mean - shares) / (1.0 - mean), error)


def shown_above(shares: NDArray[np.float64], mean: float, error: float) -> bool:
    """Whether shares of processes show that their expectation is above a mean; as `shown_below`."""
    return shown_above_zero((shares - mean) / mean, error)


def shown_above_zero(gains: NDArray[np.float64], error: float) -> bool:
    """Whether figures that cannot be below -1 show that their expectation is above 0.

    Args:
        gains: independent of each other, at least -1, shape (n,).
        error: largest chance of saying so where it is not.
    """
    return _log_capital(gains) >= -math.log(error)


@cache
def fewest_below(mean: float, error: float) -> int:
    """Processes from which shares of 0 show that their expectation is below a mean."""
    n = 1
    while not shown_below(np.zeros(n), mean, error):
        n += 1
    return n


def _log_capital(gains: NDArray[np.float64]) -> float:
    """Logarithm of the capital after bets of 1 each gained so much, -1 at the least."""
    logs = [math.log(part) + float(np.log1p(bet * gains).sum()) for bet, part in _BETS]
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs))
