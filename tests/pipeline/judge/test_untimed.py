"""What is not timed: unknown with its reason, but for its size and its arena, which decides."""

from edgestill.devices.scenarios.figures import Figures
from edgestill.exporters.package import File, Package
from edgestill.pipeline.judge.budgets import BUDGETS
from edgestill.pipeline.judge.gate import check
from edgestill.pipeline.judge.untimed import untimed_figures
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import Bytes, Variant

PACKAGE = Package(
    format="tflite-micro",
    title="TensorFlow Lite Micro",
    suffix=".micro.tflite",
    model=File("int8-static.micro.tflite", 3000, "0" * 64),
    runtime="tflite-micro",
    arena_bytes=2048,
)
VARIANT = Variant(
    name="int8-static@tflite-micro",
    packages=(PACKAGE,),
    changed_nodes=3,
    notes=(),
    parts=Bytes(weights={}, scales=0, constants=0, graph=3000),
)


def outcome(key, value, figures: Figures):
    judged = check(key, value, BUDGETS[key].figure(None, figures))
    return judged.outcome, judged.why


def test_its_time_is_unknown_and_its_size_is_that_of_the_model():
    figures = untimed_figures(VARIANT)
    assert (figures.name, figures.file_bytes) == ("int8-static@tflite-micro", 3000)
    for figure in (figures.p50_ms, figures.peak_memory_bytes, figures.energy_uj):
        assert figure.value is None
        assert "not those of a microcontroller" in figure.missing
    assert outcome("max_p50_ms", 1.0, figures)[0] == "undecided"


def test_an_arena_is_exact_and_decides_its_budget():
    assert Gate(max_arena_kib=2.0).budgets() == {"max_arena_kib": 2.0}
    figures = untimed_figures(VARIANT)
    assert figures.arena_bytes.low == figures.arena_bytes.high == 2048
    assert outcome("max_arena_kib", 2.0, figures)[0] == "ready"
    assert outcome("max_arena_kib", 1.99, figures)[0] == "not ready"


def test_what_has_no_arena_is_undecided_with_the_reason():
    package = PACKAGE.__class__("onnx", "ONNX Runtime", ".onnx", PACKAGE.model)
    figures = untimed_figures(VARIANT.model_copy(update={"packages": (package,)}))
    assert outcome("max_arena_kib", 2.0, figures)[0] == "undecided"
    assert BUDGETS["max_arena_kib"].unit == "KiB"
    known = Figures.__dataclass_fields__["arena_bytes"].default
    assert "only a file for microcontrollers" in known.missing
