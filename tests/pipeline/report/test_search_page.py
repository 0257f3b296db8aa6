"""The page of a search: what it shows, by pointer and by keyboard, and what it never does."""

import re

import browser_tools
import frontier_example
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.report import search_words as words
from edgestill.pipeline.report.search_page import page


@pytest.fixture(scope="module")
def text():
    return page(frontier_example.record())


def test_every_point_of_the_frontier_is_in_the_table_with_its_recipe(text):
    assert re.findall(r"recipes/0\d\.toml", text).count("recipes/04.toml") >= 1
    assert "resnet8 × 32" in text
    assert "misses max_size_kib" in text


def test_it_says_that_scores_are_of_validation_and_what_was_left_out(text):
    assert "validation (180 samples)" in text
    assert "which nobody looked at" in text
    assert "&lt;b&gt;too large&lt;/b&gt;" in text
    assert "<b>too" not in text


def test_it_loads_nothing_and_runs_its_own_script_alone(text):
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    assert text.count("<script>") == 1


def test_each_pair_of_figures_has_a_chart(text):
    assert set(re.findall(r'<figure id="(of-[\w-]+)"', text)) == {
        "of-latency-score",
        "of-size-score",
        "of-latency-size",
    }


def test_a_prediction_and_a_short_training_are_marked():
    record = frontier_example.record(on_target=False, target="board")
    assert any("predicted for board" in one for one in words.cautions(record))
    guess = Estimate(1.0, 0.5, 2.0, "", 0, None, "ms", "predicted")
    assert words.parts(record, "latency", guess)[0] == "1.00 ms (predicted)"
    short = frontier_example.point(4, 12, "fp32", whole=False, place=1)
    record = frontier_example.record(points=(short,))
    assert any("only the short training" in one for one in words.cautions(record))


def test_what_mattered_and_what_is_covered_are_sentences():
    record = frontier_example.record()
    assert words.mattered(record) == "of accuracy, student.width explains 80 %, distill.losses 20 %"
    assert words.mattered(frontier_example.record(importance={})) is None
    assert words.covered(record).startswith("hypervolume 0.420")
    assert words.against(record) == "accuracy against latency and size"
    assert words.how_many(record) == (
        "5 choices: 4 trained for a short time, 3 for the whole, 1 left out before training"
    )


def test_a_search_without_importance_says_why():
    text = page(frontier_example.record(importance={}, importance_missing="3 choices were trained"))
    assert "Not drawn: 3 choices were trained" in text


@pytest.fixture(scope="module")
def browser(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("page")
    path = folder / "search.html"
    path.write_text(text, encoding="utf-8")
    with browser_tools.visited(path.as_uri(), folder / "profile") as tab:
        tab.wait_for("document.querySelector('.axes select') !== null")
        yield tab


def shown(browser):
    return browser.evaluate(
        "[...document.querySelectorAll('#tradeoffs figure')]"
        ".filter((one) => one.offsetParent !== null).map((one) => one.id).join()"
    )


def choose(browser, axes):
    browser.evaluate(
        f"(() => {{ const s = document.querySelector('.axes select'); s.value = '{axes}';"
        " s.dispatchEvent(new Event('change')); })()"
    )


def test_a_list_chooses_the_axes(browser):
    choose(browser, "of-latency-score")
    assert shown(browser) == "of-latency-score"
    choose(browser, "of-size-score")
    assert shown(browser) == "of-size-score"


def test_the_keyboard_goes_through_the_frontier_and_each_point_is_told(browser):
    choose(browser, "of-size-score")
    first = "[...document.querySelectorAll('#of-size-score .point[tabindex]')]"
    assert browser.evaluate(f"{first}.length") == 4
    assert browser.evaluate(f"{first}.filter((one) => one.tabIndex === 0).length") == 1
    browser.evaluate(f"{first}[0].focus()")
    told = "document.querySelector('.told').textContent"
    assert browser.evaluate(told).startswith("point 01, resnet8 × 8, int8-static")
    browser.evaluate(
        "document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))"
    )
    assert browser.evaluate(told).startswith("point 02, resnet8 × 16")
    lit = "document.querySelector('#frontier tr.lit').cells[0].textContent.trim()"
    assert browser.evaluate(lit) == "02"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_window(browser, width, dark):
    browser.sized(width, 844, dark=dark)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.evaluate(wide) <= 0


def test_on_paper_all_pairs_are_drawn(browser):
    browser.sized(1280, 800, media="print")
    assert shown(browser).count("of-") == 3
    browser.sized(1280, 800)


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_it_keeps_nobody_out_and_scrolls_not_sideways(browser, width, dark):
    """By axe-core, with every choice unfolded."""
    browser.evaluate(
        "document.querySelectorAll('details').forEach((one) => { one.open = true; });0"
    )
    browser.sized(width, 844, dark=dark)
    assert browser.barriers() == []
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
