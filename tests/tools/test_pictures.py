"""The README's pictures are of the demo as it is."""

import sys
from pathlib import Path

from edgestill.pipeline.recipe.files import bundled, load
from edgestill.pipeline.runs.run import open_report

sys.path.insert(0, str(Path(__file__).parent))
import pictures


def test_the_picture_of_the_terminal_is_drawn_as_it_would_be_now():
    assert pictures.is_current()
    assert "font-face" not in pictures.terminal(pictures.PICTURES)


def test_the_pictures_are_of_the_recipe_that_ships():
    kept = open_report(pictures.PICTURES)
    assert kept.recipe == load(bundled("demo")).model_dump(mode="json", exclude_none=True)
    assert kept.verdict.outcome == "ready"


def test_the_readme_shows_them_and_quotes_their_figures():
    readme = (pictures.PICTURES.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"](docs/pictures/{pictures.TERMINAL})" in readme
    assert f"](docs/pictures/{pictures.REPORT})" in readme
    gain = open_report(pictures.PICTURES).quality.gain.difference
    said = [f"{100 * part:.1f}" for part in (gain.value, gain.low, gain.high)]
    assert f"{said[0]} points ({said[1]} to {said[2]})" in readme
