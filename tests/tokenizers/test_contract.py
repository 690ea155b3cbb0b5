"""What all tokenizers promise alike."""

import copy
import json
import pickle
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minigpt.tokenizers import (
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    Tokenizer,
    TokenizerError,
    UnigramTokenizer,
    WordPieceTokenizer,
    WordTokenizer,
)

CORPUS = [
    "The red hat is on the bench.\r\nAna gives the red hat to Ben; and Ben gives Ana a blue cup.\n\n",
    '\tWhere is the cup? Ana has it: "I don\'t know", says Ben — größer, 2345 (☃) and 日本 <|end|> e\u0301.',
]
SPECIAL = ["<|end|>", "<|pad|>"]
TRAIN = {
    "byte": lambda texts, special: ByteTokenizer(special),
    "bpe": lambda texts, special: BPETokenizer.train(texts, 300, special_tokens=special),
    "bpe cl100k": lambda texts, special: BPETokenizer.train(texts, 300, pattern="cl100k", special_tokens=special),
    "unigram": lambda texts, special: UnigramTokenizer.train(texts, 330, special_tokens=special),
    "unigram prefix": lambda texts, special: UnigramTokenizer.train(
        texts, 330, add_prefix_space=True, special_tokens=special
    ),
    "unigram without bytes": lambda texts, special: UnigramTokenizer.train(
        texts, 80, byte_fallback=False, special_tokens=special
    ),
    "word": lambda texts, special: WordTokenizer.train(texts, special_tokens=special),
    "char": lambda texts, special: CharTokenizer.train(texts, unknown="replace", special_tokens=special),
    "wordpiece": lambda texts, special: WordPieceTokenizer.train(texts, 130, special_tokens=special),
}
MADE = {name: train(CORPUS, SPECIAL) for name, train in TRAIN.items()}
LOSSLESS = ["byte", "bpe", "bpe cl100k", "unigram", "unigram prefix"]
TRAINED = [name for name in TRAIN if name != "byte"]

everywhere = pytest.mark.parametrize("tokenizer", MADE.values(), ids=MADE.keys())
PARTS = [*SPECIAL, "hat", "Ana", " ", "\n", "?", "<|", "|>", "zß", "😀"]
texts = st.text() | st.lists(st.sampled_from(PARTS)).map("".join)


@pytest.mark.parametrize("name", LOSSLESS)
@given(text=texts)
@example(text="\0\x1f\x85\u2028\ufeff\ufffd\ufdd0\U0010ffff")
@example(text="👩‍👩‍👧 e\u0301\u0323 ▁ <0x41> <unk> [UNK] ##a")
def test_every_text_comes_back(name, text):
    tokenizer = MADE[name]
    assert tokenizer.decode(tokenizer.encode(text), errors="strict") == text


@pytest.mark.parametrize("name", [name for name in MADE if name != "wordpiece"])
def test_the_training_text_comes_back(name):
    for text in CORPUS:
        # The name of the special token was cut out before training, so its characters may be unknown.
        plain = text.replace("<|end|>", "")
        assert MADE[name].decode(MADE[name].encode(plain)) == plain


@everywhere
@given(text=texts)
def test_ids_are_in_range_and_no_text_forges_a_special_token(tokenizer, text):
    ids = tokenizer.encode(text)
    assert all(type(i) is int and 0 <= i < tokenizer.vocab_size for i in ids)
    assert not set(tokenizer.special_tokens.values()) & set(ids)


@everywhere
@given(parts=st.lists(st.sampled_from([*SPECIAL, "hat ", "?", "<|en", "d|>"])))
def test_an_allowed_name_is_its_token_and_the_rest_is_text(tokenizer, parts):
    text = "".join(parts)
    end = tokenizer.special_tokens["<|end|>"]
    expected = []
    for i, part in enumerate(text.split("<|end|>")):
        expected += ([end] if i else []) + tokenizer.encode(part)
    assert tokenizer.encode(text, allowed_special=["<|end|>"]) == expected
    everything = tokenizer.encode(text, allowed_special="all")
    n_special = sum(everything.count(i) for i in tokenizer.special_tokens.values())
    assert n_special == text.count("<|end|>") + text.count("<|pad|>")


