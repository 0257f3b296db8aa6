"""The verdict for the page of a build server's job: Markdown, as GitHub's step summary takes it.

    page(report, found)     # '## digits: READY: int8-static ships …'

It is short: the verdict, each budget of what ships or is nearest, and what a baseline says.
"""

from pathlib import Path

from ..judge.against import Against
from ..printable import how_many
from ..records import Report
from . import first_screen, regression, words
from .markdown import escape, next_command, points_text, table_text
from .sections import MARKS, Cell, Table, row


def page(report: Report, found: Against | None = None, *, run: Path | None = None) -> str:
    """The document.

    Args:
        report: of the run.
        found: what a baseline says; None: none was given.
        run: folder of the run, for the command to try next; None: not known.
    """
    screen = first_screen.of(report)
    blocks = [
        f"## {MARKS[report.verdict.outcome]} {escape(report.name)}: "
        f"{escape(words.WORDS[report.verdict.outcome])}: {escape(screen.lead)}",
        escape(report.verdict.why),
        escape(f"{screen.file}. {screen.machine}."),
    ]
    if screen.budgets:
        blocks.append(table_text(_budgets(screen)))
    if screen.more_budgets:
        blocks.append(f"In the report: {how_many(screen.more_budgets, 'more budget')}.")
    if report.verdict.ship is None:
        blocks.append(points_text(screen.changes))
    if screen.command:
        blocks += next_command(screen.command, run)
    if found is not None:
        said = regression.section(found, report)
        blocks += [f"### {escape(said.title)}", *map(escape, said.paragraphs)]
        for table in said.tables:
            blocks += [f"**{escape(table.caption)}**", table_text(table)]
        blocks.append(points_text(said.points))
    return "\n\n".join(blocks) + "\n\n"


def _budgets(screen: first_screen.FirstScreen) -> Table:
    lines = [
        row(
            budget.name,
            budget.limit,
            Cell(budget.value, budget.interval),
            budget.kind,
            Cell(words.ON_BUDGET[budget.outcome], outcome=budget.outcome, judged=True),
        )
        for budget in screen.budgets
    ]
    return Table("Budgets", ("Budget", "Limit", "Found", "From", "Outcome"), tuple(lines))
