"""Models of unknown origin, each inspected once, in a child process, before it is measured.

models = inspected(subjects_of([Path("model.onnx")]), Feed(shapes={"ids": (1, 128)}), ask=None)
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
from ...devices.onboard.model.made_inputs import batch_axis
from ...devices.onboard.model.modelfile import Input, printable
from ...devices.onboard.settings import Feed
from ...errors import UsageError

Ask = Callable[[str], str]
"""Asks the user a question and returns the answer."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """Models, what their files say, and what they are queried with.

    Attributes:
        subjects: by their files' names.
        inspections: by path.
        feed: real inputs, or generated ones with the full shape of each that has dynamic axes
            besides that of the samples.
    """

    subjects: tuple[Subject, ...]
    inspections: Mapping[Path, Inspection]
    feed: Feed

    def own_feed(self, subject: Subject, batch: int | None = None) -> Feed:
        """What one of the models is queried with, in batches of another size where one is given."""
        return own_feed(self.feed, self.inspections[subject.path].inputs, batch)


def inspected(subjects: Sequence[Subject], given: Feed, ask: Ask | None) -> Inspected:
    """Inspect models, and complete the shapes of their inputs.

    A model is inspected once. Its operations depend on the shapes, so it is inspected again where
    the user is asked for an extent, or another model's input gives it.

    Args:
        subjects: ``.onnx`` or ``.ort`` files.
        given: what they are queried with; real inputs have the extents that a model leaves open.
        ask: asks the user for an extent; None refuses instead.

    Raises:
        UsageError: a shape that is missing, or a shape or an axis that belongs to no input.
        DataError: real inputs that do not fit a model.
        ModelError: a model that is missing, broken or dangerous.
    """
    inspections = {subject.path: inspect(subject.path, feed=given) for subject in subjects}
    ports = [port for inspection in inspections.values() for port in inspection.inputs]
    _check(given, ports)
    if given.inputs is not None:
        return Inspected(tuple(subjects), inspections, given)
    full = complete_shapes(ports, given, lambda port, axis: _extent(port, axis, ask))
    feed = replace(given, shapes=full)
    for path, inspection in inspections.items():
        own = {port.name: full[port.name] for port in inspection.inputs if port.name in full}
        counted_with = complete_shapes(inspection.inputs, given, lambda _port, _axis: None)
        if own != {name: counted_with.get(name) for name in own}:
            inspections[path] = inspect(path, feed=feed)
    return Inspected(tuple(subjects), inspections, feed)


def _check(given: Feed, ports: Sequence[Input]) -> None:
    """Refuse a shape or an axis of no input, and a batch that a shape contradicts.

    Raises:
        UsageError: there is one.
    """
    names = {port.name for port in ports}
    for what, option, keys in (
        ("a shape", "--shape", given.shapes.keys()),
        ("an axis", "--batch-axis", given.batch_axes.keys() - {""}),
    ):
        for unknown in sorted(keys - names):
            raise UsageError(
                found=f"{what} for {printable(unknown)}",
                expected=f"one of {', '.join(map(printable, sorted(names)))}",
                where=option,
            )
    batch = given.batch
    for port in ports:
        shape, axis = given.shapes.get(port.name, ()), batch_axis(port, given)
        if batch == 1 or axis is None or not shape or isinstance(port.shape[axis], int):
            continue
        if shape[axis] != batch:
            raise UsageError(
                f"--batch {batch} and {shape[axis]} samples in --shape {printable(port.name)}",
                expected="the same number of samples in both",
                fix="leave --batch out",
            )


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