@everywhere
def test_special_tokens_come_last_and_decode_to_their_names(tokenizer):
    size = tokenizer.vocab_size
    assert tokenizer.special_tokens == {"<|end|>": size - 2, "<|pad|>": size - 1}
    assert tokenizer.decode([size - 1]) == "<|pad|>"
    assert tokenizer.token_bytes(size - 1) == b"<|pad|>"


@everywhere
def test_a_name_that_is_not_known_cannot_be_allowed(tokenizer):
    with pytest.raises(TokenizerError, match="not special tokens here"):
        tokenizer.encode("a", allowed_special=["<|nobody|>"])
    with pytest.raises(TokenizerError, match="give 'all' or a collection"):
        tokenizer.encode("a", allowed_special="<|end|>")


@everywhere
@given(text=texts, size=st.integers(1, 7), allowed=st.sampled_from([(), ("<|end|>",), "all"]))
def test_a_stream_gives_the_ids_of_the_whole(tokenizer, text, size, allowed, short_streams):
    chunks = [text[i : i + size] for i in range(0, len(text), size)]
    expected = tokenizer.encode(text, allowed_special=allowed)
    for stream in (chunks, ["", *chunks, ""]):
        assert [i for ids in tokenizer.encode_stream(stream, allowed_special=allowed) for i in ids] == expected


