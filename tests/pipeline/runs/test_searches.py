"""A search on disk: whole or not there, and refused at once where it cannot be written."""

import frontier_example
import pytest
from edgestill.errors import StorageError
from edgestill.pipeline.records import FrontierRecord
from edgestill.pipeline.runs import searches


def test_a_search_is_a_folder_with_its_record_its_page_and_its_recipes(tmp_path):
    record = frontier_example.record()
    folder = searches.write(tmp_path, record, "recipe", {"recipes/01.toml": "point"})
    assert folder.parent == tmp_path / "searches" / "example"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"search.json", "search.html", "recipe.toml", "recipes/01.toml"}
    assert FrontierRecord.model_validate_json((folder / searches.RECORD).read_bytes()) == record


def test_what_cannot_be_written_whole_is_not_there(tmp_path):
    with pytest.raises(TypeError):
        searches.write(tmp_path, frontier_example.record(), "recipe", {"recipes/01.toml": None})
    assert list((tmp_path / "searches" / "example").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "searches").write_text("a file")
    with pytest.raises(StorageError, match="cannot write"):
        searches.prepare(tmp_path, "example")
