"""One tiny build, shared by every test that only looks at it."""

import pytest
import tiny


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A finished tiny build and where it lies: (Built, recipe, artifacts)."""
    import edgestill

    folder = tmp_path_factory.mktemp("tiny")
    recipe = tiny.write(folder)
    return edgestill.build(recipe, artifacts=folder / "artifacts"), recipe, folder / "artifacts"
