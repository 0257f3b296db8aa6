"""Which variants the app can take: ``gate.runtimes``.

>>> shipped(verdict_of_a_tflite_file, ("onnx",))                         # doctest: +SKIP
(None, 'the app does not take litert (gate.runtimes: onnx)')

A variant that the app does not take is judged like the others and never ships. Of one that is taken
only in a format beside the measured one, such as ``.ort``, that format's verdict counts.
"""

from collections.abc import Sequence

from ..records import Outcome, VariantVerdict

_WORSE: tuple[Outcome, ...] = ("ready", "undecided", "not ready")


def shipped(
    verdict: VariantVerdict, runtimes: Sequence[str] | None
) -> tuple[Outcome | None, str | None]:
    """The outcome of what the app can take of a variant, and why that is not the variant's own.

    Args:
        verdict: on the variant.
        runtimes: formats that the app can take; None: all.

    Returns:
        The outcome, None where it takes nothing of it; and the reason, None where the variant may
        ship as it was judged.
    """
    if runtimes is None or not verdict.packages or verdict.packages[0].format in runtimes:
        return verdict.outcome, None
    taken = [package for package in verdict.packages if package.format in runtimes]
    if not taken:
        measured = verdict.packages[0].format
        return None, f"the app does not take {measured} (gate.runtimes: {', '.join(runtimes)})"
    best = min(taken, key=lambda package: _WORSE.index(package.outcome))
    outcome = max(verdict.outcome, best.outcome, key=_WORSE.index)
    if outcome == "ready":
        return outcome, None
    return outcome, f"the app takes only its .{best.format} file: {best.outcome}, {best.why}"


def left_out(verdicts: Sequence[VariantVerdict], nearest: str) -> str:
    """A phrase about variants that are READY and cannot ship; empty where there is none.

    Args:
        verdicts: on all variants.
        nearest: the name of the one that the verdict is about already.
    """
    barred = [one for one in verdicts if one.outcome == "ready" and one.cannot_ship]
    barred = [one for one in barred if one.name != nearest]
    if not barred:
        return ""
    if len(barred) == 1:
        return f"{barred[0].name} is READY and cannot ship: {barred[0].cannot_ship}"
    formats = dict.fromkeys(one.packages[0].format for one in barred)
    return f"{len(barred)} READY variants in {', '.join(formats)} cannot ship (gate.runtimes)"
