"""Profiles of devices: found by name, read from a user's file, refused in our words."""

import pytest
from edgestill.devices.profile import load, names
from edgestill.errors import UsageError

GOOD = 'title = "T"\narch = "aarch64"\nfeatures = ["neon"]\nsource = "its manual"\n'


@pytest.mark.parametrize("name", names())
def test_every_profile_loads_and_says_where_it_is_from(name):
    profile = load(name)
    assert profile.name == name
    assert profile.title
    assert profile.source
    assert profile.features


@pytest.mark.parametrize(
    ("name", "saturates", "kernels"),
    [
        ("x86-avx2", True, "avx2"),
        ("x86-vnni", False, "avx_vnni"),
        ("raspberry-pi-4", False, "neon"),
        ("raspberry-pi-5", False, "neon_dotprod"),
    ],
)
def test_the_instruction_set_decides_about_saturation_and_kernels(name, saturates, kernels):
    assert load(name).saturates is saturates
    assert load(name).kernels == kernels


def test_a_users_own_file_is_a_profile(tmp_path):
    (tmp_path / "board.toml").write_text(GOOD)
    profile = load(str(tmp_path / "board.toml"))
    assert (profile.name, profile.title, profile.dot_product) == ("board", "T", False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("aarch64", "riscv"), "found 'riscv', expected x86_64 or aarch64"),
        (GOOD.replace("[", "7 # ["), "features (a list of texts)"),
        (GOOD + "core = 4\n", "found the keys arch, core, features, source, title"),
        (GOOD + "cores = 4\n", "found 4, expected a table of value (above 0), source"),
        (GOOD + '[cores]\nvalue = -4\nsource = "s"\n', "value (above 0)"),
        (GOOD + '[cores]\nvalue = nan\nsource = "s"\n', "value (above 0)"),
        (GOOD + '[cores]\nvalue = 4\nlow = 5\nsource = "s"\n', "low <= value <= high"),
        (GOOD.replace("title", "# title"), "expected title, arch"),
        ("= 3", "cannot be read"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path, text, said):
    (tmp_path / "board.toml").write_text(text)
    with pytest.raises(UsageError) as refusal:
        load(str(tmp_path / "board.toml"))
    assert said in str(refusal.value)
    assert "board.toml" in str(refusal.value)


def test_a_name_that_is_none_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'raspberry-pi-5'") as refusal:
        load("raspbery-pi-5", where="compress.target")
    assert str(refusal.value).startswith("compress.target: ")
    with pytest.raises(UsageError, match="cannot be read"):
        load(str(tmp_path / "none.toml"))
