"""What the student lost of the teacher, as the pages tell it: counts, classes, pictures, charts."""

import io
import re
import struct
import zlib
from base64 import b64decode
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import report_example as example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.records import Check, Report, VerifyRecord
from edgestill.pipeline.report import (
    charts,
    html,
    junit,
    lost,
    lost_words,
    markdown,
    numbers,
    pictures,
    provenance,
    results,
    terminal,
    words,
)
from edgestill.pipeline.tasks import of
from rich.console import Console

NOWHERE = Path("/nowhere")
NPY = (
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }".ljust(127)
    + b"\n"
)


def decoded(uri: str) -> np.ndarray:
    """The pixels of one of our PNG data URIs, by the file format alone."""
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    data = b64decode(body, validate=True)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + size]
        (check,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        assert check == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    channels = {0: 1, 2: 3}[colour]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not lines[:, 0].any()
    pixels = lines[:, 1:].reshape(height, width, channels)
    return pixels[:, :, 0] if channels == 1 else pixels


def pages_of(report: Report) -> dict[str, str]:
    console = Console(width=80, file=io.StringIO())
    console.print(terminal.table(report))
    return {
        "html": re.sub(r"<script>.*?</script>", "", html.page(report, NOWHERE), flags=re.DOTALL),
        "markdown": markdown.page(report),
        "junit": junit.document(report).decode(),
        "terminal": console.file.getvalue(),  # type: ignore[attr-defined]
    }


def sample_data(layout: str, shape: tuple[int, ...], **more: object):
    data = example.report().data
    return data.model_copy(update={"layout": layout, "sample_shape": shape, **more})


def of_classes(count: int, harmed: int = 0, samples: int = 40) -> Report:
    """The example with so many classes, of which one lost all its recall."""
    names = tuple(f"class {i}" for i in range(count))
    truth = np.repeat(np.arange(count), samples)
    teacher = 9.0 * np.eye(count)[truth]
    student = teacher.copy()
    student[truth == harmed] = 0.0
    student[truth == harmed, (harmed + 1) % count] = 3.0
    found = of("classification").compare(student, teacher, truth, names, example.SAMPLING)
    return with_fidelity(example.report(), found, names)


def with_fidelity(report: Report, found: object, labels: tuple[str, ...]) -> Report:
    variants = tuple(
        each.model_copy(update={"fidelity": found}) for each in report.quality.variants
    )
    return report.model_copy(
        update={
            "quality": report.quality.model_copy(update={"variants": variants}),
            "data": report.data.model_copy(update={"labels": labels, "counts": {}}),
        }
    )


def table(report: Report, begins: str) -> dict[str, tuple[str, ...]]:
    """A table's rows, by what each begins with."""
    found = next(t for t in lost.section(report).tables if t.caption.startswith(begins))
    return {str(row[0]): tuple(map(str, row[1:])) for row in found.rows}


# The section.


def test_every_variant_stands_beside_the_teacher_with_its_calibration() -> None:
    report = example.report()
    rows = table(report, "Each variant")
    of = report.quality.variants[0].fidelity
    assert rows["Same answer as the teacher"][:2] == (
        "reference",
        numbers.show(of.agreement, numbers.PERCENT),
    )
    assert rows["KL(teacher‖student)"][1].startswith(
        f"{of.figures['KL(teacher‖student)'].value:.3f}"
    )
    for at, one in enumerate((of.teacher_calibration, of.student_calibration)):
        told = rows["Calibration error"][at]
        assert told.startswith(f"{100 * one.error:.1f} % ({100 * one.by_chance:.1f} % by chance")
        assert rows["Overconfidence"][at].startswith(f"{100 * one.overconfidence:+.1f} points (too")
    assert len(rows["Answers changed"]) == 1 + len(report.quality.variants)


def test_the_bias_of_the_calibration_error_is_told_both_ways() -> None:
    text = " ".join(lost.section(example.report()).paragraphs)
    for said in (
        "Guo et al. 2017",
        "by chance",
        "cancel",
        "Kumar et al. 2019",
        "confidence minus",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.031, "+3.1 points (too confident on test, no interval)"),
        (-0.2, "-20.0 points (too uncertain on test, no interval)"),
        (-1e-5, "0.0 points"),
    ],
)
def test_overconfidence_has_its_sign(value: float, told: str) -> None:
    report = example.report()
    found = report.quality.variants[0].fidelity
    calibration = found.student_calibration.model_copy(update={"overconfidence": value})
    found = found.model_copy(update={"student_calibration": calibration})
    rows = table(with_fidelity(report, found, report.data.labels), "Each variant")
    assert rows["Overconfidence"][1] == told


