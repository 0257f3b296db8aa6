"""How the figures came about: settings, methods, host, data, training, files, versions.

sections(report)[-1].title   # 'Reproduce'
"""

import json
from collections.abc import Iterator
from pathlib import Path

from ...devices.onboard.stats.estimate import Estimate
from .. import tasks
from ..recipe.model_names import is_factory
from ..records import SPLITS, DataRecord, ModelRecord, Report, TargetsRecord, Variant
from . import commands, groups, memory, numbers, rows, words
from .numbers import BYTES, MILLISECONDS
from .sections import Cell, Section, Table, pairs, row


def sections(report: Report, run: Path | None = None) -> tuple[Section, ...]:
    """The sections, from the measurement back to the data."""
    return (
        _measurement(report),
        _host(report),
        _data(report),
        _training(report),
        _files(report),
        _libraries(report),
        _reproduce(run),
    )


def _measurement(report: Report) -> Section:
    return Section(
        "How it was measured",
        tables=(
            pairs("Latency settings", ("Setting", "Value"), words.settings(report)),
            pairs("Method of each figure", ("Figure", "Method"), _methods(report)),
            Table(
                "Timed queries of each model",
                ("Model", "Timed queries", "Outliers among them", "Processes that settled"),
                tuple(
                    row(
                        model.name,
                        f"{model.queries:,}",
                        numbers.count(model.outliers),
                        f"{model.settled_processes:,} of {report.measured.benchmark.processes:,}",
                    )
                    for model in report.measured.benchmark.models
                ),
            ),
        ),
    )


def _methods(report: Report) -> Iterator[tuple[str, str]]:
    """Each figure with the method its estimates name; more than one where the models differ."""
    estimates_of: dict[str, list[Estimate]] = {}
    metric = report.quality.metric
    for model in rows.models(report):
        for name, estimate in (
            (numbers.capital(metric), model.score),
            (
                f"{numbers.capital(metric)} lost to the teacher",
                model.drop if report.teachers else None,
            ),
            ("Latency p50", model.p50_ms),
            ("Latency p90", model.p90_ms),
            ("Latency p99", model.p99_ms),
            *((name, of(model)) for name, of in rows.EARLY_STOPPING.items()),
            ("Time to load", model.load_ms),
            ("First inference", model.first_ms),
            ("Peak memory", model.memory_bytes),
            ("Energy proxy", model.energy_uj),
        ):
            if estimate:
                estimates_of.setdefault(name, []).append(estimate)
    for name, views in memory.lines(report.measured.benchmark.models):
        estimates_of[name] = list(views)
    for pair in report.measured.benchmark.ratios:
        estimates_of.setdefault("Ratios of latency", []).append(pair.p50)
    for name, estimates in estimates_of.items():
        methods = dict.fromkeys(figure.method for figure in estimates if figure.method)
        yield name, "; ".join(methods) or "none was recorded"


def _host(report: Report) -> Section:
    host = report.measured.benchmark.host
    cores = (
        f"{numbers.count(host.physical_cores, 'not reported by the kernel')} physical, "
        f"{host.logical_cores:,} logical, {host.available_cores:,} available to the measurement"
    )
    return Section(
        "Host",
        paragraphs=("Latency, memory and energy hold for this machine and no other.",),
        tables=(
            pairs(
                "The machine that measured",
                ("Property", "Value"),
                (
                    ("Measured", report.measured.benchmark.measured),
                    ("CPU", host.cpu),
                    ("Architecture", host.arch),
                    ("Cores", cores),
                    ("CPU quota", f"{host.cpu_quota:g} cores" if host.cpu_quota else "none"),
                    ("Instruction sets", ", ".join(host.features) or "none of those that matter"),
                    (
                        "Memory",
                        numbers.amount(host.memory_bytes, BYTES)
                        if host.memory_bytes
                        else "unknown: not reported by the kernel",
                    ),
                    ("Operating system", f"{host.os}, kernel {host.kernel}"),
                    ("Frequency governor", host.governor or "unknown: no frequency control"),
                    ("Virtualised by", host.virtualised or "no sign of a virtual machine"),
                ),
            ),
        ),
    )


def _data(report: Report) -> Section:
    data = report.data
    counts = tuple(
        row(label, *(f"{data.counts[split][index]:,}" for split in SPLITS))
        for index, label in enumerate(data.labels)
        if data.counts
    )
    noun = (tasks.of(data.task).recall_noun or ("class", "classes"))[0]
    total = row("all", *(f"{data.samples(split):,}" for split in SPLITS))
    bare = row("without a label", f"{data.unlabelled:,}", *("0" for _ in SPLITS[1:]))
    return Section(
        "Data",
        points=(*data.warnings, *data.notes),
        tables=(
            pairs(
                "The data set",
                ("Property", "Value"),
                (
                    ("Source", data.source),
                    ("Task", _task(data)),
                    ("Sample", f"{_shape(data.sample_shape)} {data.dtype}, layout {data.layout}"),
                    *_form(data),
                    ("Dropped because they were in two splits", f"{data.dropped:,}"),
                    ("Fingerprint", data.fingerprint),
                ),
            ),
            Table(
                f"Samples of each {noun}" if data.counts else "Samples",
                (numbers.capital(noun), *SPLITS),
                (*counts, total, *([bare] if data.unlabelled else [])),
            ),
            *groups.of_splits(data),
        ),
    )


def _form(data: DataRecord) -> Iterator[tuple[str, str]]:
    """The preprocessing of raw input, where there is any."""
    if data.vocabulary:
        yield "Token ids in use", f"{data.vocabulary:,}"
    if data.front_end is not None:
        yield "Front end", json.dumps(data.front_end, ensure_ascii=False)
    if data.files:
        yield "Files that ship with the model", ", ".join(data.files)


