"""Images from folders, metadata.csv and byte streams: what is decoded, what is refused."""

import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from edgestill.errors import DataError, HostError
from edgestill.pipeline.data import image_archive, image_pixels, images
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import Data
from PIL import Image
from shared_data import SHARED

CIFAR = SHARED / "cifar10_jpeg_stream.npz"


def picture(number=0, height=6, width=8, channels=3):
    """Pixels that no other number has."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(number).integers(0, 256, shape, np.uint8)


def put(path, pixels=None, **kept):
    """Write a picture, its format by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture() if pixels is None else pixels).save(path, **kept)
    return path


def classes(root, names=("cat", "dog"), each=3, suffix="png", **shape):
    """A folder of ``each`` pictures a class."""
    for c, name in enumerate(names):
        for i in range(each):
            put(root / name / f"{i}.{suffix}", picture(100 * c + i, **shape))
    return root


def metadata(root, text):
    (root / "metadata.csv").write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def read(tmp_path):
    """Read a source with parts of [data]; each time into a fresh scratch folder."""

    def reading(told, **part):
        scratch = tmp_path / f".scratch{len(list(tmp_path.glob('.scratch*')))}"
        scratch.mkdir()
        return images.read(str(told), scratch, Data(source="images:x", **part), Silent())

    return reading


@pytest.fixture
def refused(read):
    """The words of the refusal of a source."""

    def refusing(told, **part):
        with pytest.raises(DataError) as caught:
            read(told, **part)
        return str(caught.value)

    return refusing


# --- a folder a class -------------------------------------------------------------------------


def test_a_folder_gives_every_pixel_its_class_and_its_path_as_id(tmp_path, read):
    found = read(classes(tmp_path / "d"))
    assert found["x"].shape == (6, 6, 8, 3)
    assert found["x"].dtype == np.uint8
    assert np.array_equal(found["x"][4], picture(101))
    assert found["y"].tolist() == ["cat"] * 3 + ["dog"] * 3
    assert found["labels"] == ("cat", "dog")
    assert found["id"].tolist()[3:] == ["dog/0.png", "dog/1.png", "dog/2.png"]
    assert found["layout"] == "hwc"
    assert found["notes"] == ()
    assert "group" not in found


def test_the_front_end_says_what_an_application_has_to_do(tmp_path, read):
    root = classes(tmp_path / "d")
    assert read(root)["front_end"] == {
        "kind": "image", "height": 6, "width": 8, "channels": "RGB", "resize": None,
        "values": "uint8 0..255",
    }  # fmt: skip
    grey = read(root, image={"size": (4, 5), "channels": 1})["front_end"]
    assert grey == {
        "kind": "image", "height": 4, "width": 5, "channels": "L", "resize": "bilinear",
        "values": "uint8 0..255",
    }  # fmt: skip


def test_samples_are_memory_maps_that_nobody_can_write(tmp_path, read):
    found = read(split_folder(tmp_path / "d"))
    for split in ("train", "test"):
        assert isinstance(found[f"x_{split}"], np.memmap)
        assert not found[f"x_{split}"].flags.writeable


def test_the_same_folder_gives_the_same_bytes_twice(tmp_path, read):
    root = classes(tmp_path / "d", each=40, suffix="jpg", height=20, width=30)
    one, two = (read(root, image={"size": (8, 8)}) for _ in range(2))
    assert one["x"].tobytes() == two["x"].tobytes()
    assert one["id"].tolist() == two["id"].tolist()


def test_more_images_than_one_block_stay_in_order(tmp_path, read):
    count = 2 * image_pixels._BLOCK + 3
    found = read(classes(tmp_path / "d", each=count, height=2, width=2))
    for row, name in enumerate(found["id"]):
        folder, number = name.removesuffix(".png").split("/")
        assert np.array_equal(found["x"][row], picture(
            100 * ("cat", "dog").index(folder) + int(number), height=2, width=2
        ))  # fmt: skip


def test_classes_named_by_numbers_stand_in_the_order_of_numbers(tmp_path, read):
    found = read(classes(tmp_path / "d", names=[str(i) for i in range(12)], each=1))
    assert found["labels"] == tuple(str(i) for i in range(12))


def test_labels_of_the_recipe_say_the_order(tmp_path, read):
    found = read(classes(tmp_path / "d"), labels=("dog", "cat"))
    assert found["labels"] == ("dog", "cat")
    assert found["y"].tolist() == ["cat"] * 3 + ["dog"] * 3


