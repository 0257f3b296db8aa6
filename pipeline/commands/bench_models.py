"""Models of unknown origin, each inspected once, in a child process, before it is measured.

models = inspected(subjects_of([Path("model.onnx")]), ("ids=1,128",), batch=1, ask=None)
models.own_feed(models.subjects[0])
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...devices.bench.inspection import Inspection, inspect
from ...devices.bench.request import own_feed
from ...devices.bench.settings import Subject
from ...devices.onboard.model.inputs import complete_shapes
from ...devices.onboard.model.modelfile import Input, printable
from ...devices.onboard.settings import Feed
from ...errors import UsageError

Ask = Callable[[str], str]
"""Asks the user a question and returns the answer."""
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Inspected:
    """Models, what their files say, and what they are queried with.

    Attributes:
        subjects: by their files' names.
        inspections: by path.
        feed: generated inputs, with the full shape of each that has dynamic axes besides the batch.
    """

    subjects: tuple[Subject, ...]
    inspections: Mapping[Path, Inspection]
    feed: Feed

    def own_feed(self, subject: Subject, batch: int | None = None) -> Feed:
        """What one of the models is queried with, in batches of another size where one is given."""
        return own_feed(self.feed, self.inspections[subject.path].inputs, batch)


def inspected(
    subjects: Sequence[Subject], shapes: Sequence[str], batch: int, ask: Ask | None
) -> Inspected:
    """Inspect models, and complete the shapes of their inputs.

    A model is inspected once. Its operations depend on the shapes, so it is inspected again where
    the user is asked for an extent, or another model's input gives it.

    Args:
        subjects: ``.onnx`` or ``.ort`` files.
        shapes: ``input=1,3,224,224`` texts for inputs with dynamic axes other than the batch.
        batch: extent of a dynamic first axis.
        ask: asks the user for an extent; None refuses instead.

    Raises:
        UsageError: a shape that is missing or belongs to no input.
        ModelError: a model that is missing, broken or dangerous.
    """
    given = Feed(batch=batch, shapes=given_shapes(shapes))
    inspections = {subject.path: inspect(subject.path, feed=given) for subject in subjects}
    ports = [port for inspection in inspections.values() for port in inspection.inputs]
    unknown = sorted(given.shapes.keys() - {port.name for port in ports})
    if unknown:
        raise UsageError(
            found=f"a shape for {printable(unknown[0])}",
            expected=f"one of {', '.join(sorted({printable(port.name) for port in ports}))}",
            where="--shape",
        )
    for port in ports:
        shape = given.shapes.get(port.name, ())
        if batch > 1 and shape and not isinstance(port.shape[0], int) and shape[0] != batch:
            raise UsageError(
                f"--batch {batch} and {shape[0]} samples in --shape {printable(port.name)}",
                expected="the same number of samples in both",
                fix="leave --batch out",
            )
    full = complete_shapes(ports, given, lambda port, axis: _extent(port, axis, ask))
    feed = replace(given, shapes=full)
    for path, inspection in inspections.items():
        own = {port.name: full[port.name] for port in inspection.inputs if port.name in full}
        counted_with = complete_shapes(inspection.inputs, given, lambda _port, _axis: None)
        if own != {name: counted_with.get(name) for name in own}:
            inspections[path] = inspect(path, feed=feed)
    return Inspected(tuple(subjects), inspections, feed)


def subjects_of(models: Sequence[Path]) -> list[Subject]:
    """The models by their files' names, or by their paths where two share a name.

    Raises:
        UsageError: one model twice.
    """
    names = [path.name for path in models]
    if len(set(names)) < len(names):
        names = [str(path) for path in models]
    if len(set(names)) < len(names):
        raise UsageError("the same model twice", fix="name each model once")
    return [Subject(name, path) for name, path in zip(names, models, strict=True)]


def given_shapes(texts: Sequence[str]) -> Shapes:
    """Shapes by input name, from ``input=1,3,224,224`` texts.

    Raises:
        UsageError: a text of another form.
    """
    return dict(_shape(text) for text in texts)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, mark, extents = text.rpartition("=")
    if not mark or not name or not re.fullmatch(r"[1-9][0-9]*(,[1-9][0-9]*)*", extents):
        raise UsageError(found=repr(text), expected="INPUT=1,3,224,224", where="--shape")
    return name, tuple(int(extent) for extent in extents.split(","))


def _extent(port: Input, axis: int, ask: Ask | None) -> int:
    symbol = printable(str(port.shape[axis] or "unnamed"))
    name = f"axis {axis} ({symbol}) of {printable(port.name)}"
    if ask is None:
        example = ",".join(str(e) if isinstance(e, int) else "N" for e in port.shape)
        raise UsageError(
            found=f"dynamic {name}",
            expected="its extent",
            fix=f"give the full shape: --shape {printable(port.name)}={example}",
        )
    answer = ask(f"extent of {name}")
    if not re.fullmatch(r"[1-9][0-9]*", answer.strip()):
        raise UsageError(found=repr(answer), expected="a whole number above 0")
    return int(answer)
