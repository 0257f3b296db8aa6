"""Energy of one inference: counted where a counter is readable, else a declared model.

    before = read_counters()
    ...
    spent_uj(before, read_counters())

A declared model is arithmetic on counted operations and bytes with published figures for one
process node. It ranks two models; it is never the joules of a device, and its text says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..stats import Estimate

_POWERCAP = Path("/sys/class/powercap")

# Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9,
# 45 nm, 0.9 V. A multiply-accumulate is one multiply and one add in the accumulator's type.
PICOJOULES_PER_MAC: Mapping[str, float] = {
    "float32": 3.7 + 0.9,
    "float16": 1.1 + 0.4,
    "bfloat16": 1.1 + 0.4,  # no figure of its own; a narrower mantissa would take less
    "int8": 0.2 + 0.1,  # 8-bit multiply, 32-bit add
}
# The same figure, a 64-bit access: 32 KiB cache 20 pJ, DRAM 1.3 to 2.6 nJ. The customary 640 pJ a
# 32-bit word (Han et al., NeurIPS 2015, table 1) is the lower end of that DRAM range.
_CACHE = 20.0 / 8
_DRAM = 640.0 / 4
_DRAM_WORST = 2600.0 / 8

# Where the bytes come from is what one cannot know, so it spans the interval: all from the smallest
# cache; weights from DRAM and activations from cache; all from DRAM at its worst.
_ASSUMPTIONS: Mapping[str, tuple[float, float]] = {
    "low": (_CACHE, _CACHE),
    "value": (_DRAM, _CACHE),
    "high": (_DRAM_WORST, _DRAM_WORST),
}
_DECLARED = (
    "declared model after Horowitz, ISSCC 2014 (45 nm: pJ a multiply-accumulate float32 4.6, "
    "float16 1.5, int8 0.3; weights read once at 160 pJ/B, activations written and read once at "
    "2.5 pJ/B); {interval}; a relative figure, not joules of this device"
)


@dataclass(frozen=True, slots=True)
class Counter:
    """One RAPL counter's reading, in microjoules; it wraps at `range_uj`."""

    name: str
    energy_uj: int
    range_uj: int


def read_counters(powercap: Path = _POWERCAP) -> tuple[Counter, ...] | str:
    """Each package's and memory's RAPL counter, or the reason why there are none.

    Subzones other than memory (core, uncore) are parts of their package and would count twice.
    """
    counters = []
    try:
        for zone in sorted(powercap.glob("intel-rapl:*")):
            name = (zone / "name").read_text(encoding="ascii").strip()
            if name.startswith("package") or name == "dram":
                energy = int((zone / "energy_uj").read_text(encoding="ascii"))
                wraps_at = int((zone / "max_energy_range_uj").read_text(encoding="ascii"))
                counters.append(Counter(f"{zone.name} {name}", energy, wraps_at))
    except (OSError, ValueError) as error:
        return f"the RAPL counters cannot be read: {error}"
    return tuple(counters) or f"no RAPL counter under {powercap}"


def spent_uj(
    before: tuple[Counter, ...] | str, after: tuple[Counter, ...] | str
) -> tuple[int | None, str | None]:
    """Microjoules between two readings, one wrap-around of each counter allowed.

    Nothing is subtracted for an idle machine: the figure is what the packages and memory drew.

    Returns:
        The energy and None, or None and the reason.
    """
    if isinstance(before, str):
        return None, before
    if isinstance(after, str):
        return None, after
    if [one.name for one in before] != [one.name for one in after]:
        return None, "the RAPL counters changed during the run"
    total = 0
    for old, new in zip(before, after, strict=True):
        difference = new.energy_uj - old.energy_uj
        total += difference if difference >= 0 else difference + new.range_uj
    # The counters move about once a millisecond; one that stood still measured nothing.
    return (total, None) if total > 0 else (None, "the RAPL counters did not move")


def declared(macs_by_type: Mapping[str, int], weight_bytes: int, activation_bytes: int) -> Estimate:
    """Energy of one inference by the declared model.

    Args:
        macs_by_type: multiply-accumulates by numeric type.
        weight_bytes: size of the weights.
        activation_bytes: size of all activations written.

    Returns:
        Microjoules; unknown where there is nothing to count or a type has no published figure.
    """
    method = _DECLARED.format(
        interval="interval from all bytes in a 32 KiB cache to all bytes in DRAM at 325 pJ/B"
    )
    missing = _uncountable(macs_by_type, weight_bytes, activation_bytes)
    if missing:
        return Estimate.unknown(missing, method)
    uj = {
        name: _picojoules(macs_by_type, weight_bytes, activation_bytes, name) / 1e6
        for name in _ASSUMPTIONS
    }
    return Estimate(uj["value"], uj["low"], uj["high"], method, 0)


def declared_ratio(
    over: tuple[Mapping[str, int], int, int], under: tuple[Mapping[str, int], int, int]
) -> Estimate:
    """Ratio of two models' declared energies.

    Both are taken under the same assumption about where bytes come from, so the interval is that of
    the ratio under the three assumptions: far narrower than the two intervals apart.

    Args:
        over: macs_by_type, weight_bytes, activation_bytes of the subject.
        under: the same of the reference.
    """
    method = _DECLARED.format(
        interval="both models under one assumption on where bytes come from, interval over three"
    )
    missing = _uncountable(*over) or _uncountable(*under)
    if missing:
        return Estimate.unknown(missing, method)
    ratios = {name: _picojoules(*over, name) / _picojoules(*under, name) for name in _ASSUMPTIONS}
    return Estimate(ratios["value"], min(ratios.values()), max(ratios.values()), method, 0)


def _uncountable(macs: Mapping[str, int], weight_bytes: int, activation_bytes: int) -> str | None:
    counted = {name for name, count in macs.items() if count}
    unpriced = sorted(counted - PICOJOULES_PER_MAC.keys())
    if unpriced:
        return f"no published energy for a multiply-accumulate in {', '.join(unpriced)}"
    if not any(macs.values()) and not weight_bytes and not activation_bytes:
        return "neither operations nor bytes are known"
    return None


def _picojoules(
    macs: Mapping[str, int], weight_bytes: int, activation_bytes: int, assumption: str
) -> float:
    per_weight, per_activation = _ASSUMPTIONS[assumption]
    arithmetic = sum(PICOJOULES_PER_MAC[name] * count for name, count in macs.items() if count)
    return arithmetic + per_weight * weight_bytes + 2 * per_activation * activation_bytes
