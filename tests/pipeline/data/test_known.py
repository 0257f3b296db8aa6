"""What is known of a recipe's data before the data stage, and after it."""

import tiny
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.data import examine
from edgestill.pipeline.data.known import record_of
from edgestill.pipeline.engine.store import Store
from edgestill.pipeline.recipe.files import load


def test_the_record_of_the_store_comes_before_a_look_at_the_data(tmp_path, monkeypatch):
    recipe = load(tiny.write(tmp_path))
    store = Store(tmp_path / "artifacts", lambda _: None)
    looked = record_of(recipe.data, recipe.seed, store, "0" * 64)
    assert (looked.sample_shape, looked.fingerprint) == ((6,), "")
    built = pipeline.build(recipe, artifacts=tmp_path / "artifacts", until="data").stopped
    assert record_of(recipe.data, recipe.seed, store, built.key) == built.record
    monkeypatch.setattr(examine, "MOST_BYTES", 10)
    assert record_of(recipe.data, recipe.seed, store, "0" * 64) is None