def split_folder(root, names=("train", "val", "test")):
    for s, name in enumerate(names):
        for c in ("cat", "dog"):
            for i in range(2):
                put(root / name / c / f"{i}.png", picture(100 * s + 10 * len(c + name) + i))
    return root


def test_ready_splits_are_folders_above_the_classes(tmp_path, read):
    root = split_folder(tmp_path / "d")
    found = read(root)
    assert {key for key in found if key[1:2] == "_"} == {
        f"{axis}_{split}" for axis in "xy" for split in ("train", "validation", "test")
    }
    assert found["id_validation"].tolist() == [
        f"val/{c}/{i}.png" for c in ("cat", "dog") for i in range(2)
    ]
    for split, folder in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert found[f"y_{split}"].tolist() == ["cat", "cat", "dog", "dog"]
        for row, name in enumerate(found[f"id_{split}"]):
            assert name.startswith(folder)
            kept = np.asarray(Image.open(root / name))
            assert np.array_equal(found[f"x_{split}"][row], kept)


def test_calibration_may_be_ready_too(tmp_path, read):
    found = read(split_folder(tmp_path / "d", ("train", "validation", "calibration", "test")))
    assert len(found["x_calibration"]) == 4


def test_classes_may_be_called_as_splits_are(tmp_path, read):
    found = read(classes(tmp_path / "d", names=("bus", "train")))
    assert found["labels"] == ("bus", "train")


def test_hidden_files_and_papers_beside_the_classes_are_passed_over(tmp_path, read):
    root = classes(tmp_path / "d")
    (root / "README.md").write_text("about")
    (root / "cat" / ".DS_Store").write_text("x")
    put(root / ".cache" / "0.png")
    assert len(read(root)["x"]) == 6


def test_every_format_is_read(tmp_path, read):
    for number, suffix in enumerate(("png", "bmp", "gif", "webp", "jpg", "JPEG")):
        flat = np.full((16, 16, 3), 40 * number + 20, np.uint8)
        kept = {"lossless": True} if suffix == "webp" else {}
        put(tmp_path / "d" / "ab"[number % 2] / f"{number}.{suffix}", flat, **kept)
    found = read(tmp_path / "d")
    for row, name in enumerate(found["id"]):
        expected = 40 * int(Path(name).stem) + 20
        assert np.abs(found["x"][row].astype(int) - expected).max() <= 2, name


def test_embeddings_need_no_classes(tmp_path, read):
    for i in range(3):
        put(tmp_path / "d" / "any" / "deep" / f"{i}.png", picture(i))
    put(tmp_path / "d" / "top.png", picture(3))
    found = read(tmp_path / "d", task="embedding")
    assert found["x"].shape[0] == 4
    assert "y" not in found
    assert "labels" not in found
    ready = read(split_folder(tmp_path / "s"), task="embedding")
    assert len(ready["x_train"]) == 4
    assert "y_train" not in ready


# --- pixels -----------------------------------------------------------------------------------


def one(tmp_path, read, *, image=None, **part):
    """The first of two classes' only sample."""
    put(tmp_path / "d" / "z" / "other.png", picture(9, 4, 4))
    if image is not None:
        path = tmp_path / "d" / "a" / "it.png"
        path.parent.mkdir()
        image.save(path)
    return read(tmp_path / "d", **part)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_exif_says(tmp_path, read, orientation):
    upright = picture(5, 4, 4)
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(tmp_path / "d" / "a" / "it.png", np.ascontiguousarray(stored), exif=exif)
    assert np.array_equal(one(tmp_path, read)["x"][0], upright)


def test_exif_changes_the_size_before_sizes_are_compared(tmp_path, read):
    exif = Image.Exif()
    exif[0x0112] = 6
    put(tmp_path / "d" / "a" / "0.png", picture(0, 8, 6), exif=exif)
    put(tmp_path / "d" / "b" / "0.png", picture(1, 6, 8))
    assert read(tmp_path / "d")["x"].shape == (2, 6, 8, 3)


def test_what_is_transparent_lies_over_black_and_the_notes_say_so(tmp_path, read):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3] = [0, 51, 255, 255]
    found = one(tmp_path, read, image=Image.fromarray(pixels))
    assert found["x"][0, 0].tolist() == [[0] * 3, [40] * 3, [200] * 3, [200] * 3]
    assert found["notes"] == ("1 image was partly transparent and drawn over black.",)


