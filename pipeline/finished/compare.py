"""Is one model slower than another? A ratio, its interval, a sentence.

    compared = compare(Path("a.onnx"), Path("b.onnx"), progress, CompareOptions())
    compared.sentence                 # "B takes 0.78× the latency of A (0.75 to 0.82)"

Both are measured in fresh processes in turn, in an order drawn anew each time. So if B is A, each
of a pair is equally likely to be the slower one, whatever disturbs the machine and for how long:
the signs come from the random order, not from the machine (Fisher, "The Design of Experiments",
1935). The interval of the median of the pairs' ratios has 99 % confidence over all looks together
(``devices.bench.stopping``). The latency of a process is its p10, which its quickest tenth of
queries does not exceed: other load disturbs that least, and a difference of a tenth is found in a
fraction of the pairs that the p50 needs. A difference among slow queries only shows in the p50 and
p90, which are printed beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...devices.bench import ratio_text
from ...devices.bench.inspection import Inspection
from ...devices.bench.request import Request
from ...devices.bench.settings import Settings, Subject
from ...devices.bench.stopping import Until
from ...devices.onboard.settings import Feed, Timing
from ...devices.onboard.stats.estimate import Estimate
from ...devices.place.place import bounds_of, place_of
from ...devices.profiles.profile import HOST, Profile, load
from ...devices.scenarios.figures import Benchmark
from ...devices.scenarios.single_stream import measure
from ...errors import MaterialError
from ..judge.budgets import hold
from ..judge.gate import EXIT_CODES
from ..progress import Progress, measuring
from ..records import Outcome
from ..report import numbers
from ..runs import run as runs
from ..runs.locate import run_or_file
from .compare_answers import AnswersCompared, compare_answers
from .inspected import Ask, inspected
from .measure import new_folder
from .result import Result, figure, flat, plain
from .screen import Screen, cell, warned

CONFIDENCE = 0.99
"""Of the ratio's interval, over all looks together."""
PRECISION = 0.03
"""Measuring goes on until half the interval is this share of the ratio, or time is up."""
PROCESSES = 9
"""Of each model at the least; fewer give no interval at the first look."""


@dataclass(frozen=True, slots=True, repr=False)
class Compared(Result):
    """The latencies of two models, compared.

    Attributes:
        a: the first model's file.
        b: the second's.
        ratio: of B's time over A's, the p10 of a process, paired by repetition.
        p50: the same of median latencies.
        different: whether the interval leaves out 1; None where there is no interval.
        sentence: the same in words.
        max_ratio: the largest allowed ratio, None where none was given.
        outcome: whether the ratio is below it.
        answers: how far the outputs of B are from those of A; it decides nothing.
        measured: all other figures.
        folder: of the raw samples.
    """

    a: str
    b: str
    ratio: Estimate
    p50: Estimate
    different: bool | None
    sentence: str
    max_ratio: float | None
    outcome: Outcome | None
    answers: AnswersCompared
    measured: Benchmark
    folder: str

    @property
    def exit_code(self) -> int:
        """That of the budget's outcome; 0 where there is no budget."""
        return 0 if self.outcome is None else EXIT_CODES[self.outcome]

    def screen(self) -> Screen:
        """The sentence, both models and how their answers differ."""
        ms = numbers.MILLISECONDS
        files = zip("AB", (self.a, self.b), self.measured.models, strict=True)
        kept = () if self.outcome is None else (f"at most {self.max_ratio:g}: {self.kept}",)
        cautions = (*self.answers.cautions(), *self.measured.warnings)
        return Screen(
            title=self.sentence,
            head=("", "file", "p50", "p90", "size"),
            rows=tuple(
                (
                    name,
                    Path(file).name,
                    cell(model.p50_ms, ms),
                    cell(model.p90_ms, ms),
                    numbers.amount(model.file_bytes, numbers.BYTES),
                )
                for name, file, model in files
            ),
            above=kept,
            below=(*self.answers.lines(), *warned(cautions)),
            paths=(("raw samples", self.folder),),
        )

    @property
    def kept(self) -> str | None:
        """Whether the budget of the ratio is kept, in a word; None without one."""
        words = {"ready": "kept", "not ready": "missed", "undecided": "undecided"}
        return None if self.outcome is None else words[self.outcome]

    def records(self) -> list[dict[str, Any]]:
        """One mapping a model; the ratio is that of its time over A's."""
        itself = Estimate.exact(1.0, "itself", "ratio")
        pairs = zip(self.measured.models, (itself, self.ratio), strict=True)
        return [{**dict(flat(model)), **dict(figure("over_a", over))} for model, over in pairs]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill compare --json``."""
        document: dict[str, Any] = plain(
            {**asdict(self), "answers": self.answers.document(), "exit_code": self.exit_code}
        )
        return document


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How two models are compared.

    Attributes:
        feed: what both are queried with.
        threads: intra-op threads.
        device: what to measure on, a profile's name or path; answers are compared on this machine.
        seconds: timed seconds of a process.
        warmup_seconds: longest warm-up of a process.
        max_seconds: how long to go on.
        max_ratio: the largest allowed ratio of B's time to A's; measuring also goes on until it is
            known whether the ratio is below.
        out: where raw samples go; None: a new folder below ``artifacts/bench``.
    """

    feed: Feed = field(default_factory=Feed)
    threads: int = 1
    device: str = HOST
    seconds: float = 0.3
    warmup_seconds: float = 2.0
    max_seconds: float = 120.0
    max_ratio: float | None = None
    out: Path | None = None


