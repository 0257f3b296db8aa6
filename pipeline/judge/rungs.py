"""What may be tried where a budget is missed: one step of the recipe each, the cheapest first.

    rung = RUNGS["mixed"]
    rung.overrides(state)       # ('compress.variants=["fp32", "int8-static", "int8-mixed"]',)

A rung says what it can mend (``shortfall.Need``) and gives the recipe's keys that it changes, as
``--set`` takes them. One that the recipe has taken already, or that does not suit it, gives none.
No rung is a promise: whether a budget is met is for the next verdict to say.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...exporters import FROM_ONNX
from ..recipe.files import in_toml
from ..recipe.model_names import family_and_depth, is_factory
from ..recipe.recipe import Recipe
from ..records import Plan, VerifyRecord
from .shortfall import Need

_INT8 = ("int8-static", "int8-mixed", "int8-qat")
_FASTER = ("litert", "openvino")
"""Formats whose runtimes are for phones and for PCs, in the order that they are tried."""
_SATURATING = ("avx2", "avx512")
"""Matrix kernels of x86 CPUs without VNNI (``host.kernel_class``)."""
_STILL_GAINS = 0.8
"""Where the best epoch came after this share of all, the student was still learning."""
_LONGEST = 1000
"""Epochs beyond which longer training is not what a student lacks."""
_MORE_SAMPLES = 4
"""Times the calibration samples: the squared error of a few is that of their extremes."""
_NARROWER, _WIDER = 0.75, 1.5
_RUNTIMES, _INT8_OF_FP32, _PRUNED = 3.0, 4.0, 2.0
"""What a step gains at the most: in time by a runtime, in bytes by int8, in work by pruning."""


@dataclass(frozen=True, slots=True)
class State:
    """What has been tried.

    Attributes:
        recipe: of the build.
        saturates: whether int8 kernels of the target saturate (x86 without VNNI): they gain no time
            there.
        best_epoch: of the student that was judged, counted from 1; None where it is not known.
        tokens: whether samples are texts.
        teacher_short: whether the teacher itself misses a budget of its score.
        over: how many times its budget a figure of time, memory or size is; 1: none is over.
    """

    recipe: Recipe
    saturates: bool = False
    best_epoch: int | None = None
    tokens: bool = False
    teacher_short: bool = False
    over: float = 1.0


@dataclass(frozen=True, slots=True)
class Rung:
    """One step.

    Attributes:
        title: what it is, for a sentence.
        mends: what it can mend.
        changes: the keys that it sets, with their values; empty where it does not apply.
        why: how it helps, for a sentence.
        reach: a figure that is more than so many times its budget is beyond it.
    """

    title: str
    mends: frozenset[Need]
    changes: Callable[[State], Mapping[str, Any]]
    why: str
    reach: float = math.inf

    def overrides(self, state: State) -> tuple[str, ...]:
        """``key=value`` texts for ``--set``; empty where it does not apply."""
        if state.over > self.reach:
            return ()
        return tuple(f"{key}={in_toml(value)}" for key, value in self.changes(state).items())


def _variant(name: str) -> Callable[[State], Mapping[str, Any]]:
    """Makes a variant beside those that the recipe has."""

    def changes(state: State) -> Mapping[str, Any]:
        variants = state.recipe.compress.variants
        return {} if name in variants else {"compress.variants": [*variants, name]}

    return changes


def _int8(state: State) -> Mapping[str, Any]:
    variants = state.recipe.compress.variants
    if any(one in variants for one in _INT8):
        return {}
    name = "int8-dynamic" if state.tokens else "int8-static"
    return {} if name in variants else {"compress.variants": [*variants, name]}


def _int8_for_time(state: State) -> Mapping[str, Any]:
    return {} if state.saturates else _int8(state)


def _calibration(state: State) -> Mapping[str, Any]:
    compress = state.recipe.compress
    rounded = any(one in compress.variants for one in _INT8)
    if not rounded or compress.calibration != "minmax":
        return {}
    samples = _MORE_SAMPLES * compress.calibration_samples
    return {"compress.calibration": "mse", "compress.calibration_samples": samples}


def _mixed(state: State) -> Mapping[str, Any]:
    changes = {} if state.tokens else _variant("int8-mixed")(state)
    most = state.recipe.compress.mixed_max_loss
    drop = state.recipe.gate.max_drop_vs_fp32
    if not changes or drop is None or not 0.0 < drop / 2 < most:
        return changes
    # Half of what is allowed: calibration samples are few, and test is another sample.
    return {**changes, "compress.mixed_max_loss": drop / 2}


def _runtime(state: State) -> Mapping[str, Any]:
    """The next format, where the app takes any."""
    recipe = state.recipe
    formats = recipe.export.formats
    suited = [name for name in _FASTER if not state.tokens or name in FROM_ONNX]
    name = next((one for one in suited if one not in formats), None)
    if recipe.gate.runtimes is not None or name is None:
        return {}
    return {"export.formats": [*formats, name]}


def _teacher(state: State) -> Mapping[str, Any]:
    teacher = state.recipe.teacher
    trained = teacher.is_trained and not teacher.is_none and ":" not in teacher.model
    if not (state.teacher_short and trained) or teacher.epochs > _LONGEST:
        return {}
    return {"teacher.epochs": 2 * teacher.epochs}


def _longer(state: State) -> Mapping[str, Any]:
    epochs = state.recipe.distill.epochs
    late = state.best_epoch is not None and state.best_epoch >= _STILL_GAINS * epochs
    return {"distill.epochs": 2 * epochs} if late and epochs <= _LONGEST else {}


def _views(state: State) -> Mapping[str, Any]:
    recipe = state.recipe
    if recipe.teacher.is_none:
        return {}
    return {"distill.views": 4} if recipe.augment.varies and recipe.distill.views == 1 else {}


def _loss(state: State) -> Mapping[str, Any]:
    recipe = state.recipe
    if recipe.teacher.is_none:
        return {}
    plain = recipe.data.task == "classification" and set(recipe.distill.losses) == {"kd"}
    return {"distill.losses": {"dist": 1.0}} if plain else {}


def _larger(state: State) -> Mapping[str, Any]:
    recipe = state.recipe
    student, teacher = recipe.student, recipe.teacher
    width = _width(state, _WIDER)
    if width is None or (student.model == teacher.model and width > teacher.width):
        return {}
    return {"student.width": width}


def _smaller(state: State) -> Mapping[str, Any]:
    # Work and weights go with the square of the width.
    width = _width(state, min(_NARROWER, state.over**-0.5))
    return {} if width is None else {"student.width": width}


def _pruned(state: State) -> Mapping[str, Any]:
    recipe = state.recipe
    prunable = not state.tokens and not is_factory(recipe.student.model)
    changes = _variant("pruned")(state) if prunable else {}
    share = max(recipe.compress.prune_share, math.ceil(100 * (1.0 - 1.0 / state.over)) / 100)
    return {**changes, "compress.prune_share": share} if changes else {}


def _width(state: State, factor: float) -> int | None:
    """The student's width times a factor, as its family can have it; None where it has no other."""
    student = state.recipe.student
    if is_factory(student.model) or student.weights is not None:
        return None
    try:
        family, _ = family_and_depth(student.model)
    except ValueError:  # a student that is still to be chosen has no width
        return None
    grain = 32 if family == "transformer" else 4 if student.width >= 16 else 2
    up = factor > 1.0
    width = grain * (math.ceil if up else math.floor)(student.width * factor / grain)
    return width if width >= grain and (width > student.width) == up else None