def test_an_alpha_channel_that_hides_nothing_is_not_worth_a_note(tmp_path, read):
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[..., :3] = picture(3, 4, 4)
    found = one(tmp_path, read, image=Image.fromarray(pixels))
    assert np.array_equal(found["x"][0], pixels[..., :3])
    assert found["notes"] == ()


def test_a_palette_is_looked_up_and_its_transparent_colour_is_black(tmp_path, read):
    image = Image.new("P", (4, 4))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2, 0] * 4)
    (tmp_path / "d" / "a").mkdir(parents=True)
    image.save(tmp_path / "d" / "a" / "it.png", transparency=1)
    found = one(tmp_path, read)
    assert found["x"][0, 0].tolist() == [[255, 0, 0], [0, 0, 0], [0, 0, 255], [255, 0, 0]]


def test_of_sixteen_bits_the_high_eight_are_taken(tmp_path, read):
    deep = np.array([[0, 255, 256, 65535]] * 4, np.uint16)
    found = one(tmp_path, read, image=Image.fromarray(deep))
    assert found["x"][0, 0, :, 0].tolist() == [0, 0, 1, 255]
    assert found["notes"] == ("1 image was greyscale with 16 bits, of which the high 8 were used.",)


def test_grey_is_the_weighted_sum_of_itu_r_bt_601(tmp_path, read):
    root = classes(tmp_path / "d")
    found = read(root, image={"channels": 1})
    assert found["x"].shape == (6, 6, 8)
    assert found["layout"] == "hw"
    expected = picture(0) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(found["x"][0] - expected).max() <= 1


def test_grey_files_become_rgb_of_three_equal_channels(tmp_path, read):
    found = read(classes(tmp_path / "d", channels=1))
    assert np.array_equal(found["x"][0], np.repeat(picture(0, channels=1)[..., None], 3, 2))


def test_cmyk_jpegs_are_read_as_rgb(tmp_path, read):
    put(tmp_path / "d" / "a" / "0.png", picture(1, 8, 8))
    white = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    (tmp_path / "d" / "b").mkdir()
    white.save(tmp_path / "d" / "b" / "0.jpg")
    assert read(tmp_path / "d")["x"][1].min() > 250


def test_resizing_averages_where_it_shrinks(tmp_path, read):
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2] = 255
    for name in "ab":
        put(tmp_path / "d" / name / "0.png", stripes)
    inner = read(tmp_path / "d", image={"size": (4, 4)})["x"][0, :, 1:3]
    assert inner.min() > 120  # without antialiasing it would be all 0 or all 255
    assert inner.max() < 135


def test_images_of_other_sizes_are_resized_and_squeezed_ones_counted(tmp_path, read):
    put(tmp_path / "d" / "a" / "0.png", picture(0, 8, 8))
    put(tmp_path / "d" / "a" / "1.png", picture(1, 200, 201))
    put(tmp_path / "d" / "b" / "0.png", picture(2, 8, 16))
    put(tmp_path / "d" / "b" / "1.png", picture(3, 16, 8))
    found = read(tmp_path / "d", image={"size": (4, 4)})
    assert found["x"].shape == (4, 4, 4, 3)
    assert found["notes"] == (
        "2 images were of another aspect ratio than height 4 by width 4 and squeezed or stretched "
        "to it.",
    )


def test_height_comes_before_width(tmp_path, read):
    assert read(classes(tmp_path / "d"), image={"size": (3, 5)})["x"].shape == (6, 3, 5, 3)


# --- what is refused --------------------------------------------------------------------------