def compare(
    a: Path,
    b: Path,
    progress: Progress,
    options: CompareOptions,
    *,
    ask: Ask | None = None,
) -> Compared:
    """Measure two models in turn until their ratio is known well enough, or time is up.

    Args:
        a: an ``.onnx`` or ``.ort`` file, or a run's folder: then the file that it ships.
        b: the same.
        progress: advances after each process.
        options: how they are compared.
        ask: asks the user for an extent; None refuses instead.

    Raises:
        UsageError: a shape that is missing or does not fit.
        MaterialError: a folder that is no run, or ships nothing.
        ModelError: a model that is missing, broken, dangerous, gives no finite output or answers
            one input in several ways.
        MeasureError: a measuring process died or ran out of time.
    """
    profile = load(options.device, where="--device")
    place = place_of(profile, where="--device")
    files = model_of(a), model_of(b)
    subjects = [Subject(name, file) for name, file in zip("AB", files, strict=True)]
    feed, inspections = _feed(subjects, options, ask)
    for inspection in inspections.values():
        inspection.check_training()
    answers = compare_answers(*files, feed)
    max_ratio = options.max_ratio
    with measuring(progress, len(subjects) * PROCESSES) as on_process:
        request = Request(
            subjects,
            _settings(options, feed, profile),
            options.out or new_folder(),
            place=place,
            until=Until(lambda _, ratios: known(ratios[0].p10, max_ratio), options.max_seconds),
            on_process=on_process,
            inspections=inspections,
        )
        measured = measure(request)
    ratio = measured.ratios[0].p10
    return Compared(
        a=str(files[0]),
        b=str(files[1]),
        ratio=ratio,
        p50=measured.ratios[0].p50,
        different=differs(ratio),
        sentence=sentence(ratio),
        max_ratio=max_ratio,
        answers=answers,
        outcome=None if max_ratio is None else hold("at most", max_ratio, ratio)[0],
        measured=measured,
        folder=str(request.out),
    )


def _feed(
    subjects: Sequence[Subject], options: CompareOptions, ask: Ask | None
) -> tuple[Feed, Mapping[Path, Inspection]]:
    """What the models are queried with; real inputs have the extents that a model leaves open."""
    models = inspected(subjects, options.feed, ask)
    return models.feed, models.inspections


def _settings(options: CompareOptions, feed: Feed, profile: Profile) -> Settings:
    return Settings(
        **bounds_of(profile, options.threads, None),
        feed=feed,
        timing=Timing(
            options.seconds, max_queries=1_000_000, warmup_seconds=options.warmup_seconds
        ),
        processes=PROCESSES,
        confidence=CONFIDENCE,
        memory_processes=0,
    )


def model_of(path: Path) -> Path:
    """A model's file as it is; of a run's folder or name the file that it ships.

    Raises:
        MaterialError: a folder that is no run or ships nothing, or a file of the run changed.
    """
    path = run_or_file(path)
    if not path.is_dir():
        return path
    report = runs.open_report(path)
    ship = report.verdict.ship
    if ship is None:
        raise MaterialError(
            f"a run that is {report.verdict.outcome} and ships nothing",
            where=str(path),
            fix=f"name a model's file, such as one below {path / 'variants'}",
        )
    variant = next(variant for variant in report.variants.variants if variant.name == ship)
    if faults := runs.differences(path):
        raise MaterialError(
            f"not as it was written: {faults[0]}", where=str(path), fix="build it again"
        )
    return path / "variants" / variant.file


def known(ratio: Estimate, max_ratio: float | None) -> bool:
    """Whether a ratio's interval is narrow and, where there is one, on one side of the budget."""
    undecided = max_ratio is not None and hold("at most", max_ratio, ratio)[0] == "undecided"
    return ratio.known_within(PRECISION) and not undecided


def differs(ratio: Estimate) -> bool | None:
    """Whether a ratio's whole interval lies on one side of 1; None without one."""
    if ratio.low is None or ratio.high is None:
        return None
    return ratio.low > 1.0 or ratio.high < 1.0


def sentence(ratio: Estimate) -> str:
    """What the ratio of B's time to A's means, claiming no more than its interval does."""
    if ratio.value is None:
        return f"the ratio of B's latency to A's is unknown: {ratio.missing}"
    return f"B takes {ratio_text.stated(ratio, 'latency', 'A')}"
