"""The link to the run that the last build gave."""

import os

import pytest
from edgestill.pipeline.runs.latest import LATEST, point, run_of


@pytest.fixture
def runs(tmp_path):
    for name in ("2026-01-01", "2026-01-02"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_it_names_the_run_and_can_be_moved_with_its_folder(runs):
    point(runs / "2026-01-01")
    assert os.readlink(runs / LATEST) == "2026-01-01"  # noqa: PTH115 - as text
    point(runs / "2026-01-02")
    assert run_of(runs / LATEST) == runs / "2026-01-02"
    moved = runs.rename(runs.with_name("elsewhere"))
    assert (moved / LATEST).resolve() == (moved / "2026-01-02").resolve()
    assert sorted(path.name for path in moved.iterdir()) == ["2026-01-01", "2026-01-02", LATEST]


def test_what_a_user_put_there_stays(runs):
    (runs / LATEST).mkdir()
    point(runs / "2026-01-01")
    assert not (runs / LATEST).is_symlink()
    assert run_of(runs / LATEST) == runs / LATEST


def test_a_link_to_a_run_that_is_gone_is_replaced(runs):
    (runs / LATEST).symlink_to("2025-01-01")
    point(runs / "2026-01-01")
    assert run_of(runs / LATEST) == runs / "2026-01-01"


@pytest.mark.parametrize("error", [OSError("no right to make links"), NotImplementedError()])
def test_where_there_are_no_links_there_is_none(runs, monkeypatch, error):
    def refused(*_, **__):
        raise error

    monkeypatch.setattr(type(runs), "symlink_to", refused)
    point(runs / "2026-01-01")
    assert sorted(path.name for path in runs.iterdir()) == ["2026-01-01", "2026-01-02"]


def test_a_link_that_cannot_be_replaced_is_removed_first(runs, monkeypatch):
    point(runs / "2026-01-01")

    def refused(*_, **__):
        raise PermissionError("a folder")

    monkeypatch.setattr(type(runs), "replace", refused)
    point(runs / "2026-01-02")
    assert run_of(runs / LATEST) == runs / "2026-01-02"
    monkeypatch.setattr(type(runs), "symlink_to", refused)
    point(runs / "2026-01-01")
    assert sorted(path.name for path in runs.iterdir()) == ["2026-01-01", "2026-01-02"]


def test_another_path_is_as_it_is(runs):
    assert run_of(runs / "2026-01-01") == runs / "2026-01-01"
    link = runs / "other"
    link.symlink_to("2026-01-01")
    assert run_of(link) == link


def test_a_build_moves_it_and_every_command_takes_it_for_the_run(own_build, tmp_path):
    import edgestill

    run = own_build[0].run
    link = run.parent / LATEST
    assert run_of(link) == run
    found = edgestill.load_run(link)
    assert found.path == run
    assert edgestill.verify(link).path == run
    judged = found.gate({"max_size_kib": 0.25})
    assert judged.path.parent == run.parent
    assert run_of(link) == run, "only builds move it"
    assert edgestill.load_run(judged.path.parent / LATEST).gate({}).path == run
    edgestill.bundle(link, tmp_path / "bundle")
    assert (tmp_path / "bundle").is_dir()
