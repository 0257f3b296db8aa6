"""Is one model slower than another: the sentence, when it is known, what a run stands for."""

import shutil

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import MaterialError
from edgestill.pipeline.finished import compare as comparison
from simulated import Machine, found_different


def estimate(value, low=None, high=None):
    return Estimate(
        value, low, high, "test", 9, None if low else "2 processes", "ratio", "measured"
    )


@pytest.mark.parametrize(
    ("ratio", "words", "different"),
    [
        (estimate(0.78, 0.75, 0.82), "B takes 0.78× the latency of A (0.75 to 0.82)", True),
        (estimate(1.2, 1.1, 1.3), "B takes 1.20× the latency of A (1.10 to 1.30)", True),
        (
            estimate(1.01, 0.97, 1.05),
            "B takes 1.01× the latency of A (0.97 to 1.05, no difference shown)",
            False,
        ),
        (
            estimate(1.01, 1.0, 1.05),
            "B takes 1.01× the latency of A (1.00 to 1.05, no difference shown)",
            False,
        ),
        (
            estimate(0.5),
            "B takes 0.50× the latency of A (no interval: 2 processes)",
            None,
        ),
        (
            Estimate.unknown("lost"),
            "the ratio of B's latency to A's is unknown: lost",
            None,
        ),
    ],
)
def test_the_sentence_claims_no_more_than_the_interval_does(ratio, words, different):
    assert comparison.sentence(ratio).startswith(words)
    assert comparison.differs(ratio) is different


@pytest.mark.parametrize(
    ("ratio", "max_ratio", "known"),
    [
        (estimate(1.0, 0.98, 1.02), None, True),
        (estimate(1.0, 0.95, 1.05), None, False),
        (estimate(10.0, 9.8, 10.2), None, True),
        (estimate(0.1), None, False),
        (estimate(1.0, 0.98, 1.02), 1.02, True),
        (estimate(1.0, 0.98, 1.02), 1.01, False),
        (estimate(1.0, 0.98, 1.02), 0.97, True),
    ],
)
def test_measuring_goes_on_until_the_ratio_is_narrow_and_the_budget_decided(
    ratio, max_ratio, known
):
    assert comparison.known(ratio, max_ratio) is known


@pytest.mark.slow
def test_of_two_runs_the_files_they_ship_are_compared(built):
    run, report = built[0].run, built[0].report
    variant = next(v for v in report.variants.variants if v.name == report.verdict.ship)
    assert comparison.model_of(run) == run / "variants" / variant.file
    assert comparison.model_of(run).is_file()


def test_a_run_that_ships_nothing_or_is_not_as_written_is_refused(built, tmp_path):
    from edgestill.pipeline.recipe.gate import Gate
    from edgestill.pipeline.runs.rejudge import judge_again

    shutil.copytree(built[0].run, tmp_path / "run")
    nothing, _ = judge_again(tmp_path / "run", Gate(max_size_kib=0.1))
    with pytest.raises(MaterialError, match="not ready and ships nothing"):
        comparison.model_of(nothing)
    shipped = next((tmp_path / "run" / "models").glob("*.onnx"))
    for changed in (shipped, comparison.model_of(tmp_path / "run")):
        before = changed.read_bytes()
        changed.write_bytes(before + b"\0")
        with pytest.raises(MaterialError, match=f"not as it was written: .*{changed.name}"):
            comparison.model_of(tmp_path / "run")
        changed.write_bytes(before)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MaterialError, match=r"no report\.json"):
        comparison.model_of(tmp_path / "empty")


def test_a_model_against_itself_is_different_in_at_most_one_trial_of_a_hundred():
    # However long neighbours stay: the order within a pair is a coin's.
    burdened = Machine(between=0.05, bursts=0.3, stays=0.8)
    assert found_different(1000, 1.0, burdened, most=100) <= 10


def test_a_tenth_more_time_is_found():
    assert found_different(100, 1.1, Machine(between=0.03, bursts=0.3)) >= 95
