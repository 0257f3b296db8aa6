"""``edgestill bench --operators`` on a terminal."""

import operators_example
from edgestill.pipeline.commands.bench_operators import summary
from edgestill.pipeline.finished.profiled import Profiled
from rich.console import Console


def printed(**changes):
    """The tables of a model whose operators have long names and types."""
    made = operators_example.residual()
    operators = tuple(
        one.model_copy(update={"name": f"/features/features.{at}/block/conv/Conv_quant", **changes})
        for at, one in enumerate(made.operators)
    )
    console = Console(width=80)
    with console.capture() as captured:
        console.print(summary(Profiled((made.model_copy(update={"operators": operators}),), ())))
    return captured.get()


def test_no_figure_and_no_operator_type_is_cut_or_broken_in_80_columns():
    kernel = "QLinearGlobalAveragePool"
    text = printed(op=kernel, us=12345.6, share=0.09, macs=123_456_789, bytes=123_456)
    assert "…" not in text
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert text.count("12345.6") == text.count(" 123M ") == 11
    assert text.count(f"{kernel} ") == 12, "a row an operator, and one of the type"


def test_a_long_name_is_broken_behind_a_mark():
    lines = printed(op="QLinearGlobalAveragePool").splitlines()
    firsts = {line.split()[0] for line in lines if line.startswith("/features/")}
    assert firsts
    assert all(one[-1] in "/._" for one in firsts)