def test_changed_answers_are_split_by_who_was_right_on_every_page() -> None:
    report = example.report()
    found = report.quality.variants[0].fidelity.changed
    told, answered, taught = (
        example.truth(10),
        example.answers("fp32", 10).argmax(1),
        example.answers("teacher", 10).argmax(1),
    )
    other = answered != taught
    split = (
        f"{(other & (taught == told)).sum()} lost (the teacher is right), "
        f"{(other & (answered == told)).sum()} won (fp32 is right), "
        f"{(other & (answered != told) & (taught != told)).sum()} wrong in both"
    )
    assert found.lost > 0
    assert found.won > 0
    for name, page in pages_of(report).items():
        if name != "junit":
            assert split in re.sub(r"\s+", " ", page), name


def test_a_variant_that_changes_nothing_is_said_to() -> None:
    outputs = example.answers("teacher", 10)
    found = of("classification").compare(
        outputs, outputs, example.truth(10), "0123456789", example.SAMPLING
    )
    report = with_fidelity(example.report(), found, tuple("0123456789"))
    first, second, *_ = lost.section(report).paragraphs
    assert first == "fp32 gives the teacher's answer on all 450 test samples."
    assert second == "fp32 loses recall on test in no class."


def test_classes_stand_worst_first_and_the_rest_is_counted() -> None:
    report = of_classes(35, harmed=33)
    found = next(t for t in lost.section(report).tables if t.head[0] == "Class")
    assert found.head == ("Class", "Test samples", "Teacher", "fp32", "Lost")
    assert len(found.rows) == 30
    assert [str(cell) for cell in found.rows[0][:4]] == ["class 33", "40", "100 %", "0 %"]
    assert str(found.rows[0][4]).startswith("100.0 points (")
    assert found.caption.endswith("; 5 more are in report.json")
    drops = [float(str(row[4]).split(" ")[0]) for row in found.rows]
    assert drops == sorted(drops, reverse=True)


def test_the_worst_class_is_named_with_what_is_shown_and_what_is_not() -> None:
    text = lost_words.worst_class(of_classes(5, harmed=3))
    assert text is not None
    assert "in class 'class 3': the teacher finds 100 % of its 40 test samples, fp32 0 %" in text
    assert "A loss is shown for 1 of 5 classes" in text
    unsure = lost_words.worst_class(example.report())
    assert unsure is not None
    assert "No loss is shown for any class" in unsure


def test_the_interval_of_the_worst_class_is_the_judged_one_in_text_and_table() -> None:
    report = of_classes(5, harmed=3)
    fidelity = report.quality.variants[0].fidelity
    assert fidelity is not None
    shown = numbers.show(fidelity.worst_drop, numbers.POINTS)
    text = lost_words.worst_class(report)
    assert text is not None
    assert f"whichever class is the worst is {shown}" in text
    low_to_high = shown.split("(")[1].rstrip(")")
    assert low_to_high in table(report, "Each variant")["Largest recall loss of a class"][1]


def test_a_class_without_test_samples_stands_last_with_its_reason() -> None:
    report = of_classes(4, harmed=1)
    names = (*report.data.labels, "unseen")
    truth = np.repeat(np.arange(4), 30)
    teacher = 5.0 * np.eye(5)[truth]
    found = of("classification").compare(
        np.roll(teacher, 1, 0), teacher, truth, names, example.SAMPLING
    )
    rows = table(with_fidelity(report, found, names), "Recall of each class")
    assert list(rows)[-1] == "unseen"
    assert rows["unseen"] == (
        "0", "unknown", "unknown", "unknown: test has no sample of 'unseen'"
    )  # fmt: skip


def test_where_the_teachers_answers_are_unknown_the_section_says_so() -> None:
    report = with_fidelity(example.report(), None, tuple("0123456789"))
    section = lost.section(report)
    assert section.paragraphs == ("Unknown: the teacher's answers on test are not known.",)
    assert section.tables == ()
    assert "classes" not in {chart.id for chart in charts.charts(report, NOWHERE)}


# Tasks.


@pytest.mark.parametrize("task", ["multi-label", "regression", "embedding"])
def test_no_page_of_another_task_speaks_of_accuracy(task: str) -> None:
    report = example.with_task(example.report(), task)
    prefers = report.verdict.model_copy(update={"prefer": "accuracy"})
    for name, page in pages_of(report.model_copy(update={"verdict": prefers})).items():
        assert "ccuracy" not in page, name


