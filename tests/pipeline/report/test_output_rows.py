"""The lines of a table that say what each output lost."""

from edgestill.pipeline.records import OutputLoss
from edgestill.pipeline.report.output_rows import MOST_SHOWN, output_cells, shown_outputs


def numbers(name, error):
    return OutputLoss(
        name=name, measure="numbers", rows=32, relative_error=error, max_abs_difference=0.25
    )


def test_each_measure_fills_the_cells_it_has():
    classes = OutputLoss(
        name="y", measure="classes", rows=3200, changed=2, relative_error=0.1, max_abs_difference=1
    )
    assert output_cells(classes) == ("y", "2 of 3,200", "0.1 (20 dB)", "1")
    assert output_cells(numbers("z", 0.0)) == ("z", "no classes", "0", "0.25")
    equal = OutputLoss(name="i", measure="equality", rows=32, changed=0)
    assert output_cells(equal) == ("i", "0 of 32", "", "")
    sequence = OutputLoss(name="s", measure="none", rows=0, missing="a sequence or a map")
    assert output_cells(sequence) == ("s", "not compared", "", "")


def test_of_many_outputs_the_worst_are_shown_in_their_order_and_the_others_counted():
    many = [numbers(f"o{i}", 0.01 * i) for i in range(20)]
    shown, rest = shown_outputs(many)
    assert shown == many[-MOST_SHOWN + 1 :]
    assert rest == "13 more, which lose 0.12 at most"
    assert shown_outputs(many[:MOST_SHOWN]) == (many[:MOST_SHOWN], "")


def test_a_destroyed_output_is_shown_however_small_its_loss():
    many = [numbers(f"o{i}", 0.01 * i) for i in range(20)]
    broken = numbers("broken", 0.0).model_copy(update={"destroyed": "so it is"})
    shown, _ = shown_outputs([broken, *many])
    assert shown[0] == broken
