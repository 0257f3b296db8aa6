"""One student in every runtime: whether it answers as in PyTorch, decides alike, scores alike.

    make test-runtimes                                # every student; minutes
    python tests/tools/runtimes.py run digits fsdd    # some students
    python tests/tools/runtimes.py report             # write docs/runtimes.md
    python tests/tools/runtimes.py report --check     # fail where the page is another

Each student is built by the product's own pipeline as far as its verify stage, with a short
training and every format. The figures are those of that stage; nothing is compared a second time.
Data sets lie in ../shared/data: a student whose data are absent is skipped. Formats whose toolchain
is not set up are left out, and then nothing is kept.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgestill import toolchains
from edgestill.devices.bench.inspection import inspect
from edgestill.errors import ModelError, RecipeError
from edgestill.exporters import EXPORTERS, coreml, executorch, litert, ncnn, toolchains_of
from edgestill.pipeline.build import build
from edgestill.pipeline.judge.parity import OTHER_RUNTIME
from edgestill.pipeline.recipe.files import bundled, load
from edgestill.pipeline.records import AT, VariantsRecord, VerifyRecord

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts" / "runtimes"
_RECIPES = ROOT / "tests" / "bench" / "recipes"
_DIGITS = 6
"""Of a figure that is kept."""
_SUFFIXES = {each.FORMAT.name: each.FORMAT.suffix for each in (litert, executorch, ncnn, coreml)}
"""By which a build names a format that cannot be converted to."""
VARIANTS = ("fp32", "int8-static", "int8-dynamic")


@dataclass(frozen=True, slots=True)
class Student:
    """What is built.

    Attributes:
        title: for the reader of the page.
        recipe: whose data, teacher and student are taken.
        overrides: ``key=value`` texts that make its training short.
    """

    title: str
    recipe: Path
    overrides: tuple[str, ...] = ()


STUDENTS = {
    "digits": Student(
        "handwritten digits of 8 x 8, a ResNet-8 of width 8 taught by a ResNet-32",
        bundled("digits"),
    ),
    "cifar10": Student(
        "CIFAR-10 as JPEG, a ResNet-8 of width 16 taught by the published ResNet-20 in two epochs",
        _RECIPES / "cifar10.toml",
        (
            "teacher.model=resnet20",
            f"teacher.weights={ROOT.parent}/shared/data/cifar10_resnet20.safetensors",
            *("distill.seeds=1", "distill.views=1", "distill.epochs=2"),
        ),
    ),
    "fsdd": Student(
        "spoken digits as log-mel, a DS-CNN of four blocks taught by a ResNet-8; speakers stand in "
        "both train and test",
        _RECIPES / "fsdd.toml",
        (
            *("data.group=group", 'data.ignore=["speaker", "speakers", "take"]'),
            *("teacher.members=[]", "teacher.epochs=6", "distill.seeds=1", "distill.views=1"),
            *("distill.epochs=20", "distill.batch_size=32", "augment.mixup=0.0"),
            *("augment.shift=0", "augment.time_mask=0", "augment.frequency_mask=0"),
        ),
    ),
    "sst2": Student(
        "sentences of at most 64 tokens, a transformer of two layers taught by another",
        _RECIPES / "sst2.toml",
        (
            *("teacher.members=[]", "student.model=transformer2"),
            *("distill.seeds=1", "distill.views=4", "distill.epochs=8"),
        ),
    ),
}

Figures = dict[str, Any]
"""Of one file: `format`, `variant` and, where they are known, `share` (the largest difference from
PyTorch over the range of the outputs), `agreement` (with the decisions of fp32 in ONNX Runtime, or
of the `.onnx` file of its own variant where `as_onnx`), `score`, `drop`, or `missing`."""


def measured(student: Student, formats: Sequence[str], artifacts: Path = ARTIFACTS) -> Figures:
    """Build a student in these formats, and take what the verify stage found."""
    carried, refused = _carried(student, formats, artifacts)
    made = _stage(student, carried, "variants", artifacts)
    found = _stage(student, carried, "verify", artifacts).record
    files = {variant.format: made.path / variant.file for variant in made.record.variants}
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "title": student.title,
        "kernels": made.record.plan.kernels,
        "samples": found.test_samples,
        "metric": found.metric,
        "files": figures(made.record, found),
        "refused": refused,
        "not_carried": {
            f"{one.variant}{AT}{one.format}": one.reason for one in made.record.not_carried
        },
        "runtimes": {format_: inspect(file).runtime for format_, file in files.items()},
    }


def _stage(student: Student, formats: Sequence[str], until: str, artifacts: Path) -> Any:
    overrides = (
        *student.overrides,
        f"compress.variants={json.dumps(VARIANTS)}",
        f"export.formats={json.dumps(list(formats))}",
    )
    return build(load(student.recipe, overrides), artifacts=artifacts, until=until).stopped


def _carried(
    student: Student, formats: Sequence[str], artifacts: Path
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The formats that can carry a student; of the others, why the build refuses them."""
    carried, refused = tuple(formats), {}
    while True:
        try:
            _stage(student, carried, "variants", artifacts)
        except (ModelError, RecipeError) as error:
            words = {each: (f"'{each}'", f" {_SUFFIXES.get(each)} (") for each in carried[1:]}
            named = [each for each in words if any(word in error.found for word in words[each])]
            if not named:
                raise
            wanted = f", expected {error.expected}" if error.expected else ""
            refused[named[0]] = error.found + wanted
            carried = tuple(each for each in carried if each != named[0])
        else:
            return carried, refused


