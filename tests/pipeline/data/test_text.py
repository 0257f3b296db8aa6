"""Texts: read without loss, refused where a model could say nothing, and the same ids each time."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from edgestill.errors import DataError, HostError
from edgestill.pipeline.data import text, tokenizer_training
from edgestill.pipeline.data import tokenizer as tokenizer_file
from edgestill.pipeline.data import tokens as token_ids
from edgestill.pipeline.data.text_store import BLOCK, Texts
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import Data, TextForm
from shared_data import SHARED

SST2 = SHARED / "sst2_sentences.npz"


def read(source, scratch, **part):
    scratch.mkdir(exist_ok=True)
    return text.read(str(source), scratch, Data(source=f"text:{source}", **part), Silent())


# --- texts on disk ----------------------------------------------------------------------------


def test_texts_come_back_as_they_were(tmp_path):
    told = ["plain", "", "zwölf Boxkämpfer", "日本語", "🙂 smile", 'a\nb,"c"', "nul\0inside"]
    texts = Texts.write(tmp_path / "t", iter(told))
    assert texts[:] == told
    assert len(texts) == 7
    assert texts.shape == (7,)


def test_rows_of_texts_are_taken_by_slice_list_or_mask(tmp_path):
    texts = Texts.write(tmp_path / "t", ["a", "bb", "ccc", "dddd"])
    assert texts[1:3] == ["bb", "ccc"]
    assert texts[::-1] == ["dddd", "ccc", "bb", "a"]
    assert texts[np.array([3, 0, 3])] == ["dddd", "a", "dddd"]
    assert texts[[-1]] == ["dddd"]
    assert texts[np.array([True, False, False, True])] == ["a", "dddd"]
    assert texts[np.array([], dtype=np.int64)] == []


@pytest.mark.parametrize("rows", [[4], [-5], np.array([True]), np.array([[0]])])
def test_rows_that_are_not_there_are_refused(tmp_path, rows):
    texts = Texts.write(tmp_path / "t", ["a", "b", "c", "d"])
    with pytest.raises(IndexError):
        texts[rows]


def test_texts_are_opened_again_and_may_be_none_at_all(tmp_path):
    Texts.write(tmp_path / "t", ["one", "two"])
    assert Texts.open(tmp_path / "t")[:] == ["one", "two"]
    empty = Texts.write(tmp_path / "e", [])
    assert (len(empty), empty[:]) == (0, [])


def test_blocks_cover_the_rows_in_their_order(tmp_path):
    texts = Texts.write(tmp_path / "t", (str(i) for i in range(BLOCK + 10)))
    rows = np.arange(len(texts))[::-1]
    parts = list(texts.blocks(rows))
    assert [len(part) for part in parts] == [BLOCK, 10]
    assert [t for part in parts for t in part] == [str(i) for i in rows]


def test_a_lone_surrogate_is_refused_with_its_row(tmp_path):
    with pytest.raises(DataError, match="row 1"):
        Texts.write(tmp_path / "t", ["fine", "\ud800"])


# --- the source -------------------------------------------------------------------------------


def test_a_csv_file_gives_texts_and_labels(file, tmp_path):
    path = file('text,label\n"good, ""really""",pos\n"two\nlines",neg\n')
    found = read(path, tmp_path / "s")
    assert found["x"][:] == ['good, "really"', "two\nlines"]
    assert found["y"].tolist() == ["pos", "neg"]


def test_a_byte_order_mark_and_a_tsv_file_are_understood(tmp_path):
    path = tmp_path / "d.tsv"
    path.write_bytes("\ufefftext\ty\na, b\t1\nc\t0\n".encode())
    found = read(path, tmp_path / "s")
    assert found["x"][:] == ["a, b", "c"]
    assert found["y"].tolist() == [1, 0]


def test_texts_that_look_like_numbers_stay_text(file, tmp_path):
    assert read(file("text,label\n007,1\n1e3,0\n"), tmp_path / "s")["x"][:] == ["007", "1e3"]


