"""How a run's verdict is shown; its exit code becomes the command's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import stdout
from .shared import Invocation, print_json, print_result

if TYPE_CHECKING:
    from ..engine.stage import Made
    from ..records import Report


def conclude_stage(invocation: Invocation, made: "Made[Any]") -> None:
    """Print the output of the stage that a build stopped after.

    After ``verify`` the faults of its variants are printed too, and where every variant has one the
    exit code is that of NOT READY: no budget could make it ready.
    """
    from ..judge.faults import by_variant
    from ..judge.gate import EXIT_CODES
    from ..records import VerifyRecord

    record, wrong = made.record, {}
    if isinstance(record, VerifyRecord):
        wrong = by_variant(record)
        if len(wrong) == len(record.variants):
            invocation.code = EXIT_CODES["not ready"]
    document = {
        "stage": made.stage.name,
        "key": made.key,
        "path": str(made.path),
        "record": record.model_dump(mode="json"),
        "wrong": wrong,
        "exit_code": invocation.code,
    }
    lines = [f"{made.stage.name}: {made.path}", *fault_lines(wrong)]
    print_result(invocation, document, *lines)


def fault_lines(wrong: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with each variant, a line a fault."""
    return [f"fault of {name}: {fault}" for name, faults in wrong.items() for fault in faults]


def conclude(invocation: Invocation, report: "Report", run: Path) -> None:
    """Print the report of a run and set the exit code of its verdict.

    Args:
        invocation: whether JSON was requested; its `code` is set.
        report: the records and the verdict.
        run: the run's folder.
    """
    from ..judge.gate import EXIT_CODES

    code = invocation.code = EXIT_CODES[report.verdict.outcome]
    if invocation.json:
        from ..report import whole

        found = whole(report).model_dump(mode="json")
        print_json(invocation, {"run": str(run), "exit_code": code, "report": found})
    else:
        from ..report.terminal import table

        console = stdout()
        console.print(table(report))
        console.print(f"report: {run / 'report.html'}", soft_wrap=True)
