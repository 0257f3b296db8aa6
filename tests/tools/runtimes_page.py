"""docs/runtimes.md from the code's own tables and from what `make test-runtimes` kept.

    python tests/tools/runtimes.py report            # write the page
    python tests/tools/runtimes.py report --check    # fail where the page is another

runtimes_results.json keeps the last figures of each student.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from edgestill.devices.onboard.runtimes import RUNTIMES
from edgestill.exporters import (
    EXPORTERS,
    FROM_ONNX,
    ONNX,
    coreml,
    executorch,
    litert,
    ncnn,
    tflite_micro,
    toolchains_of,
)
from edgestill.exporters.from_torch import scheme_of, why_not
from edgestill.exporters.package import Finished, Job
from edgestill.pipeline.handover.snippets import NODE
from edgestill.pipeline.judge.parity import OTHER_RUNTIME
from edgestill.pipeline.recipe.compress import Variant

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "runtimes.md"
RESULTS = Path(__file__).with_name("runtimes_results.json")
CI = ROOT / ".ci" / "run"
LEAST_AGREEMENT = 0.98
"""Share of test that int8 has to decide as fp32 does."""
LARGEST_DROP = 0.003
"""Accuracy that LiteRT's static int8 may lose on CIFAR-10, as a share."""
_FROM_TORCH = {each.FORMAT.name: each.FORMAT for each in (litert, executorch, ncnn, coreml)}
_FP32 = "fp32"

Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that was wanted of a student's files.

    Attributes:
        text: the worst of the figures, and what was wanted.
        met: whether it was found.
    """

    text: str
    met: bool


def kept() -> dict[str, dict[str, Any]]:
    """The last figures of each student, by its name."""
    found: dict[str, dict[str, Any]] = {}
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else found


def keep(students: Results) -> None:
    """Replace the figures of these students."""
    known = kept() | dict(students)
    text = json.dumps({name: known[name] for name in sorted(known)}, indent=1)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def is_current() -> bool:
    """Whether the page is what the tables and the figures give."""
    return PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()


def marks(name: str, student: Mapping[str, Any]) -> list[Mark]:
    """What was wanted of a student, by its worst file."""
    files = student["files"]
    apart = max((each for each in files if "share" in each), key=lambda each: each["share"])
    found = [
        Mark(
            f"fp32 differs from PyTorch by at most {apart['share']:.1g} of the range of the "
            f"outputs ({_called(apart)}; wanted at most {OTHER_RUNTIME:g})",
            apart["share"] <= OTHER_RUNTIME,
        )
    ]
    int8 = [each for each in files if each["variant"].startswith("int8") and "agreement" in each]
    if int8:
        least = min(int8, key=lambda each: each["agreement"])
        found.append(
            Mark(
                f"int8 decides at least {_percent(least['agreement'])} of test as fp32 does "
                f"({_called(least)}; wanted at least {LEAST_AGREEMENT:.0%})".replace("%)", " %)"),
                least["agreement"] >= LEAST_AGREEMENT,
            )
        )
    static = [one for one in files if (one["format"], one["variant"]) == ("litert", "int8-static")]
    found += [
        Mark(
            f"static int8 in LiteRT loses {_points(each['drop'])} points of accuracy "
            f"(wanted at most {_points(LARGEST_DROP)})",
            each["drop"] <= LARGEST_DROP,
        )
        for each in static
        if name == "cifar10"
    ]
    return found


def reason_against(format_: str, variant: str) -> str | None:
    """Why a format does not carry a variant, by the code's own tables; None where it does."""
    given: dict[str, Any] = {}
    if variant in (_FP32, "pruned"):
        given = {"module": object()}
    elif variant == "int8-qat":
        given = {"floats": object()}
    model = Finished(variant, Path(f"{variant}.onnx"), **given)
    if format_ in FROM_ONNX:
        return None
    if format_ in _FROM_TORCH:
        known = _FROM_TORCH[format_]
        job = Job(Path(), (Finished(_FP32, Path("fp32.onnx"), module=object()), model))
        return None if scheme_of(model, job, known) else why_not(model, known)
    return None if tflite_micro.is_static(model) else tflite_micro.why_not(model)


def in_ci(format_: str) -> bool:
    """Whether CI has all that a format needs."""
    (names,) = re.findall(r"for toolchain in (.+?);", CI.read_text(encoding="utf-8"))
    return set(toolchains_of(format_)) <= set(names.split())


def page() -> str:
    """The page as Markdown: what each format carries, what runs it, and the last figures."""
    results = kept()
    lines = [
        "# One student in every runtime",
        "",
        "`make test-runtimes` builds four students with a short training, exports each to every "
        "format, runs every file in its own runtime on all of test, and holds marks. "
        "The figures are those of the build's own verify stage (`edgestill build --until verify`); "
        "times are not among them.",
        "",
        "## What each format carries",
        "",
        *_carried(),
        "",
        "## What runs each format",
        "",
        *_runtimes(results),
        "",
        "## Figures",
        "",
        *_explained(results),
    ]
    for name, student in results.items():
        lines += ["", *_student(name, student)]
    return "\n".join(lines) + "\n"


