"""The script that names untested modules finds what it is there to find."""

from tools.untested_modules import has_logic, imported, untested

CODE = "def area(side):\n    return side * side\n"


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_module_is_tested_by_an_import_in_its_own_folder_only(tmp_path):
    root = tree(
        tmp_path,
        {
            "devices/bench/stopping.py": CODE,
            "devices/bench/figures.py": CODE,
            "devices/bench/names.py": 'UNITS = ("ms", "s")\n',
            "tests/devices/bench/test_stopping.py": "from edgestill.devices.bench import stopping",
            "tests/pipeline/test_other.py": "from edgestill.devices.bench.figures import area",
        },
    )
    assert untested(root) == ["devices/bench/figures.py"]


def test_a_test_below_the_folder_counts_as_one_of_the_folder(tmp_path):
    root = tree(
        tmp_path,
        {
            "devices/doctor.py": CODE,
            "tests/devices/bench/test_x.py": "from edgestill.devices import doctor",
        },
    )
    assert untested(root) == []


def test_a_module_that_is_started_as_a_program_counts_as_imported():
    modules = {"devices.worker", "devices.job", "devices.idle"}
    assert imported('run("edgestill.devices.worker")', modules) == {"devices.worker"}
    assert imported('CHILD = "from edgestill.devices import job, idle"', modules) == {
        "devices.job",
        "devices.idle",
    }


def test_constants_are_no_logic_and_a_method_is():
    assert not has_logic('"""Names."""\nA = {"b": 1}\n')
    assert has_logic("class A:\n    def b(self):\n        return 1\n")
