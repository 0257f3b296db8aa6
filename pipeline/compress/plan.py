"""How a model is quantized for a target: its instruction set decides, not that of the host.

>>> plan(Compress(target="raspberry-pi-5")).types
's8s8'

The figures behind the rules are in DECISIONS.md.
"""

from typing import Literal, NamedTuple

from ...devices.profiles.profile import HOST, Profile, load
from ..recipe.compress import Compress
from ..records import Plan


class _Choice(NamedTuple):
    activations: Literal["u8", "s8"]
    weights: Literal["u8", "s8"]
    why: str


def plan(options: Compress) -> Plan:
    """Types and bits of int8 for the target of the options, by default this machine, and why.

    Raises:
        UsageError: there is no such target.
    """
    target, here = load(options.target or HOST, where="compress.target"), load(HOST)
    types = _types(target, options)
    fits = options.reduce_range == "auto" and types.weights == "s8" and target.saturates
    bits, why_bits = _bits(target, types, options)
    precise = here.saturates and not target.saturates
    why = [types.why, why_bits, "every output channel has a scale of its own"]
    if precise:
        why.append(
            "this host saturates and the target does not: outputs are those of the runtime's "
            "saturation-free mode (session.x64quantprecision), reported beside the host's own"
        )
    if target.saturates and not here.saturates and bits == 8 and not fits:
        why.append("this host does not saturate and the target may: outputs are those of the host")
    return Plan(
        target=target.name,
        device=target.title,
        kernels=target.kernels,
        activations=types.activations,
        weights=types.weights,
        weight_bits=bits,
        pairs_fit=fits,
        per_channel=True,
        precise=precise,
        why=tuple(why),
    )


def _types(target: Profile, options: Compress) -> _Choice:
    if options.types == "s8s8" or (options.types == "auto" and target.arch == "aarch64"):
        dot = "multiply-and-add of four (sdot)" if target.dot_product else "long multiplication"
        why = "the recipe sets s8s8"
        if options.types == "auto":
            why = f"s8s8: ARM kernels take both signed, here by {dot}"
        return _Choice("s8", "s8", why)
    if options.types == "u8u8":
        return _Choice("u8", "u8", "the recipe sets u8u8")
    why = "u8s8: the pair that x86 instructions take (vpmaddubsw, vpdpbusd); others fuse less"
    return _Choice("u8", "s8", why if options.types == "auto" else "the recipe sets u8s8")


def _bits(target: Profile, types: _Choice, options: Compress) -> tuple[Literal[7, 8], str]:
    if options.reduce_range != "auto":
        bits: Literal[7, 8] = 7 if options.reduce_range == "always" else 8
        return bits, f"{bits}-bit weights, as the recipe sets"
    if types.weights == "u8":
        return 8, "8-bit weights: u8u8 kernels widen before they multiply and do not saturate"
    if target.saturates:
        return 8, (
            "8-bit weights, scaled so that no two neighbours saturate a 16-bit sum as they could "
            "without VNNI; 7 bits where a method gives all weights the same"
        )
    return 8, f"8-bit weights: {target.kernels} kernels do not saturate"
