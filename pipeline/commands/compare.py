"""What ``edgestill compare`` prints: the ratio in a sentence."""

from rich.console import Group, RenderableType
from rich.text import Text

from ...devices.bench import ratio_text
from ..finished.compare import CONFIDENCE, Compared
from ..report import numbers

_STYLES = {"ready": "bold green", "not ready": "bold red", "undecided": "bold yellow"}


def summary(compared: Compared, *, verbose: bool) -> RenderableType:
    """Both models, the sentence, the budget's verdict, and of what disturbed how much.

    Args:
        compared: the models.
        verbose: whether each warning is printed, and how it was measured.
    """
    s, measured = compared.measured.settings, compared.measured
    both = zip("AB", (compared.a, compared.b), measured.models, strict=True)
    lines = [
        Text(
            f"{name}: {numbers.printable(file)}, p50 {numbers.show(m.p50_ms, numbers.MILLISECONDS)}"
        )
        for name, file, m in both
    ]
    lines.append(Text(compared.sentence, style="bold"))
    if compared.outcome is not None:
        kept = Text(f"at most {compared.max_ratio:g}: ")
        lines.append(kept.append(str(compared.kept), _STYLES[compared.outcome]))
    lines += map(Text, compared.answers.lines())
    if not verbose:
        lines += [_caution(text) for text in compared.answers.cautions()]
        count = len(measured.warnings)
        warned = f"{numbers.how_many(count, 'warning')}, " if count else ""
        lines.append(Text(f"details: {warned}how it was measured: --verbose", "dim"))
        return Group(*lines)
    p50 = ratio_text.stated(compared.p50, "p50", "A")
    lines.append(Text(f"latency is the p10 of each process; the p50 of B is {p50}"))
    lines.append(
        Text(
            f"median of {measured.processes} pairs of fresh processes in turn, interval at "
            f"{100 * CONFIDENCE:g} % over {numbers.how_many(measured.looks, 'look')}; "
            f"{numbers.how_many(s.session.threads, 'thread')}, batch {s.feed.batch}, "
            f"{measured.runtime}",
            style="dim",
        )
    )
    lines += map(_caution, (*compared.answers.cautions(), *measured.warnings))
    return Group(*lines)


def _caution(text: str) -> Text:
    return Text(f"warning: {text}", style="yellow")
