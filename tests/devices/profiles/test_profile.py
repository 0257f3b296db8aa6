"""Profiles of devices: found by name, read from a user's file, refused in our words."""

import pytest
from edgestill.devices.profiles.profile import (
    ALIASES,
    HOST,
    load,
    names,
    same_device,
    suggestion,
)
from edgestill.errors import UsageError
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.recipe.compress import Compress
from edgestill.pipeline.recipe.files import bundled
from edgestill.pipeline.recipe.files import load as load_recipe

GOOD = 'title = "T"\narch = "aarch64"\nfeatures = ["neon"]\nsource = "its manual"\n'


@pytest.mark.parametrize("name", names())
def test_every_profile_loads_and_says_where_it_is_from(name):
    profile = load(name)
    assert profile.name == name
    assert profile.title
    assert profile.source
    assert profile.features


TARGETS = [name for name in names() if name != HOST]

# Operations of one core in a cycle, fp32 and int8, a multiply-add counted as two: instructions a
# cycle x 128-bit (ARM) or 256-bit (x86) lanes x 2. FMLA, SDOT, SMMLA and VPDPBUSD take one cycle of
# a pipeline; without a dot product 16 int8 products and their 32-bit sums take 3 instructions.
A_CYCLE = {
    "cortex-a53": (1 * 4 * 2, 16 * 2 / 4),
    "raspberry-pi-4": (1 * 4 * 2, 16 * 2 / 2),
    "raspberry-pi-5": (2 * 4 * 2, 2 * 16 * 2),
    "pixel-big": (4 * 4 * 2, 4 * 16 * 2),
    "pixel-little": (1 * 4 * 2, 1 * 16 * 2),
    "jetson-orin-nano": (2 * 4 * 2, 2 * 16 * 2),
    "snapdragon-8": (4 * 4 * 2, 4 * 32 * 2),
    "x86-avx2": (2 * 8 * 2, 32 * 2),
    "x86-vnni": (2 * 8 * 2, 2 * 32 * 2),
}
BOUNDS = {
    "cores": (1, 64),
    "clock_ghz": (0.5, 6),
    "l1d_kib": (16, 128),
    "l2_kib": (128, 4096),
    "l3_kib": (1024, 32768),
    "memory_gib": (0.5, 64),
    "bandwidth_gb_s": (1, 100),
    "fp32_gflop_s": (4, 250),
    "int8_gop_s": (4, 1000),
    "idle_watts": (0.5, 20),
    "busy_watts": (1, 100),
    "fp32_mac_pj": (1, 10),
    "int8_mac_pj": (0.05, 1),
    "byte_pj": (20, 400),
}


def value(name, key):
    return load(name).figures[key].value


@pytest.mark.parametrize("name", TARGETS)
def test_every_figure_of_a_bundled_profile_has_a_source_and_is_possible(name):
    for key, figure in load(name).figures.items():
        low, high = BOUNDS[key]
        assert low <= figure.value <= high, key
        assert len(figure.source) > 20, key


@pytest.mark.parametrize("name", TARGETS)
def test_every_bundled_profile_has_what_a_prediction_needs(name):
    needed = {"cores", "clock_ghz", "l2_kib", "bandwidth_gb_s", "fp32_gflop_s", "int8_gop_s"}
    needed |= {"fp32_mac_pj", "int8_mac_pj", "byte_pj"}
    assert needed <= set(load(name).figures)


@pytest.mark.parametrize("name", TARGETS)
def test_a_peak_is_the_clock_times_what_a_core_does_in_a_cycle(name):
    clock = value(name, "clock_ghz")
    for key, operations in zip(("fp32_gflop_s", "int8_gop_s"), A_CYCLE[name], strict=True):
        assert value(name, key) == pytest.approx(clock * operations, rel=0.02), key


@pytest.mark.parametrize("name", TARGETS)
def test_int8_is_as_fast_as_fp32_and_four_times_so_with_a_dot_product(name):
    profile = load(name)
    ratio = value(name, "int8_gop_s") / value(name, "fp32_gflop_s")
    assert ratio >= (4 if profile.dot_product or "avx_vnni" in profile.features else 1)


@pytest.mark.parametrize("name", TARGETS)
def test_energy_coefficients_have_a_range_and_int8_costs_less(name):
    figures = load(name).figures
    fp32, int8 = figures["fp32_mac_pj"], figures["int8_mac_pj"]
    assert int8.value < fp32.value
    assert int8.high < fp32.high
    for key in ("fp32_mac_pj", "int8_mac_pj", "byte_pj"):
        assert figures[key].low < figures[key].high
    # Horowitz's point: to fetch a float costs more than to multiply it.
    assert 4 * figures["byte_pj"].low > fp32.value


def test_the_host_tells_what_can_be_read_and_no_peak_that_was_not_measured():
    figures = load(HOST).figures
    assert figures["cores"].value >= 1
    assert "fp32_gflop_s" not in figures


