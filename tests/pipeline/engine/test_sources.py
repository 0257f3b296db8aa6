"""Which modules decide a stage's result: all that its function imports or starts, and no others."""

from pathlib import Path

import edgestill
from edgestill.pipeline import stages
from edgestill.pipeline.engine import sources
from edgestill.pipeline.engine.stage import Stage
from edgestill.pipeline.stages import STAGES


def test_every_module_a_stage_imports_is_among_the_sources_of_its_key():
    """A module that decides a result and is not hashed would give stale results."""
    import grimp

    graph = grimp.build_graph("edgestill", cache_dir=None, exclude_type_checking_imports=True)
    root = Path(edgestill.__file__).parent
    found = [s for s in vars(stages).values() if isinstance(s, Stage)]
    assert {stage.name for stage in found} == {*STAGES, stages.SHARD.name}
    assert len(found) == len(STAGES) + 1
    for stage in found:
        start = stage.run.partition(":")[0]
        reached, waiting = set(), [start]
        while waiting:
            module = waiting.pop()
            if module in reached or module in sources.CARRIERS:
                continue
            reached.add(module)
            imported = graph.find_modules_directly_imported_by(f"edgestill.{module}")
            waiting += [one.removeprefix("edgestill").removeprefix(".") for one in imported]
            # Processes, runtimes and jobs are named in strings, which the graph does not see.
            package = root.joinpath(*module.split("."))
            file = package / "__init__.py" if package.is_dir() else package.with_suffix(".py")
            text = file.read_text(encoding="utf-8")
            waiting += [
                name for name in sources.imported_by(module) if f'"edgestill.{name}"' in text
            ]
        paths = [root.joinpath(*module.split(".")) for module in reached]
        files = {p / "__init__.py" if p.is_dir() else p.with_suffix(".py") for p in paths}
        assert {file.relative_to(root).as_posix() for file in files} == set(sources.behind(start))


def test_the_text_of_a_recipe_part_decides_nothing_for_its_values_are_hashed():
    # These two are no parts: one reads TOML, the other loads and hashes a function of the user's.
    others = {"files", "user_function", "__init__"}
    folder = Path(edgestill.__file__).parent / "pipeline" / "recipe"
    parts = {f"pipeline/recipe/{file.name}" for file in folder.glob("*.py")}
    parts -= {f"pipeline/recipe/{name}.py" for name in others}
    for stage in (s for s in vars(stages).values() if isinstance(s, Stage)):
        assert parts.isdisjoint(sources.behind(stage.run.partition(":")[0]))


def test_the_doctor_decides_no_variant_and_the_measuring_process_decides_the_benchmark():
    assert "devices/doctor.py" not in sources.behind("pipeline.compress.variants")
    assert "pipeline/distill/losses.py" in sources.behind("pipeline.distill.student")
    measured = sources.behind("pipeline.judge.benchmark")
    assert "devices/onboard/measure/worker.py" in measured
    assert "devices/onboard/measure/latency.py" in measured
    assert not [name for name in measured if name.startswith("pipeline/report")]


def test_what_converts_in_a_toolchain_decides_the_variants():
    behind = sources.behind("pipeline.compress.variants")
    for name in ("coreml", "executorch", "litert", "ncnn", "openvino", "protocol"):
        assert f"exporters/converters/{name}.py" in behind
    assert "toolchains/interpreter.py" in behind