@pytest.fixture(scope="module")
def short_streams():
    """Streams are cut after few characters, so that short texts are cut at all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minigpt.tokenizers.base._STREAM_LENGTH", 2)
        yield


@everywhere
@given(text=texts, rest=texts)
def test_where_a_text_can_be_cut_nothing_that_follows_matters(tokenizer, text, rest):
    end = tokenizer.safe_end(text)
    assert 0 <= end <= len(text)
    if end:
        whole = text + rest
        assert tokenizer.encode(whole[:end]) + tokenizer.encode(whole[end:]) == tokenizer.encode(whole)


@everywhere
def test_a_batch_is_its_texts_one_by_one(tokenizer):
    assert tokenizer.encode_batch(iter(CORPUS)) == [tokenizer.encode(text) for text in CORPUS]
    with pytest.raises(TokenizerError, match="takes several texts, not one str"):
        tokenizer.encode_batch("text")


@everywhere
def test_the_empty_text_has_no_ids(tokenizer):
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


@everywhere
@given(data=st.data())
def test_any_ids_can_be_decoded(tokenizer, data):
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1)))
    assert isinstance(tokenizer.decode(ids), str)
    assert all(isinstance(tokenizer.token_bytes(i), bytes) for i in ids)


@everywhere
def test_integers_of_numpy_are_ids(tokenizer):
    ids = tokenizer.encode(CORPUS[0])
    expected = tokenizer.decode(ids)
    for dtype in (np.uint16, np.int64):
        array = np.array(ids, dtype=dtype)
        assert tokenizer.decode(array) == expected
        assert tokenizer.decode(list(array)) == expected
        assert tokenizer.token_bytes(array[0]) == tokenizer.token_bytes(ids[0])


@everywhere
@pytest.mark.parametrize("bad", [-1, 10**6, 1.0, "1", None, True])
def test_what_is_no_id_is_refused_with_its_position(tokenizer, bad):
    with pytest.raises(TokenizerError, match="at position 1 is"):
        tokenizer.decode([0, bad])
    with pytest.raises(TokenizerError, match="token id"):
        tokenizer.token_bytes(bad)


@everywhere
def test_what_is_no_text_is_refused(tokenizer):
    for bad in (b"bytes", None, ["text"]):
        with pytest.raises(TokenizerError, match="encode takes a str"):
            tokenizer.encode(bad)
    with pytest.raises(TokenizerError, match=r"lone surrogate '\\ud800' at position 2"):
        tokenizer.encode("ab\ud800")


@everywhere
def test_a_file_gives_the_tokenizer_back(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    for loaded in (Tokenizer.load(path), type(tokenizer).load(path)):
        assert type(loaded) is type(tokenizer)
        assert (loaded.vocab_size, loaded.special_tokens) == (tokenizer.vocab_size, tokenizer.special_tokens)
        for text in (*CORPUS, "unseen Wörter 😀 <|end|>"):
            assert loaded.encode(text, allowed_special="all") == tokenizer.encode(text, allowed_special="all")
        loaded.save(tmp_path / "again.json")
        assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


@everywhere
def test_a_file_is_readable_by_a_person(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    content = path.read_text(encoding="utf-8")
    assert content.endswith("}\n")
    assert json.loads(content)["kind"] == tokenizer.kind
    # Nothing but control characters is written as an escape.
    assert not re.search(r"\\u(?!00[01])", content)


@everywhere
def test_a_copy_and_a_pickle_work_like_the_original(tokenizer):
    for twin in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert twin.encode(CORPUS[0]) == tokenizer.encode(CORPUS[0])


@everywhere
def test_a_file_cut_short_is_refused(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    data = path.read_bytes().rstrip()
    for length in {*range(0, len(data), max(len(data) // 50, 1)), len(data) - 1}:
        path.write_bytes(data[:length])
        with pytest.raises(TokenizerError, match="cut short"):
            Tokenizer.load(path)


@everywhere
def test_a_damaged_file_is_refused_by_its_own_error(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    original = json.loads(path.read_text(encoding="utf-8"))
    for key in original:
        for value in (None, 5, -1.5, "x", [], [None], [5], {}, {"a": "b"}):
            damaged = original | {key: value}
            if damaged == original:
                continue
            path.write_text(json.dumps(damaged), encoding="utf-8")
            try:
                loaded = Tokenizer.load(path)
            except TokenizerError:
                continue
            # Some values make another tokenizer, which then must work.
            assert isinstance(loaded.encode("Ana ?"), list)
        path.write_text(json.dumps({k: v for k, v in original.items() if k != key}), encoding="utf-8")
        with pytest.raises(TokenizerError):
            Tokenizer.load(path)


@everywhere
def test_foreign_files_are_refused(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    other = WordTokenizer if tokenizer.kind != "word" else ByteTokenizer
    tokenizer.save(path)
    with pytest.raises(TokenizerError, match=f"of kind '{tokenizer.kind}', not a {other.__name__}"):
        other.load(path)
    original = json.loads(path.read_text(encoding="utf-8"))
    for damage, message in (
        ({"format": "else"}, "is not a minigpt-tokenizer file"),
        ({"version": 2}, "has version 2"),
        ({"kind": "strange"}, "of kind 'strange'"),
    ):
        path.write_text(json.dumps(original | damage), encoding="utf-8")
        with pytest.raises(TokenizerError, match=message):
            Tokenizer.load(path)


@pytest.mark.parametrize("name", TRAINED)
def test_training_explains_what_is_wrong(name):
    train = TRAIN[name]
    with pytest.raises(TokenizerError, match="takes an iterable of texts, not one str"):
        train("one text", ())
    with pytest.raises(TokenizerError, match="text 1 of the corpus is of type bytes"):
        train(["one", b"two"], ())
    for empty in ([], [""], iter(())):
        with pytest.raises(TokenizerError, match="the corpus is empty"):
            train(empty, ())
    with pytest.raises(TokenizerError, match="lone surrogate"):
        train(["a\udc80"], ())
    with pytest.raises(TokenizerError, match="is one str; give a collection"):
        train(CORPUS, "<|end|>")
    with pytest.raises(TokenizerError, match="twice"):
        train(CORPUS, ["a", "a"])
    for bad in ("", 5):
        with pytest.raises(TokenizerError, match=f"special token {bad!r}"):
            train(CORPUS, [bad])


@pytest.mark.parametrize("kind", [BPETokenizer, CharTokenizer, UnigramTokenizer, WordPieceTokenizer, WordTokenizer])
def test_a_vocabulary_without_room_is_refused(kind):
    for size in (-1, 0, 2):
        with pytest.raises(TokenizerError, match=f"vocab_size={size} is too small; it must be at least"):
            kind.train(CORPUS, size, special_tokens=SPECIAL)
    for size in (300.5, "300", True) + ((None,) if kind not in (CharTokenizer, WordTokenizer) else ()):
        with pytest.raises(TokenizerError, match=re.escape(f"vocab_size={size!r} is not an integer")):
            kind.train(CORPUS, size)


@pytest.mark.parametrize("name", TRAINED)
def test_a_corpus_is_read_once_and_the_names_of_special_tokens_teach_nothing(name, tmp_path):
    made = TRAIN[name](iter(["a cat, <|end|>a cat", "a dog<|pad|>"]), SPECIAL)
    made.save(tmp_path / "with.json")
    TRAIN[name](["a cat, ", "a cat", "a dog"], SPECIAL).save(tmp_path / "without.json")
    assert (tmp_path / "with.json").read_bytes() == (tmp_path / "without.json").read_bytes()
