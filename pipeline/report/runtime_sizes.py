"""What an app grows by: the runtime's own libraries, beside the model's file.

[table.caption for table in tables(report)]     # ['Size of each runtime']

The bytes are those of the shared libraries that this machine's wheel had in memory with the model.
An app for a phone brings another build of them, whose size stands here only with its source.
"""

from ..records import Report, Variant
from . import numbers, rows
from .numbers import BYTES
from .sections import Cell, Table, row

ON_ANDROID = {
    "litert": (
        382_892,
        "tensorflow-lite.aar for arm64-v8a with the operators of MobileNet alone: "
        "ai.google.dev/edge/litert/build/reduce_binary_size",
    )
}
"""Bytes on Android as the makers of a runtime state them, with what they hold for and where."""


def tables(report: Report) -> list[Table]:
    """The table of sizes; none where no library was seen."""
    smallest: dict[str, Variant] = {}
    for variant in report.variants.variants:
        known = smallest.setdefault(variant.format, variant)
        if variant.bytes < known.bytes:
            smallest[variant.format] = variant
    figures = {model.name: model.figures for model in rows.models(report)}
    lines = []
    for format_, variant in smallest.items():
        found = figures[variant.name]
        if found is None or found.library_bytes is None:
            continue
        bytes_, names = found.library_bytes, found.libraries
        declared = ON_ANDROID.get(format_)
        lines.append(
            row(
                Cell(variant.packages[0].title, found.runtime),
                Cell(numbers.amount(bytes_, BYTES), _listed(names)),
                Cell(numbers.amount(variant.bytes, BYTES), variant.name),
                numbers.amount(bytes_ + variant.bytes, BYTES),
                Cell(numbers.amount(declared[0], BYTES), declared[1])
                if declared
                else "unknown: no figure of its makers",
            )
        )
    if not lines:
        return []
    arch = report.measured.benchmark.host.arch
    return [
        Table(
            "Size of each runtime",
            (
                "Runtime",
                f"Its libraries in the wheel for {arch}",
                "Smallest model file",
                "Both",
                "Its libraries on Android, declared",
            ),
            tuple(lines),
        )
    ]


def _listed(names: tuple[str, ...]) -> str:
    if len(names) <= 2:
        return ", ".join(names)
    return f"{names[0]} and {len(names) - 1} more"
