"""What is wrong with a variant whatever its budgets, and with the one it was made from.

>>> list(of(int8, {"fp32": fp32, "int8-static": int8}))                 # doctest: +SKIP
['made from fp32, which differs from PyTorch by 5.63 (at most 0.0006) at batch 1, …']
"""

from collections.abc import Iterator, Mapping, Sequence

from ..records import VariantQuality, VerifyRecord

NOT_RECORDED = (
    "whether it answers one input in one way, which this run does not record; build it again"
)


def of(quality: VariantQuality, variants: Mapping[str, VariantQuality]) -> tuple[str, ...]:
    """The faults of a variant's ``.onnx`` file, then of those it was made from, one of each.

    Args:
        quality: of the variant.
        variants: of all variants, by name.
    """
    return (*own(quality), *_inherited(quality, variants))


def own(quality: VariantQuality) -> tuple[str, ...]:
    """The faults of a variant's own ``.onnx`` file, a sentence each."""
    return tuple(_own(quality))


def unknown(quality: VariantQuality) -> tuple[str, ...]:
    """What would have to be known of a variant and was not recorded."""
    return () if quality.steadiness is not None else (NOT_RECORDED,)


def by_variant(record: VerifyRecord) -> dict[str, tuple[str, ...]]:
    """The faults of every variant that has any, by its name."""
    variants = {variant.name: variant for variant in record.variants}
    found = {name: of(variant, variants) for name, variant in variants.items()}
    return {name: faults for name, faults in found.items() if faults}


def _own(quality: VariantQuality) -> Iterator[str]:
    if quality.steadiness is not None:
        yield from quality.steadiness.faults
    for parity in quality.parity:
        if not parity.holds:
            yield (
                f"differs from PyTorch by {parity.max_abs_difference:.3g} (at most "
                f"{parity.tolerance:.3g}) at batch {parity.batch}, optimization "
                f"{parity.optimization}"
            )
    if quality.checker is not None:
        yield f"onnx.checker: {quality.checker}"


def _inherited(quality: VariantQuality, variants: Mapping[str, VariantQuality]) -> Sequence[str]:
    faults, seen = [], {quality.name}
    source = quality.made_from
    while source is not None and source in variants and source not in seen:
        seen.add(source)
        if first := own(variants[source])[:1]:
            faults.append(f"made from {source}, which {first[0]}")
        source = variants[source].made_from
    return faults