def _carried() -> Iterator[str]:
    variants = get_args(Variant)
    yield f"| format | {' | '.join(f'`{each}`' for each in variants)} |"
    yield f"|---|{'---|' * len(variants)}"
    reasons: dict[str, dict[str, list[str]]] = {}
    for format_ in EXPORTERS:
        cells = []
        for variant in variants:
            reason = reason_against(format_, variant)
            cells.append("" if reason else "yes")
            if reason:
                why = reasons.setdefault(format_, {})
                why.setdefault(_of_any(reason, variant), []).append(variant)
        yield f"| `{format_}` | {' | '.join(cells)} |"
    yield ""
    yield (
        "`openvino` is converted from the `.onnx` file and refuses what it cannot read; the "
        "converter of any format may refuse a model, and the report then has its words. "
        "Texts have a fixed length in all formats but `onnx`, `ort` and `openvino`. Images of "
        "bytes are given to `ncnn` and `coreml` as float32, the same numbers. `int8-qat` in "
        "`litert`, `tflite-micro` and `executorch` has the weights that were trained with "
        "rounding, rounded again; `litert` and `tflite-micro` also have the learned ranges of the "
        "activations that their files have, `executorch` has those of the calibration samples. "
        "Why not:"
    )
    yield ""
    for format_, whys in reasons.items():
        for why, those in whys.items():
            yield f"- `{format_}`, {' and '.join(those)}: {why}."


def _of_any(reason: str, variant: str) -> str:
    """A reason without the names that its row of the list has."""
    return reason.partition(f"has no {variant}: ")[2] or reason.removesuffix(f", and no {variant}")


def _runtimes(results: Results) -> Iterator[str]:
    versions = {
        format_: text
        for student in results.values()
        for format_, text in student["runtimes"].items()
    }
    yield "| format | run by | toolchains | run in CI | run by `make test-runtimes` |"
    yield "|---|---|---|---|---|"
    for format_ in EXPORTERS:
        needs = ", ".join(f"`{each}`" for each in toolchains_of(format_)) or "none"
        by = versions.get(format_) or versions.get(ONNX if format_ == "ort" else format_)
        run = "yes" if format_ in FROM_ONNX or format_ in RUNTIMES else "converted, not run"
        ci = run if in_ci(format_) else "no"
        yield f"| `{format_}` | {by or 'nothing here'} | {needs} | {ci} | {run} |"
    yield f"| `onnx`, from a bundle's JavaScript | {NODE.replace('@', ' ')} | none | yes | no |"


def _explained(results: Results) -> Iterator[str]:
    yield (
        "`difference` is the largest one from PyTorch over the range of PyTorch's outputs, on "
        "samples that are drawn from test; of `ort` it is that from the `.onnx` file, on all of "
        "test. `as fp32` is the share of test that is decided as the fp32 file in ONNX Runtime "
        "decides; of `ort`, as the `.onnx` file of its own variant. `drop` is the score lost to "
        "that fp32 file, in points; a negative one was gained."
    )
    kernels = sorted({student["kernels"] for student in results.values()})
    if kernels:
        yield f"int8 ran on {' and '.join(kernels)} kernels."
    yield ""
    yield "| mark | student | |"
    yield "|---|---|---|"
    for name, student in results.items():
        for mark in marks(name, student):
            yield f"| {mark.text} | {name} | {'met' if mark.met else '**missed**'} |"


def _student(name: str, student: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield (
        f"{student['title'][0].upper()}{student['title'][1:]}; {student['samples']:,} samples of "
        f"test; {student['day']}."
    )
    yield ""
    yield f"| format | variant | difference | as fp32 | {student['metric']} | drop |"
    yield "|---|---|---|---|---|---|"
    for each in student["files"]:
        yield _row(each)
    measured = {each["format"] for each in student["files"]} | student["refused"].keys()
    if others := [f"`{each}`" for each in EXPORTERS if each not in measured]:
        yield ""
        yield f"Not measured: {', '.join(others)}."
    reasons = [f"`{key}`: {text}" for key, text in student["refused"].items()]
    told = student["not_carried"].items()
    # What the tables say already stands above.
    reasons += [f"`{key}`: {text}" for key, text in told if not _in_the_tables(key)]
    if reasons:
        yield ""
        yield "Not carried, in the words of the build:"
        yield ""
        for text in reasons:
            yield f"- {text}."


def _in_the_tables(key: str) -> bool:
    variant, _, format_ = key.partition("@")
    return reason_against(format_, variant) is not None


def _row(each: Mapping[str, Any]) -> str:
    called = f"| `{each['format']}` | `{each['variant']}`"
    if "missing" in each:
        return f"{called} | converted, not run: {each['missing']} | | | |"
    share = f"{each['share']:.1e}" if "share" in each else ""
    score = _percent(each["score"]) if "score" in each else ""
    drop = _points(each["drop"]) if "drop" in each else ""
    return f"{called} | {share} | {_percent(each['agreement'])} | {score} | {drop} |"


def _called(each: Mapping[str, Any]) -> str:
    return f"{each['variant']} in {each['format']}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _points(share: float) -> str:
    return f"{100 * share:.2f}"