def figures(variants: VariantsRecord, found: VerifyRecord) -> list[Figures]:
    """Of every file, in the order of the formats."""
    span = _span(found)
    rows: list[Figures] = []
    for variant, quality in zip(variants.variants, found.variants, strict=True):
        row = {
            "format": variant.format,
            "variant": variant.method,
            "agreement": 1 - quality.answers_changed_vs_fp32 / found.test_samples,
            "score": quality.score.value,
            "drop": quality.drop_vs_fp32.value,
        }
        if quality.parity:
            row["share"] = max(each.max_abs_difference for each in quality.parity) / span
        rows.append(row)
        for package in quality.packages:
            beside: Figures = {"format": package.format, "variant": variant.method}
            if package.missing is not None or package.agreement is None:
                rows.append(beside | {"missing": package.missing})
                continue
            beside |= {"agreement": package.agreement, "as_onnx": True}
            if quality.parity and package.max_abs_difference is not None:
                beside["share"] = package.max_abs_difference / span
            rows.append(beside)
    order = list(EXPORTERS)
    rows.sort(key=lambda row: order.index(row["format"]))
    return [{key: _short(value) for key, value in row.items()} for row in rows]


def _span(found: VerifyRecord) -> float:
    """The range of the outputs, of which the tolerance of another runtime is a share."""
    tolerances = [each.tolerance for one in found.variants if AT in one.name for each in one.parity]
    return tolerances[0] / OTHER_RUNTIME


def _short(value: Any) -> Any:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def run(names: Sequence[str]) -> int:
    """Measure students, keep what is whole, and say what missed a mark; 1 where one did."""
    page = _page()
    lacking = {
        toolchain
        for format_ in EXPORTERS
        for toolchain in toolchains_of(format_)
        if toolchains.python_of(toolchain) is None
    }
    formats = [one for one in EXPORTERS if lacking.isdisjoint(toolchains_of(one))]
    for name in sorted(lacking):
        print(f"skipped: formats of {name}, and nothing is kept; run: {toolchains.COMMAND} {name}")
    missed = 0
    for name in names:
        student = STUDENTS[name]
        data = Path(load(student.recipe).data.source.partition(":")[2])
        if not data.exists():
            print(f"skipped: {name}, no {data.name} in ../shared/data")
            continue
        found = measured(student, formats)
        marks = page.marks(name, found)
        for mark in marks:
            print(f"{'met   ' if mark.met else 'MISSED'} {name}: {mark.text}", flush=True)
        missed += sum(not mark.met for mark in marks)
        if not lacking:
            page.keep({name: found})
    return int(missed > 0)


def report(*, check: bool) -> int:
    """Write the page, or only compare it with what is kept; 1 where it is another."""
    page = _page()
    if not check:
        page.PAGE.write_text(page.page(), encoding="utf-8")
        return 0
    if page.is_current():
        return 0
    print("docs/runtimes.md is not current: tests/tools/runtimes.py report", file=sys.stderr)
    return 1


def _page() -> Any:
    sys.path.insert(0, str(ROOT / "tests"))
    from tools import runtimes_page

    return runtimes_page


def main() -> int:
    """Run, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("students", nargs="*", metavar="STUDENT", help=f"of {', '.join(STUDENTS)}")
    parser.add_argument("--check", action="store_true", help="report: compare the page only")
    told = parser.parse_args()
    if told.action == "run":
        return run(told.students or list(STUDENTS))
    return report(check=told.check)


if __name__ == "__main__":
    sys.exit(main())