def test_an_image_of_another_size_is_named_with_the_fix(tmp_path, refused):
    root = classes(tmp_path / "d")
    put(root / "cat" / "1.png", picture(0, 7, 9))
    put(root / "dog" / "1.png", picture(0, 9, 9))
    words = refused(root)
    assert words == (
        f"{root}/cat/1.png: found height by width 7 by 9, expected 6 by 8 as of {root}/cat/0.png; "
        "set size = [height, width] in [data.image] to resize all images"
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp"])
def test_a_truncated_image_is_named(tmp_path, refused, suffix):
    root = classes(tmp_path / "d", suffix=suffix, height=40, width=40)
    path = root / "dog" / f"1.{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    words = refused(root)
    assert words.startswith(f"{path}: ")
    assert words.endswith("; repair it or remove it from the data set")


@pytest.mark.parametrize("content", [b"", b"not an image", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_is_named_whatever_its_suffix(tmp_path, refused, content):
    root = classes(tmp_path / "d")
    (root / "dog" / "1.png").write_bytes(content)
    assert refused(root) == (
        f"{root}/dog/1.png: not an image (JPEG, PNG, BMP, WebP or GIF); "
        "repair it or remove it from the data set"
    )


def test_other_formats_of_pillow_are_not_tried(tmp_path, refused):
    root = classes(tmp_path / "d")
    Image.fromarray(picture()).save(root / "dog" / "1.png", format="TIFF")
    assert "dog/1.png: not an image" in refused(root)


def bomb(side):
    """A PNG of a few bytes that says it is ``side`` pixels high and wide."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(
            ">I", zlib.crc32(kind + content)
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_decompression_bombs_are_refused(tmp_path, refused, side):
    root = classes(tmp_path / "d")
    (root / "dog" / "1.png").write_bytes(bomb(side))
    words = refused(root, image={"size": (4, 4)})
    assert "dog/1.png: more than 89478485 pixels" in words


def test_of_several_broken_images_the_first_is_named(tmp_path, refused):
    root = classes(tmp_path / "d", each=2 * image_pixels._BLOCK, height=2, width=2)
    names = sorted(f"{i}.png" for i in range(2 * image_pixels._BLOCK))
    for i in (len(names) - 1, image_pixels._BLOCK // 2):
        (root / "cat" / names[i]).write_bytes(b"x")
    assert f"cat/{names[image_pixels._BLOCK // 2]}: " in refused(root)


def test_a_missing_pillow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(HostError, match=r"pip install 'edgestill\[vision\]'"):
        images.read(str(tmp_path), tmp_path, Data(source="images:x"), Silent())


def empty(root):
    root.mkdir()


def one_class(root):
    classes(root, names=("cat",))


def loose(root):
    put(classes(root) / "0.png")


def foreign(root):
    (classes(root) / "cat" / "a.txt").write_text("x")


def deeper(root):
    put(classes(root) / "cat" / "more" / "0.png")


def mixed(root):
    put(split_folder(root) / "cow" / "0.png")


def loose_in_a_split(root):
    put(split_folder(root) / "val" / "0.png")


def splits_without_classes(root):
    put(root / "train" / "0.png")
    put(root / "test" / "0.png")


def no_test(root):
    split_folder(root, ("train", "val"))


def linked(root):
    (classes(root) / "dog" / "9.png").symlink_to(root / "cat" / "0.png")


def linked_folder(root):
    (classes(root) / "cow").symlink_to(root.parent)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (empty, "found no files, expected some that end in .bmp, .gif, .jpeg, .jpg, .png, .webp"),
        (one_class, "found one class, 'cat', expected at least two"),
        (loose, "found '0.png' in no class"),
        (foreign, "found the file 'cat/a.txt', expected one that ends in .bmp"),
        (deeper, "found the folder 'more' in the class 'cat'"),
        (mixed, "found the folder 'cow' beside 'test', expected either splits or classes"),
        (loose_in_a_split, "val: found '0.png' in no class"),
        (splits_without_classes, "found files directly in 'test', expected a folder for each"),
        (no_test, "found splits ['train', 'validation'], expected train and test"),
        (linked, "9.png: found a link to "),
        (linked_folder, "cow: found a link to "),
        (lambda _: None, "d: no such folder; correct data.source"),
        (lambda root: root.write_text("x"), "d: found a file, expected a folder"),
    ],
)
def test_folders_that_cannot_be_followed_are_refused(tmp_path, refused, make, words):
    make(tmp_path / "d")
    assert words in refused(tmp_path / "d")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"group": "speaker"}, "one, as data.group names a column"),
        ({"target": ("kind",)}, "one, as data.target names a column"),
        ({"task": "regression"}, "one with the targets of a regression task"),
        ({"task": "multi-label"}, "one with the targets of a multi-label task"),
    ],
)
def test_what_only_a_table_can_say_asks_for_metadata(tmp_path, refused, part, words):
    assert f"found no metadata.csv, expected {words}" in refused(classes(tmp_path / "d"), **part)


# --- metadata.csv -----------------------------------------------------------------------------


def test_metadata_decides_alone(tmp_path, read):
    root = metadata(
        classes(tmp_path / "d", names=("x",)),
        "\ufefffile,label,group,id\nx/2.png,wolf,g1,two\nx/0.png,fox,g2,zero\n",
    )
    found = read(root)
    assert found["id"].tolist() == ["zero", "two"]
    assert found["y"].tolist() == ["fox", "wolf"]
    assert found["group"].tolist() == ["g2", "g1"]
    assert np.array_equal(found["x"][1], picture(2))


def test_metadata_gives_ready_splits(tmp_path, read):
    lines = [f"{c}/{i}.png,{c},{('train', 'test', 'valid')[i]}" for c in ("cat", "dog")
             for i in range(3)]  # fmt: skip
    root = metadata(classes(tmp_path / "d"), "\n".join(["file,label,split", *lines]))
    found = read(root)
    assert found["id_test"].tolist() == ["cat/1.png", "dog/1.png"]
    assert np.array_equal(found["x_validation"][1], picture(102))


def test_columns_go_by_the_names_of_the_recipe(tmp_path, read):
    root = metadata(
        classes(tmp_path / "d"),
        "what,file,site,key,label\nwolf,cat/0.png,s1,k1,no\nfox,cat/1.png,s2,k2,no\n",
    )
    found = read(root, target=("what",), group="site", id="key")
    assert found["y"].tolist() == ["wolf", "fox"]
    assert found["group"].tolist() == ["s1", "s2"]
    assert found["id"].tolist() == ["k1", "k2"]


def test_several_labels_stand_between_bars(tmp_path, read):
    root = metadata(
        classes(tmp_path / "d"), "file,label\ncat/0.png,sun|sea\ncat/1.png,\ncat/2.png,sea\n"
    )
    found = read(root, task="multi-label")
    assert found["labels"] == ("sea", "sun")
    assert found["y"].dtype == np.uint8
    assert found["y"].tolist() == [[1, 1], [0, 0], [1, 0]]
    assert read(root, task="multi-label", labels=("sun", "fog", "sea"))["y"].tolist() == [
        [1, 0, 1], [0, 0, 0], [0, 0, 1],
    ]  # fmt: skip


def test_several_labels_may_have_a_column_each(tmp_path, read):
    root = metadata(classes(tmp_path / "d"), "file,sun,sea\ncat/0.png,1,0\ncat/1.png,1,1\n")
    found = read(root, task="multi-label", target=("sea", "sun"))
    assert found["y"].tolist() == [[0, 1], [1, 1]]
    assert found["labels"] == ("sea", "sun")


def test_regression_takes_the_columns_of_the_target(tmp_path, read):
    root = metadata(
        classes(tmp_path / "d"), "file,a,b,label\ncat/0.png,1.5,-2,7\ncat/1.png,0,1e3,8\n"
    )
    found = read(root, task="regression", target=("b", "a"))
    assert found["y"].dtype == np.float64
    assert found["y"].tolist() == [[-2, 1.5], [1000, 0]]
    assert found["labels"] == ("b", "a")
    assert read(root, task="regression")["y"].tolist() == [[7], [8]]


HEAD = "file,label,group,id,split\n"
GOOD = "cat/0.png,a,g,1,train\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "found columns [], expected 'file' too"),
        ("file,kind\n", "found columns ['file', 'kind'], expected 'label' too"),
        ("file,label,label\n", "metadata.csv: found the column 'label' twice"),
        ("file,label\n", "found no files"),
        ("file,label\ncat/0.png\n", "line 2: found 1 cells, expected 2 as in line 1"),
        ("file,label\n\ncat/9.png,a\n", "line 3: found the file 'cat/9.png', which does not exist"),
        ("file,label\ncat,a\n", "line 2: found the file 'cat', which does not exist"),
        ("file,label\nREADME.md,a\n", "line 2: found the file 'README.md', expected one that ends"),
        ("file,label\n../d/cat/0.png,a\n", "line 2: found the file '../d/cat/0.png'"),
        ("file,label\n/cat/0.png,a\n", "line 2: found the file '/cat/0.png'"),
        ("file,label\n.cat/0.png,a\n", "line 2: found the file '.cat/0.png'"),
        ("file,label\n,a\n", "line 2: found the file ''"),
        ("file,label\nnul\0.png,a\n", "line 2: found the file 'nul\\x00.png'"),
        ("file,label\ncat/0.png,\n", "found no class"),
        ("file,label\ncat/0.png,a\ncat/1.png,a\n", "found one class, 'a'"),
        (HEAD + GOOD + "cat/./0.png,a,g,2,train\n", "line 3: found the file 'cat/0.png' of line 2"),
        (HEAD + GOOD + "cat/1.png,a,g,1,train\n", "line 3: found the id '1' of line 2 again"),
        (HEAD + "cat/0.png,a,,1,train\n", "line 2: no group"),
        (HEAD + "cat/0.png,a,g,,train\n", "line 2: no id"),
        (HEAD + "cat/0.png,a,g,1,devs\n", "line 2: found split 'devs', expected train, valid"),
        (HEAD + GOOD + "cat/1.png,b,g,2,train\n", "found splits ['train'], expected train and"),
        ('file,label\ncat/0.png,"a\n', "line 2: not CSV ("),
        ('file,label\ncat/0.png,"a"b\n', "line 2: not CSV ("),
    ],
)
def test_metadata_that_cannot_be_followed_is_refused(tmp_path, refused, text, words):
    root = metadata(classes(tmp_path / "d"), text)
    (root / "README.md").write_text("about")
    put(root / ".cat" / "0.png")
    found = refused(root)
    assert words in found
    assert found.startswith(str(root))


def test_metadata_that_is_not_utf_8_or_a_link_is_refused(tmp_path, refused):
    root = classes(tmp_path / "d")
    (root / "metadata.csv").write_bytes(b"file,label\ncat/0.png,\xff\n")
    assert "metadata.csv: not UTF-8" in refused(root)
    (root / "metadata.csv").rename(tmp_path / "elsewhere.csv")
    (root / "metadata.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert "metadata.csv: found a link to" in refused(root)
    (tmp_path / "elsewhere.csv").unlink()
    assert "metadata.csv: found a link to" in refused(root)


@pytest.mark.parametrize("make", [linked, linked_folder])
def test_links_are_refused_beside_metadata_too(tmp_path, refused, make):
    make(tmp_path / "d")
    metadata(tmp_path / "d", "file,label\ncat/0.png,a\ncat/1.png,b\n")
    assert "found a link to" in refused(tmp_path / "d")


@pytest.mark.parametrize(
    ("part", "cell", "words"),
    [
        ({"task": "regression"}, "warm", "line 2: found 'warm', expected a finite number"),
        ({"task": "regression"}, "nan", "line 2: found 'nan', expected a finite number"),
        ({"task": "multi-label", "target": ("label", "n")}, "2", "found '2', expected 0 or 1"),
        ({"task": "multi-label", "labels": ("a", "b")}, "a|c", "found label 'c', expected one of"),
        ({"target": ("label", "n")}, "a", "found 2 columns in data.target, expected one"),
        ({"group": "site"}, "a", "found columns ['file', 'label', 'n'], expected 'site' too"),
        ({"id": "key"}, "a", "expected 'key' too"),
    ],
)
def test_cells_of_another_task_are_refused(tmp_path, refused, part, cell, words):
    root = metadata(classes(tmp_path / "d"), f"file,label,n\ncat/0.png,{cell},1\n")
    assert words in refused(root, **part)


# --- byte streams -----------------------------------------------------------------------------


def stream(paths):
    """The files' bytes one behind the other, and where each begins and the last ends."""
    parts = [path.read_bytes() for path in paths]
    offset = np.cumsum([0, *map(len, parts)])
    return np.frombuffer(b"".join(parts), np.uint8), offset


def packed(root, target, prefix="jpeg", **changed):
    """A folder of two classes as a byte stream; a member that is None is left out."""
    paths = sorted(root.glob("*/*"))
    bytes_, offset = stream(paths)
    y = np.array([path.parent.name == "dog" for path in paths], np.uint8)
    members = {prefix: bytes_, "offset": offset, "y": y, "classes": np.array(["cat", "dog"])}
    np.savez(target, **{k: v for k, v in (members | changed).items() if v is not None})
    return target


def members_of(path):
    with np.load(path) as archive:
        return dict(archive)


@pytest.mark.parametrize("prefix", image_archive.PREFIXES)
def test_a_stream_equals_a_folder_of_the_same_files(tmp_path, read, prefix):
    root = classes(tmp_path / "d", suffix="jpg", each=4)
    part = {"image": {"size": (4, 4)}}
    folder, archive = read(root, **part), read(packed(root, tmp_path / "d.npz", prefix), **part)
    assert archive["x"].tobytes() == folder["x"].tobytes()
    assert [archive["labels"][y] for y in archive["y"]] == folder["y"].tolist()
    for key in ("front_end", "layout", "labels", "notes"):
        assert archive[key] == folder[key]
    assert isinstance(archive["x"], np.memmap)


def test_offsets_may_leave_out_the_end(tmp_path, read):
    root = classes(tmp_path / "d")
    whole = packed(root, tmp_path / "whole.npz")
    short = packed(root, tmp_path / "short.npz", offset=members_of(whole)["offset"][:-1])
    assert read(whole)["x"].tobytes() == read(short)["x"].tobytes()


def test_embeddings_of_a_stream_need_no_y(tmp_path, read):
    root = classes(tmp_path / "d")
    offset = members_of(packed(root, tmp_path / "whole.npz"))["offset"]
    for number, ends in enumerate((offset, offset[:-1])):
        told = packed(root, tmp_path / f"{number}.npz", y=None, classes=None, offset=ends)
        found = read(told, task="embedding")
        assert found["x"].shape[0] == 6
        assert "y" not in found


def test_a_stream_may_name_groups_and_ids(tmp_path, read):
    told = packed(
        classes(tmp_path / "d"), tmp_path / "d.npz", group=np.arange(6) // 2, id=np.arange(6) * 10
    )
    found = read(told)
    assert found["group"].tolist() == [0, 0, 1, 1, 2, 2]
    assert found["id"].tolist() == [0, 10, 20, 30, 40, 50]


def test_streams_may_be_ready_splits(tmp_path, read):
    root = split_folder(tmp_path / "d")
    members = {"classes": np.array(["cat", "dog"])}
    for split in ("train", "val", "test"):
        members[f"png_{split}"], members[f"offset_{split}"] = stream(
            sorted(root.glob(f"{split}/*/*"))
        )
        members[f"y_{split}"] = np.array([0, 0, 1, 1])
        members[f"id_{split}"] = np.arange(4)
    np.savez(tmp_path / "d.npz", **members)
    folder, archive = read(root), read(tmp_path / "d.npz")
    for split in ("train", "validation", "test"):
        assert archive[f"x_{split}"].tobytes() == folder[f"x_{split}"].tobytes()
        assert archive[f"y_{split}"].tolist() == [0, 0, 1, 1]
        assert archive[f"id_{split}"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("train", "val"), "expected one stream"),
        (("train", "test", "val", "valid"), "'jpeg_val' and 'jpeg_valid', which both mean"),
    ],
)
def test_streams_of_too_few_or_twice_the_same_splits_are_refused(tmp_path, refused, names, says):
    whole = members_of(packed(classes(tmp_path / "d"), tmp_path / "whole.npz"))
    members = {f"{key}_{name}": whole[key] for name in names for key in ("jpeg", "offset", "y")}
    np.savez(tmp_path / "d.npz", **members)
    assert says in refused(tmp_path / "d.npz")


def test_a_broken_image_of_a_stream_is_named_by_its_number(tmp_path, refused):
    root = classes(tmp_path / "d", suffix="jpg")
    (root / "dog" / "1.jpg").write_bytes(b"none")
    told = packed(root, tmp_path / "d.npz")
    assert refused(told).startswith(f"{told}, image 4 of 'jpeg': not an image")


def test_an_image_of_another_size_in_another_split_is_named(tmp_path, refused):
    root = classes(tmp_path / "d")
    members = {}
    for split in ("train", "test"):
        members[f"jpeg_{split}"], members[f"offset_{split}"] = stream(sorted(root.glob("*/*")))
        members[f"y_{split}"] = np.arange(6) % 2
        put(root / "cat" / "2.png", picture(0, 7, 7))
    np.savez(tmp_path / "d.npz", **members)
    words = refused(tmp_path / "d.npz")
    assert "image 2 of 'jpeg_test': found height by width 7 by 7, expected 6 by 8" in words


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"offset": None}, "expected 'offset' too"),
        ({"y": None}, "expected 'y' too"),
        ({"jpeg": None}, "expected one stream: jpeg, offset and y"),
        ({"png": np.zeros(3, np.uint8)}, "expected one stream"),
        ({"jpeg_train": np.zeros(3, np.uint8)}, "expected one stream"),
        ({"jpeg": None, "jpeg_train": np.zeros(3, np.uint8)}, "expected one stream"),
        ({"jpeg": np.zeros(9, np.int16)}, "found 'jpeg' of int16 [9], expected uint8"),
        ({"jpeg": np.zeros((3, 3), np.uint8)}, "found 'jpeg' of uint8 [3, 3], expected uint8"),
        ({"offset": np.arange(7.0)}, "found 'offset' of float64 [7], expected whole numbers"),
        ({"offset": np.zeros(0, int)}, "found 'offset' of int64 [0], expected whole numbers"),
        ({"offset": np.arange(4)}, "found 6 values in 'y' and 4 in 'offset'"),
        ({"group": np.arange(5)}, "found 5 values in 'group' and 7 in 'offset'"),
        ({"offset": np.array([0, 9, 9, 20, 30, 40, 50])}, "found image 1 from 9 to 9 in 'offset'"),
        ({"offset": np.array([-1, 9, 10, 20, 30, 40, 50])}, "found image 0 from -1 to 9"),
        ({"offset": np.array([0, 1, 2, 3, 4, 5, 10**9])}, "found image 5 from 5 to 1000000000"),
        ({"y": np.array([None] * 6)}, "found 'y' of Python objects, which are pickled"),
    ],
)
def test_streams_that_cannot_be_followed_are_refused(tmp_path, refused, changed, words):
    told = packed(classes(tmp_path / "d"), tmp_path / "d.npz", **changed)
    found = refused(told)
    assert words in found
    assert found.startswith(str(told))