def test_figures_do_not_decide_how_a_model_is_compressed(tmp_path):
    """A plan is part of the key that compressed variants are stored under."""
    board = tmp_path / "board.toml"
    board.write_text(GOOD)
    before = plan(Compress(target=str(board)))
    board.write_text(GOOD + '[bandwidth_gb_s]\nvalue = 4\nsource = "s"\n')
    assert plan(Compress(target=str(board))) == before
    board.write_text(GOOD.replace('"neon"', '"neon", "asimddp"'))
    assert plan(Compress(target=str(board))) != before


def test_a_recipe_finds_its_targets_file_beside_itself(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/board.toml").write_text(GOOD)
    recipe = tmp_path / "here/recipe.toml"
    text = bundled("start").read_text()
    recipe.write_text(text.replace("[compress]", '[compress]\ntarget = "board.toml"', 1))
    monkeypatch.chdir(tmp_path)
    asked = load_recipe(recipe).compress
    assert plan(asked).device == "T"
    assert load_recipe(recipe, ["compress.target=x86-vnni"]).compress.target == "x86-vnni"


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
        (GOOD.replace("[", "7 # ["), "features (a list of strings)"),
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
    (tmp_path / "nome.toml").touch()
    with pytest.raises(UsageError, match=r"none.toml: no such file; did you mean 'nome.toml'"):
        load(str(tmp_path / "none.toml"))


def test_a_board_inherits_what_it_does_not_say_with_the_source(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text(
        'like = "raspberry-pi-5"\ntitle = "Ours"\n'
        '[clock_ghz]\nvalue = 2.0\nsource = "its firmware"\n'
        '[reach]\nvia = "ssh"\nhost = "board.local"\n'
    )
    board, base = load(str(path)), load("raspberry-pi-5")
    assert (board.name, board.title) == ("board", "Ours")
    assert (board.arch, board.features, board.source) == (base.arch, base.features, base.source)
    assert board.qemu_cpu == "cortex-a76"
    assert (board.figures["clock_ghz"].value, board.figures["clock_ghz"].source) == (
        2.0,
        "its firmware",
    )
    assert board.figures["l2_kib"] == base.figures["l2_kib"]
    assert board.figures.keys() == base.figures.keys()
    assert board.reach.host == "board.local"


def test_a_board_is_a_device_of_its_own(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(
            f'like = "raspberry-pi-5"\n[reach]\nvia = "ssh"\nhost = "{name}.local"\n'
        )
    one, two = (load(str(tmp_path / f"{name}.toml")) for name in ("one", "two"))
    assert same_device(one, load(str(tmp_path / "one.toml")))
    assert not same_device(one, two)
    assert not same_device(one, load("raspberry-pi-5"))


def test_a_file_beside_it_is_inherited_from_but_for_how_it_is_reached(tmp_path):
    (tmp_path / "a.toml").write_text(
        'like = "cortex-a53"\nqemu_cpu = "cortex-a55"\n[reach]\nvia = "ssh"\nhost = "a"\n'
    )
    (tmp_path / "b.toml").write_text('like = "a.toml"\n')
    board = load(str(tmp_path / "b.toml"))
    assert (board.name, board.qemu_cpu, board.reach) == ("b", "cortex-a55", None)
    assert board.figures == load("cortex-a53").figures


@pytest.mark.parametrize(
    ("like", "told"),
    [
        ('"board.toml"', "a circle: board.toml is like board.toml"),
        ('"other.toml"', "a circle: board.toml is like other.toml is like board.toml"),
        ('"rpi5"', "did you mean 'raspberry-pi-5'"),
        ('"missing.toml"', "missing.toml: no such file"),
        ("5", "the name of a device"),
    ],
)
def test_what_it_is_like_is_a_device_and_not_itself(tmp_path, like, told):
    (tmp_path / "other.toml").write_text('like = "board.toml"\n')
    (tmp_path / "board.toml").write_text(f"like = {like}\n")
    with pytest.raises(UsageError) as refused:
        load(str(tmp_path / "board.toml"))
    assert told in str(refused.value)


@pytest.mark.parametrize("line", ["arch = 5", 'arch = "riscv"', "features = [1]", "nonsense = 1"])
def test_what_a_board_says_itself_is_checked(tmp_path, line):
    path = tmp_path / "board.toml"
    path.write_text(f'like = "raspberry-pi-5"\n{line}\n')
    with pytest.raises(UsageError):
        load(str(path))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("rpi5", "raspberry-pi-5"),
        ("RPi 4", "raspberry-pi-4"),
        ("raspberrypi5", "raspberry-pi-5"),
        ("raspberry_pi_5", "raspberry-pi-5"),
        ("cortex-a76", "raspberry-pi-5"),
        ("x86-vnnni", "x86-vnni"),
        ("toaster", None),
    ],
)
def test_a_name_that_is_none_is_met_with_the_one_that_is_meant(name, meant):
    assert suggestion(name) == meant
    if meant:
        with pytest.raises(UsageError, match=f"did you mean '{meant}'"):
            load(name)


def test_every_alias_stands_for_a_device():
    assert set(ALIASES.values()) <= set(names())
    assert not set(ALIASES) & set(names())
