"""What a recipe names outside itself is read by content, before anything runs."""

import pytest
import tiny
from edgestill.errors import DataError, ModelError, UsageError
from edgestill.pipeline.outside import outside
from edgestill.pipeline.recipe.files import load


def test_each_name_is_a_hash_of_its_content_and_a_family_names_nothing(tmp_path):
    named = outside(load(tiny.write(tmp_path)))
    assert len(named.data) == 64
    assert (named.tokenizer, named.teachers, named.student, named.losses) == (
        None,
        (None,),
        None,
        (),
    )
    assert named.device.name == "host"
    assert named.device.figures == {}


def test_another_data_set_has_another_hash_and_none_is_refused(tmp_path):
    recipe = load(tiny.write(tmp_path))
    before = outside(recipe).data
    with (tmp_path / "tiny.npz").open("ab") as file:
        file.write(b"\0")
    assert outside(recipe).data != before
    (tmp_path / "tiny.npz").unlink()
    with pytest.raises(DataError):
        outside(recipe)


def test_all_that_is_not_there_is_told_at_once(tmp_path):
    recipe = tiny.write(tmp_path)
    (tmp_path / "tiny.npz").unlink()
    told = ("student.model=nowhere:make", "benchmark.device=rasberry-pi-5")
    with pytest.raises(UsageError) as refused:
        outside(load(recipe, told))
    found = {type(one): one.line() for one in refused.value.problems}
    assert "did you mean 'raspberry-pi-5'?" in found[UsageError]
    assert "tiny.npz" in found[DataError]
    assert "no module 'nowhere'" in found[ModelError]
    assert len(refused.value.problems) == 3


def test_a_kind_of_teacher_is_no_module_of_the_users(tmp_path, monkeypatch):
    (tmp_path / "timm.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    recipe = load(tiny.write(tmp_path), ["teacher.model=timm:tiny"])
    assert outside(recipe).teachers
