"""Energy by a declared model: counted operations and bytes times published picojoules.

    >>> declared({"float32": 1000}, 4000, 800).missing is None
    True

A relative figure for comparing models; never the joules of a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from ..onboard.stats.estimate import Estimate

if TYPE_CHECKING:
    from ..profiles.profile import Figure, Profile


Range = tuple[float, float, float]
"""Lowest, likeliest, highest."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Energies of an operation and of a byte, in picojoules.

    Attributes:
        mac_pj: of one multiply-accumulate, by numeric type.
        weight_byte_pj: of one byte of weights, read once.
        activation_byte_pj: of one byte of activations, written once and read once.
        source: the prices and where they are from, for the reader of a report.
    """

    mac_pj: Mapping[str, Range]
    weight_byte_pj: Range
    activation_byte_pj: Range
    source: str


def _exactly(pj: float) -> Range:
    return pj, pj, pj


# Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9,
# 45 nm, 0.9 V. A multiply-accumulate is one multiply and one add in the accumulator's type.
# The same figure, a 64-bit access: 32 KiB cache 20 pJ, DRAM 1.3 to 2.6 nJ. The customary 640 pJ a
# 32-bit word (Han et al., NeurIPS 2015, table 1) is the lower end of that DRAM range.
_CACHE, _DRAM, _DRAM_WORST = 20.0 / 8, 640.0 / 4, 2600.0 / 8


# Where the bytes come from is unknown, so the interval covers it: all from the smallest
# cache; weights from DRAM and activations from cache; all from DRAM at its worst.
HOROWITZ = Prices(
    mac_pj={
        "float32": _exactly(3.7 + 0.9),
        "float16": _exactly(1.1 + 0.4),
        "bfloat16": _exactly(1.1 + 0.4),  # no figure of its own; a narrower mantissa takes less
        "int8": _exactly(0.2 + 0.1),  # 8-bit multiply, 32-bit add
    },
    weight_byte_pj=(_CACHE, _DRAM, _DRAM_WORST),
    activation_byte_pj=(_CACHE, _CACHE, _DRAM_WORST),
    source="Horowitz, ISSCC 2014 (45 nm: pJ a multiply-accumulate float32 4.6, float16 1.5, int8 "
    "0.3; weights read once at 160 pJ/B, activations written and read once at 2.5 pJ/B)",
)


_DECLARED = (
    "declared model after {source}; {interval}; a relative figure, not joules of this device"
)


def prices_of(profile: Profile) -> Prices:
    """The prices of a device profile's figures; where it has none, Horowitz's."""
    fp32, int8, byte = (profile.figures.get(f"{n}_pj") for n in ("fp32_mac", "int8_mac", "byte"))
    if not (fp32 and int8 and byte):
        return HOROWITZ
    dram = _range(byte)
    source = (
        f"the profile {profile.name} (pJ a multiply-accumulate float32 {fp32.value:g}, int8 "
        f"{int8.value:g}; weights read once at {byte.value:g} pJ/B, by its sources; 16-bit floats "
        "and activations, written and read once at 2.5 pJ/B, after Horowitz, ISSCC 2014)"
    )
    return Prices(
        mac_pj={**HOROWITZ.mac_pj, "float32": _range(fp32), "int8": _range(int8)},
        weight_byte_pj=(min(_CACHE, dram[0]), dram[1], dram[2]),
        activation_byte_pj=(min(_CACHE, dram[0]), min(_CACHE, dram[1]), dram[2]),
        source=source,
    )


def _range(figure: Figure) -> Range:
    low = figure.value if figure.low is None else figure.low
    return low, figure.value, figure.value if figure.high is None else figure.high


def declared(
    macs_by_type: Mapping[str, int],
    weight_bytes: int,
    activation_bytes: int,
    prices: Prices = HOROWITZ,
) -> Estimate:
    """Energy of one inference by the declared model.

    Args:
        macs_by_type: multiply-accumulates by numeric type.
        weight_bytes: size of the weights.
        activation_bytes: size of all activations written.
        prices: of an operation and of a byte.

    Returns:
        Microjoules; unknown where there is nothing to count or a type has no published figure.
    """
    method = _DECLARED.format(
        source=prices.source,
        interval="interval from all bytes in a 32 KiB cache and the cheapest operations to all "
        f"bytes in DRAM at {prices.weight_byte_pj[2]:g} pJ/B and the dearest",
    )
    missing = _uncountable(macs_by_type, weight_bytes, activation_bytes, prices)
    if missing:
        return Estimate.unknown(missing, method, unit="uJ")
    cost = macs_by_type, weight_bytes, activation_bytes
    low, value, high = (_picojoules(*cost, prices, at, at) / 1e6 for at in range(3))
    return Estimate(value, low, high, method, 0, None, "uJ", "declared")


def declared_ratio(
    over: tuple[Mapping[str, int], int, int],
    under: tuple[Mapping[str, int], int, int],
    prices: Prices = HOROWITZ,
) -> Estimate:
    """Ratio of two models' declared energies.

    Both are taken under the same assumption about where bytes come from and what an operation
    takes, so the interval is that of the ratio under all of them: far narrower than the two
    intervals apart.

    Args:
        over: macs_by_type, weight_bytes, activation_bytes of the subject.
        under: the same of the reference.
        prices: of an operation and of a byte.
    """
    method = _DECLARED.format(
        source=prices.source,
        interval="both models under one assumption on where bytes come from and what an operation "
        "takes, interval over all of them",
    )
    missing = _uncountable(*over, prices) or _uncountable(*under, prices)
    if missing:
        return Estimate.unknown(missing, method, unit="ratio")
    ratios = {
        (macs, moved): _picojoules(*over, prices, macs, moved)
        / _picojoules(*under, prices, macs, moved)
        for macs, moved in product(range(3), range(3))
    }
    low, high = min(ratios.values()), max(ratios.values())
    return Estimate(ratios[1, 1], low, high, method, 0, None, "ratio", "declared")


def _uncountable(
    macs: Mapping[str, int], weight_bytes: int, activation_bytes: int, prices: Prices
) -> str | None:
    counted = {name for name, count in macs.items() if count}
    unpriced = sorted(counted - prices.mac_pj.keys())
    if unpriced:
        return f"no published energy for a multiply-accumulate in {', '.join(unpriced)}"
    if not any(macs.values()) and not weight_bytes and not activation_bytes:
        return "neither operations nor bytes are known"
    return None


def _picojoules(
    macs: Mapping[str, int],
    weight_bytes: int,
    activation_bytes: int,
    prices: Prices,
    operation: int,
    byte: int,
) -> float:
    """With the lowest, likeliest or highest energy (0, 1, 2) of an operation and of a byte."""
    arithmetic = sum(
        prices.mac_pj[name][operation] * count for name, count in macs.items() if count
    )
    moved = prices.weight_byte_pj[byte] * weight_bytes
    return arithmetic + moved + 2 * prices.activation_byte_pj[byte] * activation_bytes
