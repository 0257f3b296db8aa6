"""The example of docs/recorded-teachers.md, word for word: its script, its recipe, its command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from edgestill.pipeline.runs.run import open_report

QUICK = (
    "--set=threads=1",
    "--set=benchmark.processes=1",
    "--set=benchmark.seconds=0.01",
    "--set=benchmark.operators=false",
    "--set=benchmark.footprint=false",
    "--set=benchmark.max_seconds=0",
)
"""Nothing of the page's is about time."""
PAGE = (Path(__file__).resolve().parents[1] / "docs" / "recorded-teachers.md").read_text("utf-8")


def block(language):
    """The page's only block of code in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.mark.slow
def test_answers_of_a_language_model_teach_a_student(tmp_path):
    pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    (tmp_path / "recipe.toml").write_text(block("toml"), "utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in ([sys.executable, "-c", block("python")], [*block("sh").split(), *QUICK]):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path},
            check=False,
        )
        assert done.returncode in {0, 1, 5}, done.stderr
        assert "Traceback" not in done.stderr
    (run,) = (tmp_path / "artifacts" / "runs" / "reviews").glob("[0-9]*")
    report = open_report(run)
    assert (report.teachers[0].origin, report.data.unlabelled) == ("recorded", 600)
    # The stand-in is right wherever it found a word, and so is its student.
    assert report.quality.teacher_score.value > 0.95
    gain = report.quality.gain
    assert gain.distilled_score[0] > 0.7
    assert gain.by_unlabelled.value is not None
