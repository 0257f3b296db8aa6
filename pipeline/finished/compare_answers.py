"""How far the answers of B are from those of A, output by output, found in a child process.

    answers = compare_answers(Path("a.onnx"), Path("b.onnx"), Feed())
    answers.lines()                 # ("answers to 32 generated queries: y: 0 of 32 changed, …",)

Two models of other tasks may well be compared in latency, so answers that differ are said and
decide nothing. A model that answers one input in several ways is refused: what is timed is not what
would ship.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...devices.bench.inspection import Inspection, inspect
from ...devices.onboard.machine.child import PYTHON
from ...devices.onboard.settings import Feed
from ..isolation.child import Child
from ..judge.across_runtimes import answers_of, compared, steadiness, takes_the_same
from ..judge.other_runtimes import runs_elsewhere
from ..records import OutputLoss
from ..records.steadiness import require_one_answer
from ..report.output_rows import output_cells, shown_outputs

WORKER = (*PYTHON, "edgestill.pipeline.judge.pair_worker")
QUERIES = 32
"""Queries that both are asked, at most; as many as the worker asks."""
_FIX = "give it more memory, or a smaller batch"


@dataclass(frozen=True, slots=True)
class AnswersCompared:
    """The outputs of B against those of A.

    Attributes:
        queries: how many both were asked.
        generated: whether the inputs were generated.
        outputs: each output; empty where they are not compared.
        missing: why they are not compared, or None.
        warnings: what makes an answer depend on more than its input.
        names: what the two are called.
    """

    queries: int
    generated: bool
    outputs: tuple[OutputLoss, ...]
    missing: str | None
    warnings: tuple[str, ...]
    names: tuple[str, str] = ("A", "B")

    def document(self) -> dict[str, Any]:
        """The same as JSON-ready values."""
        outputs = [output.model_dump(mode="json") for output in self.outputs]
        return {
            "queries": self.queries,
            "generated": self.generated,
            "outputs": outputs,
            "missing": self.missing,
            "warnings": list(self.warnings),
        }

    def lines(self) -> tuple[str, ...]:
        """The same as sentences."""
        if self.missing is not None:
            return (f"answers are not compared: {self.missing}",)
        kind = "generated queries" if self.generated else "queries"
        shown, rest = shown_outputs(self.outputs)
        told = [_told(output) for output in shown] + ([rest] if rest else [])
        both = f"{self.names[1]} against {self.names[0]}"
        return (f"answers to {self.queries} {kind}, {both}: {'; '.join(told)}",)

    def cautions(self) -> tuple[str, ...]:
        """What a reader must not miss."""
        return (
            *self.warnings,
            *(
                f"output {output_cells(output)[0]} of {self.names[1]} is not that of "
                f"{self.names[0]}: {output.destroyed}"
                for output in self.outputs
                if output.destroyed is not None
            ),
        )


def compare_answers(
    a: Path, b: Path, feed: Feed, names: tuple[str, str] = ("A", "B")
) -> AnswersCompared:
    """Ask both models the same, in a child process.

    Args:
        a: a model's file.
        b: the same; where another runtime than ONNX Runtime runs one of them, each is asked in a
            process of its own runtime.
        feed: what they are queried with; real inputs, or shapes of generated ones.
        names: what sentences call the two.

    Raises:
        ModelError: a model answers one input in several ways, or does not run.
        DataError, UsageError: inputs or shapes that do not fit.
        MeasureError: the child could not be started.
    """
    if any(runs_elsewhere(path) for path in (a, b)):
        return _across_runtimes(inspect(a, feed=feed), inspect(b, feed=feed), feed, names)
    with Child(a, command=WORKER, fix=_FIX) as child:
        request = {"a": str(a), "b": str(b), "feed": asdict(feed), "names": names}
        answer = child.ask(request)
    for path, faults in zip((a, b), answer["unsteady"], strict=True):
        require_one_answer(path, faults)
    return AnswersCompared(
        queries=answer["queries"],
        generated=feed.inputs is None,
        outputs=tuple(OutputLoss.model_validate(output) for output in answer["outputs"]),
        missing=answer["missing"],
        warnings=tuple(
            f"{name}: {fault}"
            for name, faults in zip(names, answer["unsteady"], strict=True)
            for fault in faults
        ),
        names=names,
    )


def _across_runtimes(
    a: Inspection, b: Inspection, feed: Feed, names: tuple[str, str]
) -> AnswersCompared:
    """The same of two files in different runtimes; each is asked twice, in two processes."""
    first, again = (answers_of(a, feed, queries=QUERIES) for _ in range(2))
    second, later = (answers_of(b, feed, queries=QUERIES) for _ in range(2))
    for path, pair in ((a.path, (first, again)), (b.path, (second, later))):
        require_one_answer(path, steadiness(*pair).faults)
    outputs: tuple[OutputLoss, ...] = ()
    missing: str | None = f"{' and '.join(names)} take other inputs"
    if takes_the_same(a, b):
        apart = compared(first, second)
        outputs, missing = apart.losses, apart.missing
    return AnswersCompared(
        queries=len(first.samples),
        generated=feed.inputs is None,
        outputs=outputs,
        missing=missing,
        warnings=(),
        names=names,
    )


def _told(output: OutputLoss) -> str:
    name, changed, error, largest = output_cells(output)
    if output.missing is not None:
        return f"{name} {changed}: {output.missing}"
    parts = [f"{changed} changed"] if output.changed is not None else []
    parts += [f"error {error}"] if error else []
    parts += [f"at most {largest} apart"] if largest else []
    return f"{name} {', '.join(parts)}"
