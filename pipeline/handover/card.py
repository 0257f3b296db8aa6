"""``README.md`` of a bundle: its model card, made of a run's records.

    page(report, manifest, written).splitlines()[0]      # '---'

Figures are the cells of the report's own tables. Every name and sentence is escaped, as there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...exporters.scaled import Scaled
from ..records import TEACHER, Report
from ..report import budget_table, numbers, results, warnings, words
from ..report.markdown import escape, points_text, table_text
from ..report.sections import Table, row
from .front_matter import front_matter
from .manifest import MANIFEST, BundledPackage, Manifest
from .provenance import FILE as BOM
from .snippets import FOLDER, Written

_NAMED = 20
"""Labels that the card lists."""


def page(report: Report, manifest: Manifest, written: Sequence[Written]) -> str:
    """The model card of a bundle as one Markdown document with front matter.

    Args:
        report: of the run.
        manifest: of the bundle.
        written: the programs in it.
    """
    names = list(dict.fromkeys(package.variant for package in manifest.packages))
    blocks = [
        front_matter(report, manifest),
        f"# {escape(report.name)}",
        f"**{escape(words.headline(report))}.** {escape(report.verdict.why)}",
        *_inspection(manifest),
        *_warnings(report),
        "## Model",
        table_text(_model(report, manifest)),
        "## Files",
        table_text(_files(report, manifest)),
        *_beside(report, manifest),
        "## Figures",
        escape(_measured(report)),
        *(table_text(table) for table in _figures(report, names)),
        "## Budgets",
        *_budgets(report, names),
        "## Preprocessing",
        *_preprocessing(report),
        "## Run it",
        *_run(written),
        "## Check it",
        *_check(manifest),
        "## Provenance",
        f"`{BOM}` names the data set, the teachers and the libraries (CycloneDX 1.6). "
        + escape(f"Built {report.created} by edgestill {report.edgestill}."),
    ]
    return "\n\n".join(blocks) + "\n"


def _inspection(manifest: Manifest) -> Iterator[str]:
    if manifest.inspection:
        yield "**For inspection only: what is in this bundle is not READY. Do not ship it.**"


def _warnings(report: Report) -> Iterator[str]:
    if alerts := warnings.first(report):
        yield "**Warnings**"
        yield points_text(alerts)


def _model(report: Report, manifest: Manifest) -> Table:
    student, data = report.variants.student, report.data
    labels = ", ".join(data.labels[:_NAMED]) or "none"
    if (more := len(data.labels) - _NAMED) > 0:
        labels += f" and {more:,} more (labels.txt)"
    return Table(
        "",
        ("What", "This model"),
        (
            row("Task", data.task),
            row(
                "Student",
                f"{student.model}, width {student.sized:,}" if student.sized else student.model,
            ),
            row("Parameters", numbers.count(student.parameters, "a black box")),
            row("Teacher", ", ".join(teacher.model for teacher in report.teachers)),
            row("Data set", data.source),
            row("Input", f"{data.dtype} {list(data.sample_shape)}, layout {data.layout}"),
            row("Labels", labels),
            row("Target", f"{report.variants.plan.target} ({report.variants.plan.device})"),
            row("Licence", manifest.license),
        ),
    )


def _files(report: Report, manifest: Manifest) -> Table:
    """The packages with their verdicts."""
    digests = {
        f"models/{file.name}": (file.bytes, file.sha256)
        for variant in report.variants.variants
        for package in variant.packages
        for file in package.files
    }
    return Table(
        "",
        ("File", "Variant", "For", "Size", "SHA-256", "Verdict"),
        tuple(
            row(
                name,
                package.variant,
                package.title,
                numbers.amount(digests[name][0] or 0, numbers.BYTES),
                digests[name][1] or "not recorded",
                f"{words.WORDS[package.outcome]}: {package.why}"
                if name == package.model
                else f"goes with {package.model}",
            )
            for package in manifest.packages
            for name in (package.model, *package.beside)
        ),
    )


def _beside(report: Report, manifest: Manifest) -> Iterator[str]:
    files = report.data.files
    if files:
        yield escape(f"models/{', models/'.join(files)} belongs to every model.")
    for package in manifest.packages:
        if package.input is not None and package.output is not None:
            yield escape(
                f"{package.model} takes {_numbers(package.input)} and gives "
                f"{_numbers(package.output)}."
            )
    batches = {package.golden.batch for package in manifest.packages if package.golden}
    if batches:
        batch = numbers.how_many(max(batches), "sample")
        yield escape(f"All figures are of queries of {batch}; some formats take no other number.")


def _numbers(port: Scaled) -> str:
    """What an input or output holds, in words."""
    order = "" if port.axes is None else f", axes {port.axes} of a query of samples"
    if port.scale is None:
        return f"{port.dtype} as it is{order}"
    return f"{port.dtype}{order}, where a number is {port.scale!r} * (integer - {port.zero_point})"


def _measured(report: Report) -> str:
    host = report.measured.benchmark.host
    where = "the target" if report.measured.on_target else "a machine that is not the target"
    return (
        f"Answers are over {numbers.how_many(report.quality.test_samples, 'test sample')}. Latency "
        f"and memory were measured on {where}: {host.cpu} ({report.measured.measured_on}), "
        f"{report.measured.benchmark.runtime}. Intervals stand in brackets."
    )


def _figures(report: Report, names: Sequence[str]) -> Iterator[Table]:
    """The report's own table, without the variants that are not here."""
    table = results.all_figures(report)
    kept = [
        place
        for place, name in enumerate(table.head)
        if place == 0 or name in names or name == TEACHER
    ]
    yield replace(
        table,
        head=tuple(table.head[place] for place in kept),
        rows=tuple(tuple(cells[place] for place in kept) for cells in table.rows),
    )


