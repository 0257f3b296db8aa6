"""report.md: the whole report as GitHub-flavoured Markdown.

    page(report).splitlines()[0]   # '# digits: READY: int8-static ships'

Every name and sentence is escaped: a label cannot end a table, start a link or bring in HTML.
"""

import re
from pathlib import Path

from ..recipe.files import toml
from ..records import Report
from . import (
    adaptation,
    budgeted,
    commands,
    distillation,
    first_screen,
    numbers,
    operators,
    provenance,
    results,
    rows,
    runtimes,
    warnings,
    words,
)
from .sections import Section, Table

_ESCAPES = {c: f"\\{c}" for c in "\\`*_[]|#~!{}"} | {c: f"&#{ord(c)};" for c in "&<>@$"}
# A bare ampersand is only that; one that would begin an entity is escaped. So is an at sign that
# a name follows, which would notify its owner; "Processor @ 2.80GHz" stays as it is read.
_SPECIAL = re.compile(
    "[" + re.escape("".join(_ESCAPES.keys() - set("&@"))) + r"]|&(?=#?\w+;)|@(?=\w)"
)


def page(report: Report, run: Path | None = None) -> str:
    """The report as one Markdown document.

    Args:
        report: what to show.
        run: folder of the run, for the command to try next; None: not known.
    """
    sections = results.sections(report) + provenance.sections(report, run)
    blocks = [*_top(report, run), *(block for section in sections for block in _section(section))]
    blocks.append(fenced(toml(report.recipe), "toml"))
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it stands, on one line."""
    text = _SPECIAL.sub(lambda match: _ESCAPES[match[0]], numbers.printable(text))
    # GitHub makes links of bare addresses; an entity in the scheme is shown, and links nothing.
    text = text.replace("://", "&#58;//")
    text = re.sub(r"(?i)\b(www)\.", r"\1&#46;", text)
    # At the start of a line these would begin a list or underline a heading.
    text = re.sub(r"^(\s*)([-+=])", r"\1\\\2", text)
    return re.sub(r"^(\s*\d{1,9})([.)])(?=\s|$)", r"\1\\\2", text)


def _top(report: Report, run: Path | None) -> list[str]:
    title = f"# {escape(report.name)}: {escape(words.headline(report))}"
    screen = first_screen.of(report)
    lines = [title]
    if report.verdict.ship is None:
        lines.append(f"**{escape(numbers.capital(screen.lead))}.**")
    lines += [escape(report.verdict.why), escape(f"{screen.file}. {screen.machine}.")]
    lines += [escape(screen.search)] if screen.search else []
    if alerts := warnings.first(report):
        lines += ["**Warnings**", points_text(alerts)]
    if files := words.shipped_files(report):
        lines.append(escape(files))
    subject = rows.subject(report)
    if subject:
        lead = _lead(report) if subject.ships else "Nearest to the budgets"
        points = [str(comparison) for comparison in words.against_teacher(report, subject.name)]
        metric = report.quality.metric
        points.append(f"{metric}: {numbers.show(subject.score, numbers.score_unit(metric))}")
        if subject.drop and report.teachers:
            points.append(f"{metric} lost: {numbers.show(subject.drop, numbers.lost_unit(metric))}")
        points += [
            f"{line.name}: {numbers.show(figure, line.unit)}"
            for line in budgeted.lines(report)
            if (figure := line.figures[subject.name]) is not None
        ]
        points += [*filter(None, [runtimes.fastest(report)])]
        points += [*words.first_against_fp32(report), *operators.predicted_lines(report)]
        points += filter(None, [words.gain(report), distillation.by_unlabelled(report)])
        if report.adaptation is not None:
            points.append(adaptation.sentence(report.adaptation, report))
        lines += [f"{lead}, {escape(subject.name)}:", points_text(points)]
    if screen.changes:
        lines += ["**What would change this verdict**", points_text(screen.changes)]
    if screen.command:
        lines += next_command(screen.command, run)
    if disturbed := warnings.of_measurement(report):
        lines += ["**Warnings about the measurement**", points_text(disturbed)]
    lines.append(escape(f"Built {report.created} by edgestill {report.edgestill}."))
    return lines


def next_command(command: str, run: Path | None) -> list[str]:
    """What to try next, after where it works."""
    shown = commands.on_page(command, run)
    return [*([escape(shown.where)] if shown.where else []), fenced(shown.command, "sh")]


def _lead(report: Report) -> str:
    return "Against the teacher" if report.teachers else "What ships"


def _section(section: Section) -> list[str]:
    blocks = [
        f"## {escape(section.title)}",
        *(escape(paragraph) for paragraph in section.paragraphs),
    ]
    if section.points:
        blocks.append(points_text(section.points))
    for table in section.tables:
        blocks += [f"### {escape(table.caption)}", table_text(table)]
    for more in section.more:
        blocks += [escape(text) for text in more.paragraphs]
        for table in more.tables:
            blocks += [f"### {escape(table.caption)}", table_text(table)]
    blocks += [fenced(command, "sh") for command in section.commands]
    return blocks


def table_text(table: Table) -> str:
    """A table in Markdown, without its caption."""
    if not table.rows:
        return "None."
    lines = [_line([escape(cell) for cell in table.head]), _line(["---"] * len(table.head))]
    lines += [_line([escape(str(cell)) for cell in row]) for row in table.rows]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def points_text(points: list[str] | tuple[str, ...]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {escape(point)}" for point in points)


def fenced(text: str, language: str) -> str:
    """Code in Markdown, whatever it holds."""
    # A fence one longer than any run of backticks inside cannot be closed from inside.
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