def test_the_recipe_names_the_columns(file, tmp_path):
    path = file("review,stars,who,key\nfine,5,ann,a\nbad,1,bob,b\n")
    found = read(path, tmp_path / "s", column="review", target=("stars",), group="who", id="key")
    assert found["x"][:] == ["fine", "bad"]
    assert found["y"].tolist() == [5, 1]
    assert found["group"].tolist() == ["ann", "bob"]
    assert found["id"].tolist() == ["a", "b"]


def test_a_gap_in_a_column_without_a_role_does_not_matter(file, tmp_path):
    found = read(file("text,label,length\nfine,1,4\nbad,0,\n"), tmp_path / "s")
    assert len(found["x"]) == 2


def test_a_column_split_gives_ready_splits(file, tmp_path):
    path = file("text,label,split,id\na,1,train,i\nb,0,test,j\nc,0,train,k\nd,1,dev,l\n")
    found = read(path, tmp_path / "s")
    assert found["x_train"][:] == ["a", "c"]
    assert found["y_train"].tolist() == [1, 0]
    assert found["id_train"].tolist() == ["i", "k"]
    assert found["x_test"][:] == ["b"]
    assert found["x_validation"][:] == ["d"]
    assert "x" not in found


def test_a_folder_of_split_files_gives_ready_splits(file, tmp_path):
    for name, word in (("train", "a"), ("dev", "b"), ("test", "c")):
        file(f"text,label\n{word},0\n{word}{word},1\n", f"set/{name}.csv")
    found = read(tmp_path / "set", tmp_path / "s")
    splits = {key: found[f"x_{key}"][:] for key in ("train", "validation", "test")}
    assert splits == {"train": ["a", "aa"], "validation": ["b", "bb"], "test": ["c", "cc"]}


@pytest.mark.parametrize("word", ["dev", "val", "valid", "validation"])
def test_an_npz_may_hold_ready_splits(tmp_path, word):
    arrays = {
        f"{key}_{split}": np.array(values)
        for split in ("train", word, "test")
        for key, values in (("text", [f"{split} 1", "x"]), ("label", [1, 0]))
    }
    np.savez(tmp_path / "d.npz", **arrays, labels=np.array(["bad", "good"]))
    found = read(tmp_path / "d.npz", tmp_path / "s")
    assert found["x_validation"][:] == [f"{word} 1", "x"]
    assert found["y_test"].tolist() == [1, 0]
    assert found["labels"] == ("bad", "good")


def test_an_npz_with_ready_splits_may_name_its_columns(tmp_path):
    arrays = {f"{k}_{s}": np.array(["u", "v"]) for s in ("train", "test") for k in ("say", "mood")}
    np.savez(tmp_path / "d.npz", **arrays)
    found = read(tmp_path / "d.npz", tmp_path / "s", column="say", target=("mood",))
    assert found["y_train"].tolist() == ["u", "v"]


def test_ready_splits_keep_their_groups(file, tmp_path):
    path = file("text,label,split,group\na,1,train,ann\nb,0,test,ann\nc,0,train,bob\n")
    found = read(path, tmp_path / "s")
    assert (found["group_train"].tolist(), found["group_test"].tolist()) == (
        ["ann", "bob"],
        ["ann"],
    )


def test_regression_and_multi_label_read_their_columns(file, tmp_path):
    path = file("text,a,b\nu,0,1\nv,1,1\n")
    found = read(path, tmp_path / "s", task="multi-label", target=("a", "b"))
    assert found["y"].tolist() == [[0, 1], [1, 1]]
    assert found["labels"] == ("a", "b")
    found = read(path, tmp_path / "s", task="regression", target=("a",))
    assert found["y"].tolist() == [0.0, 1.0]


def test_an_embedding_needs_no_answer(file, tmp_path):
    found = read(file("text\na\nb\n"), tmp_path / "s", task="embedding")
    assert "y" not in found
    assert len(found["x"]) == 2