def _budgets(report: Report, names: Sequence[str]) -> Iterator[str]:
    for judged in report.verdict.variants:
        if judged.name in names:
            table = budget_table.of_variant(judged, report.quality)
            yield f"### {escape(table.caption)}"
            yield table_text(table)


def _preprocessing(report: Report) -> Iterator[str]:
    labels = " `labels.txt` has the labels, one a line." if report.data.labels else ""
    yield (
        "`preprocessing.json` says how raw input becomes the model's input and how its output is "
        f"decoded. {_inside(report)}{labels}"
    )


def _inside(report: Report) -> str:
    """What the files compute besides the model's layers."""
    activation = report.variants.activation
    if activation is None:
        return "Normalization is inside the model."
    return (
        f"Normalization and the {activation} are inside the model: it takes values as they are in "
        "the data set, and gives probabilities."
    )


def _run(written: Sequence[Written]) -> Iterator[str]:
    yield (
        "Each of these programs runs a model on the samples in `golden/` and compares the outputs "
        "with the recorded ones. *Tested* means that edgestill's own tests run this program on "
        "other models; *not run* means that it was never compiled or run."
    )
    yield table_text(
        Table(
            "",
            ("Program", "Language", "Models", "State"),
            tuple(
                row(
                    f"{FOLDER}/{one.snippet.file}",
                    one.snippet.language,
                    ", ".join(one.models),
                    "tested" if one.snippet.run else "not run",
                )
                for one in written
            ),
        )
    )
    for one in written:
        if one.snippet.command is not None:
            lines = "\n".join(filter(None, (one.install, one.snippet.command)))
            yield f"```sh\n{lines}\n```"
        if one.snippet.file.endswith(".html"):
            yield (
                f"Then open `localhost:8000` in a browser, and there `{FOLDER}/{one.snippet.file}` "
                "of this folder. The page runs the models in WebAssembly on one thread, so the "
                "server need not set a header."
            )


def _check(manifest: Manifest) -> Iterator[str]:
    yield (
        f"`{MANIFEST}` has the size and SHA-256 of every file. `edgestill verify` with this folder "
        "or zip checks them and runs every model on its golden samples."
    )
    unrun = [package.model for package in manifest.packages if _has_no_golden(package)]
    if unrun:
        yield escape(f"Without golden outputs, as nothing here runs them: {', '.join(unrun)}.")


def _has_no_golden(package: BundledPackage) -> bool:
    return package.golden is None
