"""What is opened as a bundle: nothing that leads out of its folder or fills a disk."""

import shutil
import stat
import zipfile

import pytest
from edgestill.errors import MaterialError, StorageError
from edgestill.pipeline.handover import opened as module
from edgestill.pipeline.handover.manifest import MANIFEST
from edgestill.pipeline.handover.opened import differences, is_bundle, opened


@pytest.fixture
def packed(folder, tmp_path):
    """Makes a zip of the bundle and of further entries: (ZipInfo or name, content) each."""

    def pack(*entries, prefix="", method=zipfile.ZIP_STORED):
        path = tmp_path / "b.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, f"{prefix}{file.relative_to(folder).as_posix()}")
            for entry, content in entries:
                archive.writestr(entry, content)
        return path

    return pack


def refused(path, match):
    with pytest.raises(MaterialError, match=match), opened(path):
        pass


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("prefix", ["", "digits-bundle/"])
def test_a_zip_of_the_files_or_of_one_folder_with_them_is_opened(packed, prefix, method):
    with opened(packed(prefix=prefix, method=method)) as bundle:
        assert bundle.manifest.name == "digits"
        assert differences(bundle) == []
        there = bundle.folder
    assert not there.exists()


def test_a_folder_is_opened_where_it_is(folder):
    with opened(folder) as bundle:
        assert (bundle.folder, differences(bundle)) == (folder, [])


def test_a_bundle_is_told_from_a_run(folder, run, packed):
    assert is_bundle(folder)
    assert is_bundle(packed())
    assert not is_bundle(run)
    assert not is_bundle(run / "nothing")


@pytest.mark.parametrize(
    "name", ["../evil", "models/../../evil", "/evil", "a\\..\\evil", "c:evil", "a//b", "\x1b[31m"]
)
def test_a_name_that_leads_elsewhere_is_refused(packed, tmp_path, name):
    refused(packed((name, b"x")), "in a zip that is not unpacked")
    assert not list(tmp_path.rglob("evil"))


def entry(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.create_system = 3
    return info


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device_is_refused(packed, kind):
    refused(packed((entry("models/link", kind | 0o777), b"/etc/passwd")), "a link or no file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(packed):
    refused(packed(("labels.txt", b"other")), r"'labels\.txt' twice")


def test_a_file_where_a_folder_is_is_refused(packed):
    refused(packed(("models/fp32.onnx/x", b"other")), "two entries at one place")


def test_a_bomb_is_refused_before_anything_is_unpacked(packed, monkeypatch):
    path = packed(("zeros", bytes(64 << 20)), method=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(module.shutil, "copyfileobj", None)
    assert path.stat().st_size < 1 << 20
    refused(path, r"64 MiB once unpacked, \d+ times")


def test_too_many_entries_are_refused(packed, monkeypatch):
    monkeypatch.setattr(module, "MOST_FILES", 10)
    refused(packed(), r"\d+ entries")


def test_a_zip_with_a_password_is_refused(packed):
    path = packed()
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        content[archive.start_dir + 8] |= 1  # the flags of the first entry
    path.write_bytes(content)
    refused(path, "has a password")


def test_a_zip_that_was_cut_short_or_changed_is_refused(packed):
    path = packed()
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    refused(path, "no zip that can be read")
    path.write_bytes(whole.replace(b"fp32.onnx of a test", b"another of a test.."))
    refused(path, "no zip that can be read")


def test_no_room_to_unpack_is_said(packed, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(StorageError, match="0 MiB free in"), opened(packed()):
        pass


def test_what_is_no_bundle_is_refused(tmp_path, packed):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", f"no {MANIFEST} there")
    refused(tmp_path / "nothing", "no such file or folder")
    (tmp_path / "b.txt").write_text("text")
    refused(tmp_path / "b.txt", "no zip that can be read")
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    refused(tmp_path / "e.zip", f"no {MANIFEST} there")


def test_a_huge_manifest_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(module, "_MANIFEST_BYTES", 10)
    refused(folder, "expected at most 0 MiB")


def test_a_manifest_that_is_a_link_is_refused(folder, tmp_path):
    (folder / MANIFEST).rename(tmp_path / "elsewhere.json")
    (folder / MANIFEST).symlink_to(tmp_path / "elsewhere.json")
    refused(folder, f"no {MANIFEST} there")


@pytest.mark.parametrize("name", ["models/fp32.onnx", "models"])
def test_a_link_in_a_folder_is_refused(folder, tmp_path, name):
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with opened(folder) as bundle, pytest.raises(MaterialError, match="no plain file"):
        differences(bundle)


def test_every_change_is_named(folder):
    (folder / "models" / "fp32.onnx").write_bytes(b"FP32.onnx of a test")
    (folder / "models" / "fp32.ort").write_bytes(b"longer than it was before")
    (folder / "labels.txt").unlink()
    (folder / "more.txt").write_text("")
    with opened(folder) as bundle:
        assert differences(bundle) == [
            "labels.txt is missing",
            "more.txt is not in the manifest",
            "models/fp32.onnx changed",
            "models/fp32.ort changed",
        ]
