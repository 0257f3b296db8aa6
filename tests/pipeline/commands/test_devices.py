"""``edgestill devices``: what is known of each device, told, and this one measured."""

import json
import re
import subprocess
import sys

import click
import pytest
from edgestill.devices.doctor import checks
from edgestill.devices.profiles.profile import FIGURES, load, names
from edgestill.errors import UsageError
from edgestill.pipeline.commands.cli import cli
from edgestill.pipeline.commands.devices import DEVICE_COMMANDS, doctor, document
from edgestill.pipeline.commands.shared import Invocation

BOARD = """title = "A [b]board[/b]"
arch = "aarch64"
features = ["neon"]
source = "its manual"
[clock_ghz]
value = 1.25
low = 1.0
source = "its [red]data sheet"
"""


def told(capsys, *arguments, as_json=False):
    cli.main(["devices", *arguments], standalone_mode=False, obj=Invocation(json=as_json))
    out = capsys.readouterr().out
    return json.loads(out) if as_json else out


def ended(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "edgestill", "devices", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_list_names_every_device_with_its_peaks(capsys):
    out = told(capsys, "list")
    for name in names():
        (line,) = (line for line in out.splitlines() if line.startswith(f"{name} "))
        figures = load(name).figures
        for key in ("cores", "clock_ghz", "fp32_gflop_s", "int8_gop_s", "bandwidth_gb_s"):
            assert (f"{figures[key].value:.6g}" if key in figures else "-") in line.split()


def test_list_as_json_has_every_figure_and_null_for_the_unknown(capsys):
    devices = {one["name"]: one for one in told(capsys, "list", as_json=True)}
    assert tuple(devices) == names()
    for name, one in devices.items():
        assert list(one["figures"]) == list(FIGURES)
        known = {key for key, figure in one["figures"].items() if figure is not None}
        assert known == set(load(name).figures)
    pi = devices["raspberry-pi-5"]
    assert (pi["arch"], pi["kernels"]) == ("aarch64", "neon_dotprod")
    assert pi["figures"]["clock_ghz"]["value"] == 2.4
    assert "GHz" in pi["figures"]["clock_ghz"]["what"]


def test_show_tells_each_figure_its_unit_and_where_it_is_from(capsys):
    out = " ".join(told(capsys, "show", "raspberry-pi-4").split())
    assert "fp32_gflop_s 14.4 from 12 to 14.4 peak of one core in fp32" in out
    assert "Raspberry Pi 4 Model B specifications: 1.8 GHz" in out
    assert "l3_kib - level 3 or system cache, KiB not known" in out


def test_show_takes_a_users_own_file_and_prints_its_words_as_they_are(capsys, tmp_path):
    (tmp_path / "board.toml").write_text(BOARD)
    out = told(capsys, "show", str(tmp_path / "board.toml"))
    assert out.startswith("board: A [b]board[/b]\n")
    assert "its [red]data sheet" in out
    one = told(capsys, "show", str(tmp_path / "board.toml"), as_json=True)
    assert one["figures"]["clock_ghz"]["low"] == 1.0
    assert one["figures"]["clock_ghz"]["high"] is None


def test_a_misspelt_device_is_refused_with_the_nearest():
    refused = ended("show", "raspbery-pi-5")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "did you mean 'raspberry-pi-5'?" in refused.stderr


def test_a_command_that_is_none_is_refused_in_one_line():
    refused = ended("lst")
    assert refused.returncode == 2
    assert "No such command 'lst'. Did you mean 'list'?" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert len(refused.stderr) < 120


def test_probe_writes_a_profile_that_can_be_shown_and_does_not_overwrite_it(tmp_path, capsys):
    file = tmp_path / "here.toml"
    probed = ended("probe", "--seconds", "0.05", "--out", file, "--json")
    assert probed.returncode == 0, probed.stderr
    document = json.loads(probed.stdout)
    assert document["figures"]["fp32_gflop_s"]["value"] > 0
    before = file.read_bytes()
    shown = told(capsys, "show", str(file), as_json=True)
    assert shown["figures"] == document["figures"]
    assert shown["name"] == "here"
    with pytest.raises(UsageError, match="found a file that exists, expected a new file"):
        told(capsys, "probe", "--seconds", "0.05", "--out", str(file))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "said"), [("here.json", "ends in .toml"), ("none/here.toml", "no such folder")]
)
def test_probe_refuses_a_place_it_cannot_write_before_it_measures(out, said, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "edgestill.devices.operators.probe.probe", lambda **_: pytest.fail("it measured")
    )
    with pytest.raises(UsageError, match=said):
        told(None, "probe", "--out", str(tmp_path / out))


def test_a_profile_as_a_document_has_null_for_an_unknown_figure():
    figures = document(load("raspberry-pi-4"))["figures"]
    assert figures["l3_kib"] is None
    assert figures["clock_ghz"]["value"] == load("raspberry-pi-4").figures["clock_ghz"].value


@pytest.mark.parametrize("name", DEVICE_COMMANDS)
def test_every_command_and_option_says_what_it_is(name):
    one = cli.commands["devices"].commands[name]
    assert one.get_short_help_str()
    for parameter in one.params:
        assert not isinstance(parameter, click.Option) or parameter.help


def test_the_doctor_says_of_what_is_well_what_it_means(capsys):
    doctor.main([], standalone_mode=False, obj=Invocation())
    lines = capsys.readouterr().out.splitlines()
    clock = next(line for line in lines if " clock: " in line)
    assert re.fullmatch(
        r"ok +clock: read in steps of \d+ ns; single queries of a few microseconds can be timed",
        clock,
    )
    assert not any("clear_refs" in line for line in lines)
    for one in checks():
        if one.state == "ok" and one.name not in ("virtualised", "clock"):
            assert f"{one.name}: {one.found}; {one.means}" in "\n".join(lines)
