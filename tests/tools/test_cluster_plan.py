"""The paper plan: its bytes are those that the product stores, and the page has its tables."""

from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.pipeline.distill import targets
from tools.cluster_plan import BEGIN, END, PAGE, SAMPLES, VIEWS, number_of_shards, plan, row_bytes


@pytest.mark.parametrize("classes", [10, 256, 257, 1000, 70_000])
def test_a_row_takes_what_the_arrays_of_the_product_take(tmp_path, classes):
    data = SimpleNamespace(task="classification")
    kept = targets.kept_of(classes, 0, data)
    files = targets._files(tmp_path, data, (3,), classes, kept)
    assert sum(np.asarray(array).nbytes for array in files.values()) == 3 * row_bytes(classes)


def test_the_page_has_the_tables_of_the_script():
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == plan()


def test_there_are_as_many_shards_as_the_product_makes():
    number, blocks = number_of_shards(SAMPLES, VIEWS)
    assert (number, blocks) == (4004, 20)
