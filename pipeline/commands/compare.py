"""What ``edgestill compare`` prints: the ratio in a sentence."""

from rich.console import Group, RenderableType
from rich.text import Text

from ...devices.bench import ratio_text
from ..finished.compare import CONFIDENCE, Compared
from ..report import numbers


def summary(compared: Compared) -> RenderableType:
    """Both models, the sentence, the budget's verdict and what disturbed."""
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
        lines.append(Text(f"at most {compared.max_ratio:g}: {compared.kept}"))
    lines += map(Text, compared.answers.lines())
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
    cautions = (*compared.answers.cautions(), *measured.warnings)
    lines += [Text(f"warning: {text}", style="yellow") for text in cautions]
    return Group(*lines)