def test_what_is_no_archive_is_refused(tmp_path, refused):
    (tmp_path / "d.npz").write_bytes(b"PK")
    assert "d.npz: not a readable archive of plain arrays" in refused(tmp_path / "d.npz")
    assert "gone.npz: no such file" in refused(tmp_path / "gone.npz")


# --- fingerprints -----------------------------------------------------------------------------


def rename(root):
    (root / "cat" / "0.png").rename(root / "cat" / "9.png")


def touch_content(root):
    put(root / "cat" / "0.png", picture(77))


def add_metadata(root):
    metadata(root, "file,label\n")


@pytest.mark.parametrize("change", [rename, touch_content, add_metadata])
def test_the_fingerprint_follows_names_and_contents(tmp_path, change):
    root = classes(tmp_path / "d")
    before = images.fingerprint(str(root))
    assert images.fingerprint(str(root)) == before
    change(root)
    assert images.fingerprint(str(root)) != before


def test_the_fingerprint_does_not_follow_what_is_not_read(tmp_path):
    root = classes(tmp_path / "d")
    before = images.fingerprint(str(root))
    (root / "README.md").write_text("x")
    put(root / ".thumbs" / "0.png")
    assert images.fingerprint(str(root)) == before
    assert images.fingerprint(str(classes(tmp_path / "moved"))) == before