def test_a_regression_has_its_own_figures_and_no_classes() -> None:
    report = example.with_task(example.report(), "regression")
    rows = table(report, "Each variant")
    assert set(rows) == {
        "Answers within a tenth of a deviation of the teacher's",
        "Correlation with the teacher",
        "Mean difference from the teacher, in deviations of the truth",
    }
    assert len(lost.section(report).tables) == 1
    page = markdown.page(report)
    assert "R² lost to the teacher" in page
    assert "| RMSE, mean over " in page


def test_an_embedding_is_held_by_cosine_and_recall_and_needs_no_labels() -> None:
    rows = table(example.with_task(example.report(), "embedding"), "Each variant")
    assert set(rows) == {
        "Cosine to the teacher",
        "Nearest to the teacher's vector of the same sample (recall@1)",
    }


def test_multi_label_answers_are_told_as_sets_of_names() -> None:
    report = example.with_task(example.report(), "multi-label")
    found = report.quality.variants[0].fidelity.changed.examples[0]
    rows = table(report, "Answers that fp32 changed")
    of = tuple(", ".join(report.data.labels[i] for i in one) or "none"
               for one in (found.truth, found.reference, found.answer))  # fmt: skip
    assert rows[f"{found.sample}"] == of
    assert "Label" in {t.head[0] for t in lost.section(report).tables}


def test_the_other_scores_are_listed_without_those_of_single_classes() -> None:
    report = example.report()
    section = next(s for s in results.sections(report) if s.title == "Teacher and variants")
    found = {str(row[0]): str(row[2]) for row in section.more[0].tables[1].rows}
    assert set(found) == {"Balanced accuracy", "macro-F1", "Worst-class recall"}
    metrics = report.quality.variants[0].metrics
    assert found["macro-F1"] == numbers.show(metrics["macro-F1"], numbers.PERCENT)
    assert any("[" in name for name in metrics)


def test_budgets_on_a_score_are_read_in_its_unit() -> None:
    whole, nothing = example.report(), Estimate.unknown("not asked")
    tags, numbered = (
        example.with_task(whole, task).quality for task in ("multi-label", "regression")
    )

    def budget(key: str, value: float, quality: VerifyRecord) -> str:
        check = Check(key=key, budget=value, figure=nothing, outcome="undecided", why="")
        return numbers.budget(check, quality)

    assert budget("min_score", 0.9, tags) == "at least 90 %"
    assert budget("min_score", 0.9, numbered) == "at least 0.9"
    assert budget("max_drop_vs_teacher", 0.03, numbered) == "at most 0.03"
    assert budget("max_worst_class_drop", 0.05, tags) == "at most 5 points"
    assert budget("max_rmse", 9042.5, numbered) == "at most 9,042.5"
    assert budget("above_constant.min_r2", 0.0, numbered) == "above 0"
    assert numbers.capital("mAP") == "mAP"
    assert numbers.capital("cosine") == "Cosine"


# Teachers.


def test_a_teacher_without_a_file_leaves_no_row_and_no_ratio_but_its_score() -> None:
    report = example.with_black_box(example.report())
    score = numbers.show(report.quality.teacher_score, numbers.PERCENT)
    for name, page in pages_of(report).items():
        if name != "junit":
            text = re.sub(r"\s+", " ", page)
            text = unescape(text)
            assert "Of the teacher's ONNX file a build takes the answers alone" in text, name
            assert f"Its accuracy on test: {score}" in text, name
            assert "times faster" not in text, name
    section = next(s for s in results.sections(report) if s.title == "Teacher and variants")
    assert section.tables[0].head == ("Figure", "fp32", "int8-dynamic", "int8-static")
    training = next(s for s in provenance.sections(report) if s.title == "Training")
    teacher = [str(cell) for cell in training.tables[0].rows[0]]
    assert "unknown: a black box" in teacher
    assert "a black box, not trained here" in teacher


def test_a_function_of_the_users_has_no_width_on_the_page() -> None:
    report = example.report()
    (student, *others), teachers = report.students, report.teachers
    assert f"{student.width:,}" in _training_cells(report, -1)
    own = student.model_copy(update={"model": "net:student", "width": 4321})
    changed = report.model_copy(update={"students": (own, *others), "teachers": teachers})
    cells = [_training_cells(changed, at) for at in range(len(teachers) + 1 + len(others))]
    (row,) = [line for line in cells if "net:student" in line]
    assert "none" in row
    assert "4,321" not in row