def test_a_parquet_file_gives_texts_and_labels(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra 'table'")
    from pyarrow import parquet

    table = {"text": ["fine", "7"], "label": arrow.array(["p", "n"]).dictionary_encode()}
    parquet.write_table(arrow.table(table), tmp_path / "d.parquet")
    found = read(tmp_path / "d.parquet", tmp_path / "s")
    assert found["x"][:] == ["fine", "7"]
    assert found["y"].tolist() == ["p", "n"]
    parquet.write_table(arrow.table({"text": [1, 2], "label": [0, 1]}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match="'text' of int64"):
        read(tmp_path / "d.parquet", tmp_path / "s")


@pytest.mark.parametrize(
    ("content", "part", "says"),
    [
        ("body,label\na,1\n", {}, r"no column 'text' among 'body', 'label'.*data\.column"),
        ("text,mood\na,1\n", {}, r"no column 'label' or 'y' among 'text', 'mood'.*data\.target"),
        ("text,label\na,1\n", {"target": ("mood",)}, "no column 'mood'"),
        ("text,label\na,1\n", {"group": "who"}, r"no column 'who'.*data\.group"),
        ("text,label\na,1\n", {"id": "key"}, r"no column 'key'.*data\.id"),
        ("text,label\na,1\n", {"target": ("text",)}, "'text' is both text and target"),
        ("text,label\na,1\n", {"target": ("label",), "group": "label"}, "two roles"),
        ("text,label,b\na,1,1\n", {"target": ("label", "b")}, "expected one"),
        ("text,label\na,1\n  ,0\n", {}, "empty text in row 1"),
        ("text,label,split\na,1,train\nb,0,later\n", {}, "'later' in row 1"),
        ("text,label\na,2\nb,0\n", {"task": "multi-label"}, "2 in row 0"),
        ("text,label\na,x\nb,y\n", {"task": "regression"}, "expected numbers"),
    ],
)
def test_unfit_texts_are_refused(file, tmp_path, content, part, says):
    with pytest.raises(DataError, match=f"(?s){says}"):
        read(file(content), tmp_path / "s", **part)


def test_a_folder_without_a_test_file_and_with_two_is_refused(file, tmp_path):
    file("text,label\na,0\n", "set/train.csv")
    with pytest.raises(DataError, match=r"no test\.csv"):
        read(tmp_path / "set", tmp_path / "s")
    file("text,label\na,0\n", "set/test.csv")
    file("text\tlabel\na\t0\n", "set/test.tsv")
    with pytest.raises(DataError, match=r"'test\.csv' and 'test\.tsv'"):
        read(tmp_path / "set", tmp_path / "s")


def test_a_split_column_inside_a_split_file_is_refused(file, tmp_path):
    file("text,label,split\na,0,train\n", "set/train.csv")
    file("text,label\na,0\n", "set/test.csv")
    with pytest.raises(DataError, match="a file that is one split already"):
        read(tmp_path / "set", tmp_path / "s")


def test_the_fingerprint_goes_by_content(file, tmp_path):
    path = file("text,label\na,0\n")
    before = text.fingerprint(str(path))
    moved = file("text,label\na,0\n", "elsewhere.csv")
    assert text.fingerprint(str(moved)) == before
    file("text,label\na,1\n")
    assert text.fingerprint(str(path)) != before
    with pytest.raises(DataError, match="no such file"):
        text.fingerprint(str(tmp_path / "gone.csv"))


def test_the_fingerprint_of_a_folder_knows_which_split_is_which(file, tmp_path):
    file("text,label\na,0\n", "set/train.csv")
    file("text,label\nb,1\n", "set/test.csv")
    before = text.fingerprint(str(tmp_path / "set"))
    file("text,label\nb,1\n", "set/train.csv")
    file("text,label\na,0\n", "set/test.csv")
    assert text.fingerprint(str(tmp_path / "set")) != before


# --- tokens -----------------------------------------------------------------------------------


@pytest.fixture
def tokens():
    pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    return token_ids


WORDS = ["the film is good", "the film is bad", "The Film is fine", "a good, good plot", "naïve ﬁn"]


@pytest.fixture
def corpus(tmp_path):
    """Sixty texts; the last ten alone hold the word 'zebra'."""
    told = [WORDS[i % 5] for i in range(50)] + ["zebra zebra"] * 10
    return Texts.write(tmp_path / "corpus", told)


@pytest.fixture
def trained(tokens, corpus, tmp_path):
    """A tokenizer of the first fifty texts, and its form."""
    form = TextForm(vocabulary=300, max_length=8)
    tokenizer_training.train(corpus, np.arange(50), form, tmp_path / "tokenizer.json")
    return tokenizer_file.load(tmp_path / "tokenizer.json"), form


def test_training_twice_gives_the_same_file_on_any_number_of_cores(tokens, corpus, tmp_path):
    script = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from edgestill.pipeline.data import tokenizer_training\n"
        "from edgestill.pipeline.data.text_store import Texts\n"
        "from edgestill.pipeline.recipe.data import TextForm\n"
        "tokenizer_training.train(Texts.open(Path(sys.argv[1])), np.arange(50),"
        " TextForm(vocabulary=300), Path(sys.argv[2]))\n"
    )
    made = []
    for threads in ("1", "3"):
        path = tmp_path / f"{threads}.json"
        environ = {**os.environ, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"}
        command = [sys.executable, "-c", script, str(tmp_path / "corpus"), str(path)]
        subprocess.run(command, env=environ, check=True)
        made.append(path.read_bytes())
    assert made[0] == made[1]


def test_the_special_tokens_come_first_and_cls_stands_in_front(trained):
    tokenizer, _ = trained
    assert [tokenizer.id_to_token(i) for i in range(4)] == ["[PAD]", "[UNK]", "[CLS]", "[MASK]"]
    ids = tokenizer.encode("good film").ids
    assert ids[0] == 2
    assert tokenizer.decode(ids).strip() == "good film"


def test_only_train_decides_the_vocabulary(tokens, corpus, trained, tmp_path):
    tokenizer, form = trained
    assert not any("ze" in token or "bra" in token for token in tokenizer.get_vocab())
    tokenizer_training.train(corpus, np.arange(60), form, tmp_path / "all.json")
    assert any("zebra" in token for token in tokenizer_file.load(tmp_path / "all.json").get_vocab())


def test_no_text_holds_an_unknown_token_where_all_bytes_fit(trained):
    tokenizer, _ = trained
    for told in ("日本語", "🙂", "Ωmega", "\x00\x7f"):
        assert 1 not in tokenizer.encode(told).ids


def test_compatible_characters_are_one_and_case_goes_where_asked(tokens, corpus, trained, tmp_path):
    tokenizer, form = trained
    assert tokenizer.encode("ﬁlm GOOD").ids == tokenizer.encode("film good").ids
    form = form.model_copy(update={"lowercase": False})
    tokenizer_training.train(corpus, np.arange(50), form, tmp_path / "cased.json")
    cased = tokenizer_file.load(tmp_path / "cased.json")
    assert cased.encode("Film").ids != cased.encode("film").ids
    assert tokenizer_file.describe(cased, form)["lowercase"] is False


@pytest.mark.parametrize("most", [16, 40, 259, 300])
def test_the_vocabulary_stays_within_what_the_recipe_says(tokens, corpus, tmp_path, most):
    form = TextForm(vocabulary=most, max_length=16)
    tokenizer_training.train(corpus, np.arange(50), form, tmp_path / "t.json")
    tokenizer = tokenizer_file.load(tmp_path / "t.json")
    assert 16 <= tokenizer_file.vocabulary(tokenizer) <= most
    # What does not fit is unknown, not lost.
    ids = tokenizer.encode("日").ids
    assert (1 in ids) == (most < 260)


def test_the_saved_file_pads_and_cuts_by_itself(trained):
    tokenizer, form = trained
    assert len(tokenizer.encode("good").ids) == form.max_length
    assert len(tokenizer.encode("good " * 50).ids) == form.max_length


def test_ids_are_cut_and_padded_behind(tokens, corpus, trained, tmp_path):
    tokenizer, _ = trained
    texts = Texts.write(tmp_path / "t", ["good", "the film is bad " * 9, "bad film"])
    out = np.full((2, 6), -1, dtype=np.int32)
    cut = tokens.encode(tokenizer, texts, np.array([1, 0]), 6, 0, out)
    whole = tokenizer.encode("the film is bad " * 9).ids
    assert out[0].tolist() == whole[:6]
    good = tokenizer.token_to_id("Ġgood")
    assert out[1].tolist() == [2, good, 0, 0, 0, 0]
    assert (cut.texts, cut.cut) == (2, 1)


def test_lengths_are_those_before_the_cut(tokens, trained, tmp_path):
    tokenizer, _ = trained
    told = ["good"] * 98 + ["good " * 40 + "good", "bad"]
    texts = Texts.write(tmp_path / "t", told)
    out = np.zeros((100, 5), dtype=np.int32)
    cut = tokens.encode(tokenizer, texts, np.arange(100), 5, 0, out)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    assert cut.longest == len(tokenizer.encode(told[98]).ids)
    assert cut.longest > 40
    assert cut.median == 2.0
    assert cut.cut == 1


def test_encoding_says_how_it_goes_and_leaves_the_tokenizer_as_it_was(tokens, trained, tmp_path):
    tokenizer, _ = trained
    before = tokenizer.to_str()
    texts = Texts.write(tmp_path / "t", ["good"] * (BLOCK + 5))
    said = []
    out = np.zeros((len(texts), 4), dtype=np.int32)
    tokens.encode(tokenizer, texts, np.arange(len(texts)), 4, 0, out, said.append)
    assert said == [f"{BLOCK} texts", f"{BLOCK + 5} texts"]
    assert len(said) == tokens.blocks(len(texts))
    assert tokenizer.to_str() == before
    assert (out == out[0]).all()


@pytest.mark.linux("fork")
def test_a_process_that_forks_after_encoding_neither_hangs_nor_is_warned(tokens, corpus, tmp_path):
    script = (
        "import os, signal, sys, numpy as np; from pathlib import Path\n"
        "from edgestill.pipeline.data import tokenizer as tokenizer_file\n"
        "from edgestill.pipeline.data import tokenizer_training, tokens\n"
        "from edgestill.pipeline.data.text_store import Texts\n"
        "from edgestill.pipeline.recipe.data import TextForm\n"
        "texts, path = Texts.open(Path(sys.argv[1])), Path(sys.argv[2])\n"
        "tokenizer_training.train(texts, np.arange(50), TextForm(), path)\n"
        "out = np.zeros((60, 64), np.int32)\n"
        "tokens.encode(tokenizer_file.load(path), texts, np.arange(60), 64, 0, out)\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    signal.alarm(10)\n"
        "    tokenizer_file.load(path).encode_batch(['a', 'b']); os._exit(0)\n"
        "print(os.waitpid(pid, 0)[1])\n"
    )
    environ = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    command = [sys.executable, "-c", script, str(tmp_path / "corpus"), str(tmp_path / "f.json")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "0"
    assert "fork" not in done.stderr


def test_the_description_travels_as_json(tokens, trained):
    tokenizer, form = trained
    told = tokenizer_file.describe(tokenizer, form)
    assert json.loads(json.dumps(told)) == told
    assert told == {
        "kind": "text", "tokenizer": "tokenizer.json", "max_length": 8, "pad": 0, "unknown": 1,
        "mask": 3, "vocabulary": tokenizer_file.vocabulary(tokenizer), "lowercase": True,
    }  # fmt: skip


# --- a user's own tokenizer -------------------------------------------------------------------


@pytest.fixture
def own(tokens):
    """Builds a word-level tokenizer from its vocabulary."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    def build(vocabulary, special=(), unknown=None):
        known = {word: i for i, word in enumerate(vocabulary)}
        tokenizer = Tokenizer(models.WordLevel(known, unk_token=unknown or "(none)"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        if special:
            tokenizer.add_special_tokens(list(special))
        return tokenizer

    return build


def test_the_padding_id_is_what_the_tokenizer_pads_with(tokens, own):
    tokenizer = own(["<pad>", "a", "b"])
    assert tokenizer_file.pad_id(tokenizer) == 0
    tokenizer.enable_padding(pad_id=2, pad_token="b")
    assert tokenizer_file.pad_id(tokenizer) == 2


def test_the_padding_id_is_found_by_its_usual_names(tokens, own):
    assert tokenizer_file.pad_id(own(["a", "b", "[PAD]"])) == 2
    assert tokenizer_file.pad_id(own(["a", "<pad>", "b"])) == 1


def test_zero_pads_where_it_is_no_word(tokens, own):
    assert tokenizer_file.pad_id(own(["<end>", "a"], special=["<end>"])) == 0


@pytest.mark.parametrize("first", ["a", "[UNK]", "<mask>"])
def test_a_tokenizer_whose_zero_means_something_is_refused(tokens, own, first):
    tokenizer = own([first, "b"], special=[] if first == "a" else [first])
    with pytest.raises(DataError, match="without a padding token"):
        tokenizer_file.pad_id(tokenizer)


def test_zero_does_not_pad_where_it_stands_in_front_of_every_text(tokens, own):
    from tokenizers import processors

    tokenizer = own(["<s>", "a"], special=["<s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    with pytest.raises(DataError, match="id 0 is '<s>'"):
        tokenizer_file.pad_id(tokenizer)


def test_the_hiding_id_is_the_mask_then_the_unknown_then_padding(tokens, own):
    both = own(["<pad>", "<unk>", "<mask>", "a"])
    assert (tokenizer_file.unknown_id(both), tokenizer_file.mask_id(both)) == (1, 2)
    named = own(["<pad>", "a", "(?)"], unknown="(?)")
    assert (tokenizer_file.unknown_id(named), tokenizer_file.mask_id(named)) == (2, 2)
    masked = own(["<pad>", "a", "[MASK]"])
    assert (tokenizer_file.unknown_id(masked), tokenizer_file.mask_id(masked)) == (2, 2)
    neither = own(["a", "[PAD]"])
    assert (tokenizer_file.unknown_id(neither), tokenizer_file.mask_id(neither)) == (1, 1)


def test_the_vocabulary_goes_to_the_highest_id(tokens, own):
    from tokenizers import Tokenizer, models

    assert tokenizer_file.vocabulary(own(["a", "b"], special=["[PAD]"])) == 3
    assert (
        tokenizer_file.vocabulary(Tokenizer(models.WordLevel({"a": 0, "b": 90}, unk_token="a")))
        == 91
    )


def test_a_saved_tokenizer_of_the_users_pads_and_cuts_too(tokens, own, tmp_path):
    tokenizer = own(["a", "b", "[PAD]"])
    tokenizer_file.save(tokenizer, TextForm(max_length=4), tmp_path / "t.json")
    ids = tokenizer_file.load(tmp_path / "t.json").encode("a b").ids
    assert ids == [0, 1, 2, 2]
    assert tokenizer.padding is None


def test_a_closing_token_stays_when_a_text_is_cut(tokens, own, tmp_path):
    from tokenizers import processors

    tokenizer = own(["[PAD]", "a", "b"], special=["[SEP]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [SEP]", special_tokens=[("[SEP]", 3)]
    )
    texts = Texts.write(tmp_path / "t", ["a b a b a b"])
    out = np.zeros((1, 4), dtype=np.int32)
    cut = tokens.encode(tokenizer, texts, np.arange(1), 4, 0, out)
    assert out[0].tolist() == [1, 2, 1, 3]
    assert (cut.longest, cut.cut) == (7, 1)


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"model": {"type": "None"}}'])
def test_a_file_that_is_no_tokenizer_is_refused(tokens, file, content):
    with pytest.raises(DataError, match="no tokenizer"):
        tokenizer_file.load(file(content, "tokenizer.json"))


def test_a_missing_or_binary_tokenizer_file_is_refused(tokens, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        tokenizer_file.load(tmp_path / "gone.json")
    (tmp_path / "t.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not text"):
        tokenizer_file.load(tmp_path / "t.json")


def encode(tokens, tokenizer, tmp_path, *, told=("a", "zzz"), length=4, pad=0):
    texts = Texts.write(tmp_path / "t", told)
    out = np.zeros((len(texts), length), dtype=np.int32)
    return tokens.encode(tokenizer, texts, np.arange(len(texts)), length, pad, out)


def test_a_text_of_no_token_is_refused_with_its_row(tokens, own, tmp_path):
    from tokenizers import Tokenizer, models

    # A BPE model without an unknown token drops what it does not know.
    tokenizer = Tokenizer(models.BPE({"a": 0, "[PAD]": 1}, []))
    with pytest.raises(DataError, match="a text without tokens in row 1"):
        encode(tokens, tokenizer, tmp_path, pad=1)


def test_a_tokenizer_that_fails_on_a_text_is_refused(tokens, own, tmp_path):
    with pytest.raises(DataError, match="fails on these texts"):
        encode(tokens, own(["[PAD]", "a"]), tmp_path)


def test_an_id_beyond_the_vocabulary_is_refused(tokens, own, tmp_path):
    from tokenizers import processors

    tokenizer = own(["[PAD]", "a"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 77)]
    )
    with pytest.raises(DataError, match="token id 77"):
        encode(tokens, tokenizer, tmp_path, told=("a", "a"))


def test_a_padding_id_beyond_the_vocabulary_is_refused(tokens, own, tmp_path):
    with pytest.raises(DataError, match="padding id 9"):
        encode(tokens, own(["[PAD]", "a"]), tmp_path, told=("a",), pad=9)


def test_a_length_that_special_tokens_fill_is_refused(tokens, trained, tmp_path):
    with pytest.raises(DataError, match="max_length 1"):
        encode(tokens, trained[0], tmp_path, length=1)


def test_a_missing_library_is_an_error_of_the_machine_that_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(HostError, match=r"edgestill\[text\]"):
        tokenizer_file.load(tmp_path / "t.json")


# --- real data --------------------------------------------------------------------------------


@pytest.mark.skipif(not SST2.is_file(), reason="no shared data on this machine")
def test_sst2_becomes_tokens(tokens, tmp_path):
    found = read(SST2, tmp_path / "s")
    assert [len(found[f"x_{s}"]) for s in ("train", "validation", "test")] == [6920, 872, 1821]
    assert found["x_validation"][:1] == ["one long string of cliches"]
    train, form = found["x_train"], TextForm(vocabulary=1000)
    tokenizer_training.train(train, np.arange(len(train)), form, tmp_path / "t.json")
    tokenizer = tokenizer_file.load(tmp_path / "t.json")
    assert tokenizer_file.vocabulary(tokenizer) == 1000
    test = found["x_test"]
    out = np.zeros((len(test), 64), dtype=np.int32)
    cut = tokens.encode(tokenizer, test, np.arange(len(test)), 64, 0, out)
    assert (out[:, 0] == 2).all()
    assert not (out == 1).any()
    assert 10 < cut.median < 60
    assert tokenizer.decode(out[0].tolist()).strip() == test[:1][0]