def saturates(plan: Plan) -> bool:
    """Whether int8 kernels of a plan's target saturate."""
    return plan.kernels in _SATURATING


def teacher_is_short(quality: VerifyRecord, budgets: Mapping[str, float]) -> bool:
    """Whether the teacher's whole interval misses a budget of the score.

    Args:
        quality: has the teacher's score.
        budgets: by key; those of other figures do not count.
    """
    high, own = quality.teacher_score.high, ("min_score", f"min_{quality.metric}".lower())
    scores = (value for key, value in budgets.items() if key.lower() in own)
    return high is not None and any(high < value for value in scores)


RUNGS: dict[str, Rung] = {
    "int8": Rung(
        "an int8 variant",
        frozenset({"time", "memory", "size"}),
        _int8_for_time,
        "weights and activations take a quarter of the bytes",
        _INT8_OF_FP32,
    ),
    "int8-size": Rung(
        "an int8 variant",
        frozenset({"memory", "size"}),
        _int8,
        "weights and activations take a quarter of the bytes",
        _INT8_OF_FP32,
    ),
    "weights": Rung(
        "int8 weights",
        frozenset({"size"}),
        _variant("int8-weights"),
        "weights take a quarter of the bytes, and answers hardly change",
        _INT8_OF_FP32,
    ),
    "calibration": Rung(
        "calibration by least squared error on more samples",
        frozenset({"compression"}),
        _calibration,
        "rare extremes no longer widen the ranges of activations",
    ),
    "mixed": Rung(
        "mixed precision",
        frozenset({"compression"}),
        _mixed,
        "the few layers that int8 hurts most stay in float",
    ),
    "runtime": Rung(
        "another runtime",
        frozenset({"time", "memory"}),
        _runtime,
        "its kernels may be quicker for this model (`edgestill toolchains list`: is it set up?)",
        _RUNTIMES,
    ),
    "qat": Rung(
        "training with simulated int8",
        frozenset({"compression"}),
        _variant("int8-qat"),
        "the weights learn to be rounded",
    ),
    "teacher": Rung(
        "a teacher that is trained longer",
        frozenset({"student"}),
        _teacher,
        "the teacher's own score misses the budget",
    ),
    "longer": Rung(
        "longer distillation",
        frozenset({"student"}),
        _longer,
        "the best epoch was among the last, so the student was still learning",
    ),
    "views": Rung(
        "more views of each sample",
        frozenset({"student"}),
        _views,
        "the teacher's answers to more variations are learned",
    ),
    "loss": Rung(
        "another loss",
        frozenset({"student"}),
        _loss,
        "DIST (Huang 2022) asks for the teacher's ranking, not for its probabilities, which a "
        "small student can follow more easily",
    ),
    "larger": Rung(
        "a wider student",
        frozenset({"student"}),
        _larger,
        "it can learn more; it takes more time and bytes",
    ),
    "smaller": Rung(
        "a narrower student",
        frozenset({"time", "memory", "size"}),
        _smaller,
        "work and bytes fall about with the square of the width; some score is lost",
    ),
    "pruning": Rung(
        "pruning",
        frozenset({"time", "memory", "size"}),
        _pruned,
        "channels that matter least go, and the student is distilled again",
        _PRUNED,
    ),
}
"""By name, the cheapest first: what compresses again, then what trains again."""
