"""What ``edgestill export`` prints: a line a file and an output."""

from rich.console import Group, RenderableType
from rich.text import Text

from ..finished.export_check import Checked, CheckedOutput
from ..finished.exported import Exported, Made
from ..report import numbers
from ..report.output_rows import MOST_SHOWN


def summary(exported: Exported) -> RenderableType:
    """A line a file and a line an output, then what could not be made or run."""
    lines: list[Text] = []
    for one in exported.made:
        lines += _lines(one)
    compared = next((one.checked for one in exported.made if one.checked is not None), None)
    if compared is not None:
        about = f"compared with {numbers.printable(exported.source.onnx.name)} on "
        lines.append(Text(f"{about}{compared.queries} {exported.source.queried}", style="dim"))
    return Group(*lines)


def _lines(made: Made) -> list[Text]:
    if not made.files:
        return [Text(f"{made.format}: not exported: {made.reason}", style="yellow")]
    file, size = numbers.printable(str(made.files[0])), numbers.amount(made.bytes, numbers.BYTES)
    checked = made.checked
    if checked is None:
        return [Text(f"{file}: {size}; {made.reason}")]
    told = "the same answers" if checked.holds else "OTHER ANSWERS than the .onnx file"
    lines = [f"{file}: {size}, in {checked.runtime}: {told}"]
    if checked.missing is not None:
        lines.append(f"  the answers cannot be compared: {checked.missing}")
    lines += [f"  {_told(output, checked)}" for output in checked.outputs[:MOST_SHOWN]]
    if (hidden := len(checked.outputs) - MOST_SHOWN) > 0:
        lines.append(f"  and {numbers.how_many(hidden, 'more output')}")
    style = "" if checked.holds else "bold red"
    return [Text(line, style=style) for line in lines]


def _told(output: CheckedOutput, checked: Checked) -> str:
    """How far one output is apart, and what is allowed."""
    loss = output.loss
    name = numbers.printable(loss.name)
    if loss.missing is not None:
        return f"{name}: not compared: {loss.missing}"
    parts = []
    if output.agreement is not None:
        parts.append(f"{100 * output.agreement:.1f} % of {loss.rows:,} agree")
    if loss.max_abs_difference is not None and output.tolerance is not None:
        allowed = f"{output.tolerance:.2g} allowed"
        if checked.reduced and output.agreement is not None:
            allowed += f", or {checked.least:.0%} that agree"
        parts.append(f"at most {loss.max_abs_difference:.2g} apart ({allowed})")
    if loss.destroyed is not None:
        parts.append(loss.destroyed)
    return f"{name}: {', '.join(parts)}"