def test_the_fingerprint_of_an_archive_is_that_of_the_file(tmp_path):
    told = packed(classes(tmp_path / "d"), tmp_path / "d.npz")
    before = images.fingerprint(str(told))
    packed(classes(tmp_path / "d"), told, y=np.zeros(6))
    assert images.fingerprint(str(told)) != before


@pytest.mark.parametrize("name", ["gone", "gone.npz", "nul\0", "nul\0.npz"])
def test_the_fingerprint_of_nothing_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"correct data\.source"):
        images.fingerprint(str(tmp_path / name))


def test_the_fingerprint_refuses_links(tmp_path):
    linked(tmp_path / "d")
    with pytest.raises(DataError, match="found a link to"):
        images.fingerprint(str(tmp_path / "d"))


# --- real images ------------------------------------------------------------------------------


@pytest.mark.skipif(not CIFAR.exists(), reason="needs shared/data/cifar10_jpeg_stream.npz")
def test_real_jpegs_decode_as_pillow_decodes_them(tmp_path, read):
    with np.load(CIFAR) as archive:
        members = {"classes": archive["classes"]}
        for split, count in (("train", 200), ("test", 40)):
            offset = archive[f"offset_{split}"][: count + 1]
            members[f"offset_{split}"] = offset
            members[f"jpeg_{split}"] = archive[f"jpeg_{split}"][: offset[-1]]
            members[f"y_{split}"] = archive[f"y_{split}"][:count]
    np.savez(tmp_path / "few.npz", **members)
    found = read(tmp_path / "few.npz")
    assert found["x_train"].shape == (200, 32, 32, 3)
    assert found["x_test"].shape == (40, 32, 32, 3)
    assert found["labels"][:2] == ("airplane", "automobile")
    for split, row in (("train", 0), ("train", 199), ("test", 39)):
        begin, end = members[f"offset_{split}"][row : row + 2]
        with Image.open(BytesIO(members[f"jpeg_{split}"][begin:end].tobytes())) as image:
            assert np.array_equal(found[f"x_{split}"][row], np.asarray(image.convert("RGB")))