def _training_cells(report, at: int) -> list[str]:
    training = next(s for s in provenance.sections(report) if s.title == "Training")
    return [str(cell) for cell in training.tables[0].rows[at]]


def test_a_variant_keeps_its_colour_where_the_teacher_has_no_file() -> None:
    def colour(report: Report) -> int:
        series = charts.charts(report, NOWHERE)[0].plots[0].series
        return next(one.look.colour for one in series if one.name == "fp32")

    assert colour(example.report()) == colour(example.with_black_box(example.report()))


def test_several_teachers_are_listed_with_what_they_count() -> None:
    report = example.report()
    recipe = {"teacher": {"model": "a", "weight": 3.0, "members": [{"model": "b"}]}}
    both = {"teachers": report.teachers * 2, "recipe": recipe}
    training = next(
        s for s in provenance.sections(report.model_copy(update=both)) if s.title == "Training"
    )
    assert [str(row[0]) for row in training.tables[0].rows[:2]] == [
        "teacher, weight 75 %",
        "teacher, weight 25 %",
    ]
    bare = report.model_copy(update=both | {"recipe": {"teacher": "not a table"}})
    assert words.shares(bare) == ()


# Pictures.


def test_bytes_are_drawn_as_they_are() -> None:
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (5, 7), dtype=np.uint8)
    colour = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for pixels in (grey, colour):
        assert np.array_equal(decoded(pictures.uri(pixels)), pixels)
    assert np.array_equal(pictures.image(grey, sample_data("hw", (5, 7))), grey)
    chw = np.ascontiguousarray(np.moveaxis(colour, -1, 0))
    assert np.array_equal(pictures.image(chw, sample_data("chw", (3, 5, 7))), colour)
    one = pictures.image(grey[:, :, None], sample_data("hwc", (5, 7, 1)))
    assert np.array_equal(one, grey)


def test_other_numbers_are_drawn_from_their_least_to_their_largest() -> None:
    data = sample_data("hw", (1, 3))
    found = pictures.image(np.array([[-2.0, 0.0, 2.0]], np.float32), data)
    assert found.tolist() == [[0, 128, 255]]
    assert pictures.image(np.full((1, 3), 7.0), data).tolist() == [[0, 0, 0]]


def test_a_spectrogram_has_time_to_the_right_and_low_bands_below() -> None:
    frames_by_bands = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    found = pictures.image(
        frames_by_bands, sample_data("hw", (3, 2), front_end={"front_end": "log-mel"})
    )
    assert found.tolist() == [[51, 153, 255], [0, 102, 204]]


def test_a_large_image_is_thinned() -> None:
    found = pictures.image(np.zeros((400, 200, 3), np.uint8), sample_data("hwc", (400, 200, 3)))
    assert found.shape == (134, 67, 3)


def test_the_page_shows_each_changed_sample_with_its_three_answers(tmp_path: Path) -> None:
    report = example.report()
    arrays = example.write_changed(report, tmp_path)
    page = html.page(report, tmp_path)
    shown = re.findall(r'<li><img src="([^"]+)" alt="Row ([\d,]+) of test">(.*?)</li>', page, re.S)
    examples = report.quality.variants[0].fidelity.changed.examples
    assert [int(row) for _, row, _ in shown] == [one.sample for one in examples]
    for (uri, _, facts), one, x in zip(shown, examples, arrays["fp32/x"], strict=True):
        assert np.array_equal(decoded(uri), pictures.image(x, report.data))
        told = re.findall(r"<dt>(.*?)</dt> <dd>(.*?)</dd>", facts)
        assert told == [
            ("truth", str(one.truth[0])),
            ("teacher", str(one.reference[0])),
            ("fp32", str(one.answer[0])),
        ]
    assert "Row of test" not in page


def test_dark_bytes_are_drawn_bright(tmp_path: Path) -> None:
    x = np.array([[[0, 16]]], np.uint8)
    np.savez(tmp_path / "changed.npz", **{"a/x": x, "a/rows": np.array([3])})
    found = pictures.read(tmp_path / "changed.npz", sample_data("hw", (1, 2)), "a")
    assert decoded(found[3]).tolist() == [[0, 255]]  # type: ignore[index]


def test_without_the_samples_a_table_stands_for_the_pictures_and_says_why(tmp_path: Path) -> None:
    page = html.page(example.report(), tmp_path)
    assert "No pictures: the changed samples cannot be read: no such file or directory." in page
    assert "Row of test" in page
    assert "<img" not in page