def _task(data: DataRecord) -> str:
    noun = tasks.of(data.task).output_noun
    if data.units:
        named = zip(data.labels, data.units, strict=True)
        return f"{data.task} of {', '.join(f'{name} ({unit})' for name, unit in named)}"
    return f"{data.task}, {numbers.how_many(data.classes, *noun)}" if noun else data.task


def _training(report: Report) -> Section:
    models = (
        *zip(_teachers(report), report.teachers, strict=True),
        *((words.role(report), student) for student in report.students),
        *(("student without teacher", student) for student in report.plain_students),
        *((words.ON_LABELLED, student) for student in report.labelled_students),
        *(("student from random weights", student) for student in scratch(report)),
    )
    metric = report.quality.metric
    return Section(
        "Training",
        paragraphs=(_taught(report.targets, metric) if report.targets else words.NO_TEACHER,),
        points=tuple(dict.fromkeys(note for _, model in models for note in model.notes)),
        tables=(
            Table(
                "Trained models",
                (
                    "Role",
                    "Model",
                    "Width",
                    "Parameters",
                    "Seed",
                    "Epochs",
                    "Best epoch",
                    "On validation",
                    "Time",
                ),
                tuple(
                    row(
                        role,
                        model.model,
                        f"{model.sized:,}" if model.sized else _no_width(model),
                        numbers.count(model.parameters, "a black box"),
                        str(model.seed),
                        _epochs(model),
                        _best(model),
                        _validation(model, metric),
                        _time(model),
                    )
                    for role, model in models
                ),
            ),
        ),
    )


def _no_width(model: ModelRecord) -> str:
    return "none" if is_factory(model.model) else "unknown"


def scratch(report: Report) -> tuple[ModelRecord, ...]:
    """The students from random weights that adapted ones are compared with."""
    return report.adaptation.scratch if report.adaptation else ()


def _teachers(report: Report) -> list[str]:
    """The label of each teacher; of several, with its weight in the ensemble."""
    shares = words.shares(report)
    if not shares:
        return ["teacher"] * len(report.teachers)
    return [f"teacher, weight {numbers.amount(share, numbers.PERCENT)}" for share in shares]


def _taught(targets: TargetsRecord, metric: str) -> str:
    """How the soft targets were computed."""
    samples = numbers.how_many(targets.rows, "training sample")
    if targets.train_score is None:
        return f"The teacher answered at every training step, on {samples}."
    views = numbers.how_many(targets.views, "view")
    size = numbers.amount(targets.bytes, BYTES)
    score = numbers.amount(targets.train_score, numbers.score_unit(metric))
    kept = ""
    if targets.kept < targets.outputs:
        kept = f", the {targets.kept:,} most likely of {targets.outputs:,} classes"
    return (
        f"Soft targets: the teacher's logits on {views} of each of {samples}{kept}, {size} in all. "
        f"Its {metric} on the first view is {score}."
    )


def _epochs(model: ModelRecord) -> str:
    return f"{len(model.curve):,}" if model.curve else words.ORIGINS[model.origin]


def _validation(model: ModelRecord, metric: str) -> Cell:
    """The metric that chose the best epoch; of a model that was not trained here, the score."""
    name = model.selected_by or metric
    return Cell(numbers.amount(model.validation_score, numbers.score_unit(name)), name)


def _best(model: ModelRecord) -> str:
    return "not trained here" if model.best_epoch is None else f"{model.best_epoch:,}"


def _time(model: ModelRecord) -> str:
    seconds = sum(epoch.seconds for epoch in model.curve)
    return numbers.amount(seconds * 1e3, MILLISECONDS) if model.curve else "not trained here"


def _files(report: Report) -> Section:
    files = report.variants.files
    notes = tuple(f"{file.name}: {note}" for file in files for note in file.notes)
    return Section(
        "Files",
        paragraphs=(
            "Changed nodes are those whose type differs from fp32: quantized operators, "
            "quantize/dequantize pairs.",
            *dict.fromkeys(
                package.about for file in files for package in file.packages if package.about
            ),
        ),
        points=notes,
        tables=(
            Table(
                "Model files",
                ("Model", "File", "Size", "SHA-256", "Changed nodes"),
                tuple(row(*cells) for file in files for cells in _packages(file)),
            ),
        ),
    )


def _packages(variant: Variant) -> Iterator[tuple[str, ...]]:
    """A row a format: its file, and how many nodes are not those of fp32."""
    for number, package in enumerate(variant.packages):
        yield (
            variant.name,
            package.model.name,
            numbers.amount(package.model.bytes or 0, BYTES),
            package.model.sha256 or "not recorded",
            "as above" if number else f"{variant.changed_nodes:,}",
        )


def _libraries(report: Report) -> Section:
    versions = [("edgestill", report.edgestill), *sorted(report.libraries.items())]
    if report.commit is not None:
        changed = " and changes that are not committed" if report.commit.changed else ""
        versions.append(("git commit of the recipe's folder", f"{report.commit.sha}{changed}"))
    return Section("Versions", tables=(pairs("Libraries", ("Library", "Version"), versions),))


def _reproduce(run: Path | None) -> Section:
    shown = commands.on_page(commands.build(), run)
    return Section(
        "Reproduce",
        paragraphs=(
            "The recipe below (recipe.toml in the run's folder) holds every setting of this build. "
            "The same recipe, thread count, library versions and CPU kernels give the same "
            "weights. Latencies vary from run to run.",
            *([shown.where] if shown.where else []),
        ),
        commands=(shown.command,),
    )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape) or "scalar"
