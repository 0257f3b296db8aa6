"""A variant in a format that the app does not take is judged and never ships."""

import pytest
import runtimes_example
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.judge.shipping import left_out, shipped
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import PackageVerdict, VariantVerdict


def verdict_of(*runtimes, **budgets):
    budgets = budgets or {"min_accuracy": 0.9}
    gate = Gate(**budgets, runtimes=runtimes or None)
    return runtimes_example.several(gate).verdict


def test_without_the_key_every_format_may_ship():
    verdict = verdict_of()
    assert verdict.ship == "int8-static@litert"
    assert {one.cannot_ship for one in verdict.variants} == {None}


def test_a_format_that_the_app_does_not_take_is_judged_and_does_not_ship():
    verdict = verdict_of("onnx", "openvino")
    assert (verdict.outcome, verdict.ship) == ("ready", "int8-static@openvino")
    judged = {one.name: one for one in verdict.variants}
    assert judged["int8-static@litert"].outcome == "ready"
    reason = "the app does not take litert (gate.runtimes: onnx, openvino)"
    assert judged["int8-static@litert"].cannot_ship == reason
    assert judged["fp32"].cannot_ship is None


def test_the_reason_names_what_is_ready_and_cannot_ship_in_one_phrase():
    assert verdict_of("onnx").why.endswith(
        "; 5 READY variants in litert, openvino cannot ship (gate.runtimes)"
    )


def test_what_cannot_ship_makes_no_verdict_ready():
    """Only LiteRT is fast enough, and the app takes ONNX files alone."""
    fast = {"max_p50_ms": 0.02}
    assert verdict_of(**fast).ship == "int8-static@litert"
    verdict = verdict_of("onnx", **fast)
    assert (verdict.outcome, verdict.ship) == ("not ready", None)
    assert verdict.nearest in ("fp32", "int8-static", "int8-dynamic")
    assert verdict.why.endswith(
        "int8-static@litert is READY and cannot ship: the app does not take litert "
        "(gate.runtimes: onnx)"
    )


def test_an_undecided_variant_that_cannot_ship_leaves_nothing_undecided():
    models = runtimes_example.several().measured.benchmark.models
    p90 = next(one.p90_ms.value for one in models if one.name == "int8-static@litert")
    undecided = {"max_p90_ms": p90}
    assert verdict_of(**undecided).outcome == "undecided"
    assert verdict_of("onnx", **undecided).outcome == "not ready"


def judged(outcome, onnx, ort):
    packages = (
        PackageVerdict(format="onnx", outcome=onnx, why="measured and judged"),
        PackageVerdict(format="ort", outcome=ort, why="not measured for max_p50_ms"),
    )
    return VariantVerdict(name="fp32", outcome=outcome, checks=(), faults=(), packages=packages)


@pytest.mark.parametrize(
    ("outcome", "ort", "expected"),
    [
        ("ready", "ready", "ready"),
        ("ready", "undecided", "undecided"),
        ("not ready", "undecided", "not ready"),
    ],
)
def test_of_a_variant_that_is_taken_in_a_format_beside_that_verdict_counts(outcome, ort, expected):
    found, why = shipped(judged(outcome, outcome, ort), ("ort",))
    assert found == expected
    assert (why is None) == (expected == "ready")
    if why:
        assert why.startswith("the app takes only its .ort file: undecided, not measured")


def test_where_no_variant_is_in_a_format_that_the_app_takes_nothing_ships():
    whole = runtimes_example.several()
    only = tuple(one for one in whole.quality.variants if one.name.endswith("@litert"))
    quality = whole.quality.model_copy(update={"variants": only})
    verdict = judge(Gate(min_accuracy=0.9, runtimes=("openvino",)), quality, whole.measured)
    assert (verdict.outcome, verdict.ship) == ("not ready", None)
    assert "cannot ship: the app does not take litert (gate.runtimes: openvino)" in verdict.why


def in_formats(outcome, **packages):
    """A variant measured in the first of some formats, with the outcome of each."""
    made = tuple(
        PackageVerdict(format=name, outcome=each, why=f"why {name}")
        for name, each in packages.items()
    )
    return VariantVerdict(name="v", outcome=outcome, checks=(), faults=(), packages=made)


READY, OPEN, NOT = "ready", "undecided", "not ready"


@pytest.mark.parametrize(
    ("outcome", "packages", "runtimes", "expected"),
    [
        (NOT, {"onnx": NOT, "ort": READY}, None, (NOT, None)),
        (NOT, {"onnx": NOT, "ort": READY}, ("onnx",), (NOT, None)),
        (READY, {}, ("onnx",), (READY, None)),
        (READY, {"onnx": READY, "a": NOT, "b": READY}, ("a", "b"), (READY, None)),
        (OPEN, {"onnx": OPEN, "a": READY}, ("a",),
         (OPEN, "the app takes only its .a file: ready, why a")),
        (NOT, {"onnx": NOT, "a": READY}, ("a",),
         (NOT, "the app takes only its .a file: ready, why a")),
        (READY, {"onnx": READY, "a": NOT, "b": OPEN}, ("a", "b"),
         (OPEN, "the app takes only its .b file: undecided, why b")),
        (READY, {"onnx": READY, "a": NOT}, ("a", "b"),
         (NOT, "the app takes only its .a file: not ready, why a")),
        (READY, {"onnx": READY, "a": READY}, ("b", "c"),
         (None, "the app does not take onnx (gate.runtimes: b, c)")),
    ],
)  # fmt: skip
def test_the_best_format_that_the_app_takes_counts_and_is_no_better_than_the_variant(
    outcome, packages, runtimes, expected
):
    assert shipped(in_formats(outcome, **packages), runtimes) == expected


def test_what_is_left_out_is_ready_cannot_ship_and_is_not_the_nearest():
    def barred(name, outcome=READY, why="so", measured="litert"):
        update = {"name": name, "outcome": outcome, "cannot_ship": why}
        return in_formats(outcome, **{measured: outcome}).model_copy(update=update)

    several = [barred("a"), barred("b", measured="openvino"), barred("c")]
    rest = [barred("d", OPEN), barred("e", why=None)]
    assert left_out([*several, *rest], "e") == (
        "3 READY variants in litert, openvino cannot ship (gate.runtimes)"
    )
    assert left_out([several[0], *rest], "e") == "a is READY and cannot ship: so"
    assert left_out([*several[:2], *rest], "a") == "b is READY and cannot ship: so"
    assert left_out([several[0], *rest], "a") == left_out(rest, "e") == ""
