"""Warnings of several models that say the same, in one line."""

from edgestill.pipeline.report.alike import together

NAMES = ("teacher", "fp32", "int8-static")


def test_lines_that_differ_in_names_and_numbers_become_one_where_the_first_stood():
    said = (
        "a noisy neighbour",
        "teacher: 10 of 16 processes had not settled after 2 s",
        "fp32: 2 of 16 processes had not settled after 2 s",
        "teacher: 682 of 5,637 queries were outliers (above 3 ranges)",
        "int8-static: 2 of 16 processes had not settled after 2 s",
        "fp32: 2,546 of 25,738 queries were outliers (above 3 ranges)",
    )
    assert together(said, NAMES) == (
        "a noisy neighbour",
        "processes had not settled after 2 s: teacher (10 of 16), fp32 (2 of 16), "
        "int8-static (2 of 16)",
        "queries were outliers (above 3 ranges): teacher (682 of 5,637), fp32 (2,546 of 25,738)",
    )


def test_a_figure_in_the_middle_leaves_dots_in_its_place():
    said = [
        f"{name}: up to {mib} MiB more were resident"
        for name, mib in zip(NAMES, "237", strict=True)
    ]
    assert together(said, NAMES) == (
        "up to … MiB more were resident: teacher (2), fp32 (3), int8-static (7)",
    )


def test_the_same_of_several_names_them_before_it():
    said = [f"{name}: no memory limit" for name in NAMES]
    assert together(said, NAMES) == ("teacher, fp32, int8-static: no memory limit",)


def test_what_is_said_of_one_model_or_of_none_stays_as_it_is():
    said = (
        "fp32: 2 of 16 processes had not settled after 2 s",
        "fp32: 3 queries were lost",
        "warning: 5 of 16 cores are off",
        "warning: 6 of 16 cores are off",
        "the host: 7 %",
    )
    assert together(said, NAMES) == said
    assert together((), NAMES) == ()


def test_no_figure_is_lost():
    said = [f"{name}: from {n} to {n + 5} of 9 at {n * 2} MHz" for n, name in enumerate(NAMES)]
    (line,) = together(said, NAMES)
    assert line.startswith("from … MHz: teacher (0 to 5 of 9 at 0), fp32 (1 to 6 of 9 at 2), ")
    assert line.endswith(", int8-static (2 to 7 of 9 at 4)")
