"""The commit of a recipe's folder, as git says it."""

import shutil
import subprocess

import pytest
from edgestill.pipeline.recipe.files import bundled
from edgestill.pipeline.runs import commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *words):
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *settings, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "--quiet")
    recipe = tmp_path / "recipes" / "mine.toml"
    recipe.parent.mkdir()
    recipe.write_text('name = "mine"\n')
    (tmp_path / "elsewhere.txt").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return recipe


def test_a_recipe_in_a_repository_has_its_commit(repository):
    found = commit.of_recipe(repository)
    assert found.sha == git(repository.parent, "rev-parse", "HEAD")
    assert not found.changed


def test_a_change_counts_where_the_recipe_lies_and_not_elsewhere(repository):
    (repository.parents[1] / "elsewhere.txt").write_text("b")
    assert not commit.of_recipe(repository).changed
    (repository.parent / "new.txt").write_text("not tracked")
    assert not commit.of_recipe(repository).changed
    repository.write_text('name = "other"\n')
    assert commit.of_recipe(repository).changed


def test_outside_of_a_repository_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "mine.toml").write_text("")
    assert commit.of_recipe(tmp_path / "mine.toml") is None
    assert commit.of_recipe(tmp_path / "gone" / "mine.toml") is None


def test_a_recipe_that_ships_with_the_package_has_none():
    """The repository that it lies in, where it is one, is not the user's."""
    assert commit.of_recipe(bundled("digits")) is None


def test_without_git_there_is_none(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert commit.of_recipe(repository) is None