def test_samples_that_are_no_images_are_a_table_without_excuse(tmp_path: Path) -> None:
    page = html.page(example.with_task(example.report(), "multi-label"), tmp_path)
    assert "No pictures" not in page
    assert "Row of test" in page


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read"),
        (b"no zip", "cannot be read"),
        (b"PK\x03\x04 and no more", "cannot be read"),
        (b"PK\x05\x06 and no more", "cannot be read"),
        (NPY, "cannot be read"),
        ({"fp32/x": np.zeros((1, 8, 8))}, "no changed samples of fp32 were kept"),
        ({"fp32/x": np.zeros((1, 4, 4)), "fp32/rows": np.zeros(1)}, "fits no hw"),
        ({"fp32/x": np.zeros((1, 8, 8), "S1"), "fp32/rows": np.zeros(1)}, "fits no hw"),
        ({"fp32/x": np.zeros((1, 8, 8), object), "fp32/rows": np.zeros(1)}, "cannot be read"),
        ({"fp32/x": np.zeros((2, 8, 8)), "fp32/rows": np.zeros(1)}, "fits no hw"),
    ],
)
def test_a_file_that_is_no_good_gives_a_reason(
    tmp_path: Path, content: bytes | dict[str, np.ndarray], reason: str
) -> None:
    path = tmp_path / "changed.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)  # type: ignore[arg-type]
    found = pictures.read(path, example.report().data, "fp32")
    assert isinstance(found, str)
    assert reason in found


def test_a_hostile_label_is_text_beside_its_picture(tmp_path: Path) -> None:
    name = "</dd><img src=x onerror=alert(1)>"
    report = example.report(labels=(name, "b"))
    example.write_changed(report, tmp_path)
    page = html.page(report, tmp_path)
    assert "&lt;/dd&gt;&lt;img" in page
    sources = re.findall(r'<img src="?([^">]+)', page)
    assert len(sources) == 12
    assert all(one.startswith("data:image/png;base64,") for one in sources)


# The chart.


def test_the_chart_shows_each_class_with_its_interval() -> None:
    report = of_classes(6, harmed=4)
    chart = next(c for c in charts.charts(report, NOWHERE) if c.id == "classes")
    (plot,) = chart.plots
    (series,) = plot.series
    worst = report.quality.variants[0].fidelity.classes[4].drop
    assert plot.y.ticks[0] == (0.0, "class 4")
    assert series.points[0].x == pytest.approx(100 * worst.value)
    assert series.points[0].x_ends == pytest.approx((100 * worst.low, 100 * worst.high))
    assert "class 4: 100.0 points" in chart.alternative


@pytest.mark.parametrize(("classes", "drawn"), [(2, True), (40, True), (41, False)])
def test_the_chart_is_drawn_of_as_many_classes_as_can_be_told_apart(
    classes: int, drawn: bool
) -> None:
    found = {chart.id for chart in charts.charts(of_classes(classes), NOWHERE)}
    assert ("classes" in found) is drawn


def test_two_long_names_that_begin_alike_stay_two_classes() -> None:
    report = of_classes(2)
    names = tuple("a very long name of a class that ends in " + end for end in "xy")
    found = report.quality.variants[0].fidelity
    classes = [c.model_copy(update={"name": n}) for c, n in zip(found.classes, names, strict=True)]
    found = found.model_copy(update={"classes": tuple(classes), "worst_class": names[0]})
    chart = charts.charts(with_fidelity(report, found, names), NOWHERE)[-1]
    assert [point.y for point in chart.plots[0].series[0].points] == [0.0, 1.0]


def test_an_unmeasured_variant_has_four_unknown_ratios() -> None:
    report = example.report()
    benchmark = replace(report.measured.benchmark, ratios=report.measured.benchmark.ratios[1:])
    section = next(
        s
        for s in results.sections(example.with_measured(report, benchmark=benchmark))
        if s.title == "Against the teacher"
    )
    assert {len(row) for row in section.tables[0].rows} == {5}
    assert str(section.tables[0].rows[0][1]).startswith("unknown (not measured beside")


def test_an_unknown_worst_drop_is_told_with_its_reason() -> None:
    report = of_classes(3)
    found = report.quality.variants[0].fidelity
    unknown = Estimate.unknown("too few")
    classes = tuple(each.model_copy(update={"drop": unknown}) for each in found.classes)
    found = found.model_copy(
        update={"classes": classes, "worst_class": None, "worst_drop": unknown}
    )
    report = with_fidelity(report, found, report.data.labels)
    assert lost_words.worst_class(report) is None
    assert table(report, "Each variant")["Largest recall loss of a class"][1] == (
        "unknown: too few"
    )
