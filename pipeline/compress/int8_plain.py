"""The int8-plain stage: static int8 of students that do not ship, to compare what it costs them.

Did distillation make the student harder to quantize? The same student, seed and steps without the
teacher goes the way of the variant ``int8-static``: exported, brought to the normal form, and
quantized on the same calibration samples. Of several seeds every distilled student does, too, but
for the best, whose files the variants stage has.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ...devices.onboard.model import training_operators
from ...exporters import interface, onnx
from .. import tasks
from ..data.arrays import draw, open_split
from ..distill.teacher_answers import restored
from ..engine.stage import Made
from ..models import example
from ..models.text_length import takes_any_length
from ..progress import Progress
from ..records import Int8PlainRecord, Int8Student, ModelRecord
from .inputs import Int8PlainInputs
from .method import Job
from .methods import METHODS
from .normalize.normal_form import COMPARED, normalize
from .train.contract import best_of


def quantize_students(out: Path, progress: Progress, inputs: Int8PlainInputs) -> Int8PlainRecord:
    """Export each student and quantize it as the variant int8-static is.

    Args:
        out: two files a student go here.
        progress: gets each student.
        inputs: of the int8-plain stage.

    Raises:
        ModelError: a student cannot be exported or quantized.
        NoEffectError: it has no layer that can be quantized.
    """
    data = inputs.data
    calibration = draw(open_split(data.path, "calibration"), inputs.ranges.calibration_samples)
    samples = {interface.INPUT: calibration.x}
    made = []
    students = list(_without_files(inputs))
    with (
        progress.steps("int8-plain", len(students)) as steps,
        TemporaryDirectory(dir=out) as folder,
    ):
        for student in students:
            record = student.record
            stem = f"{'distilled' if record.distilled else 'plain'}-{record.seed}"
            exported, int8 = out / f"{stem}.fp32.onnx", out / f"{stem}.int8-static.onnx"
            module = restored(student, data.record)
            texts = takes_any_length(module, data.record)
            onnx.export(module, example(data.record), exported, opset=inputs.opset, texts=texts)
            training_operators.check(exported, f"the student {record.model}")
            normal = Path(folder) / exported.name
            normalize(exported, normal, [{interface.INPUT: calibration.x[:COMPARED]}])
            METHODS["int8-static"](
                Job(
                    source=normal,
                    target=int8,
                    samples=samples,
                    plan=inputs.plan,
                    calibration=inputs.ranges.calibration,
                    percentile=inputs.ranges.percentile,
                    # Static int8 looks for no layers to leave in float by what is lost.
                    lost=lambda *_: 0.0,
                    most_lost=0.0,
                )
            )
            made.append(
                Int8Student(
                    distilled=record.distilled,
                    seed=record.seed,
                    fp32=exported.name,
                    int8=int8.name,
                )
            )
            steps.advance(stem)
    return Int8PlainRecord(students=tuple(made))


def _without_files(inputs: Int8PlainInputs) -> Iterator[Made[ModelRecord]]:
    """The students but for the best distilled one."""
    if inputs.students:
        best = best_of(inputs.students, tasks.of(inputs.data.record.task))
        yield from (student for student in inputs.students if student is not best)
    yield from inputs.plain
