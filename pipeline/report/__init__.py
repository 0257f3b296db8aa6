"""The pages of a run, drawn from its saved records: nothing is measured here.

    write(report, run)                       # report.json, report.md, report.html, junit.xml
    console.print(terminal.table(report))    # the same verdict on a terminal

``words`` says what the figures mean, once, in plain text; the markdown, html, junit and terminal
modules each escape it for their own format. What a user or a model named is data in all of them.
"""

from pathlib import Path

from ..records import Report

__all__ = ["whole", "write"]


def whole(report: Report) -> Report:
    """The report as ``report.json`` and ``--json`` have it: with all runtimes and the next step."""
    from . import next_step, runtimes

    made = {"runtimes": runtimes.as_json(report), "next_step": next_step.of(report)}
    return report.model_copy(update=made)


def write(
    report: Report, run: Path, earlier: Report | None = None, *, place: Path | None = None
) -> None:
    """Write report.json, report.md, report.html and junit.xml into a run's folder, each atomically.

    Args:
        report: what the pages say.
        run: the run's folder; raw latencies and changed samples are looked for in its ``records``.
        earlier: of the run of this name before it, with which the page compares it.
        place: where the run will lie, for the commands on its pages; None: where it is.

    Raises:
        OSError: the folder cannot be written.
    """
    # The pages need jinja, a table on a terminal does not.
    from ..engine.store import write_atomic
    from . import html, junit, markdown

    place = (run if place is None else place).resolve()
    text = whole(report).model_dump_json(indent=2)
    write_atomic(run / "report.json", text.encode() + b"\n")
    write_atomic(run / "report.md", markdown.page(report, place).encode())
    write_atomic(run / "junit.xml", junit.document(report, run=place))
    page = html.page(report, run / "records", earlier, place)
    write_atomic(run / "report.html", page.encode())
