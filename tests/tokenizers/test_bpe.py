"""Byte-level BPE loses nothing, forges nothing, remembers within bounds, and comes back from its file."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.tokenizers import BPETokenizer, ByteTokenizer, Tokenizer, TokenizerError
from minigpt.tokenizers.bpe import from_readable, readable
from minigpt.tokenizers.cache import Cache

BYTES = {bytes([i]): i for i in range(256)}
UNUSUAL = [
    "",
    " ",
    "\x00\x1b[0m\x7f",
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    "e\u0301 \u202eright to left\u202c \ufeff\ufffe\uffff",
    "x" * 5000,
    "\n" * 5000,
    " " * 5000 + "x",
    "'" * 3000,
    "\U0010ffff\ue000",
]


@pytest.mark.parametrize("text", UNUSUAL, ids=range(len(UNUSUAL)))
def test_decode_undoes_encode_of_unusual_text(small, text):
    assert small.decode(small.encode(text), errors="strict") == text


@pytest.mark.parametrize("fixture", ["gpt2_like", "cl100k_like"])
@given(data=st.data())
def test_decode_undoes_encode_of_any_text(fixture, request, data):
    tokenizer = request.getfixturevalue(fixture)
    text = data.draw(st.text())
    assert tokenizer.decode(tokenizer.encode(text), errors="strict") == text


def test_bytes_without_merges_are_the_ids():
    assert BPETokenizer(BYTES).encode("héllo 😀") == ByteTokenizer().encode("héllo 😀")


def test_special_tokens_are_ids_only_where_they_are_allowed(small):
    end, endoftext = small.special_tokens["<|end|>"], small.special_tokens["<|endoftext|>"]
    text = "a<|end|>b<|endoftext|>"
    assert not {end, endoftext} & set(small.encode(text))
    assert small.decode(small.encode(text)) == text
    ids = small.encode(text, allowed_special=["<|end|>"])
    assert ids == [*small.encode("a"), end, *small.encode("b<|endoftext|>")]
    assert small.encode(text, allowed_special="all")[-1] == endoftext
    assert small.decode(small.encode(text, allowed_special="all")) == text


def test_where_one_special_token_begins_another_the_longer_is_meant():
    tokenizer = BPETokenizer(BYTES, special_tokens={"<a>": 256, "<a>b": 257})
    assert tokenizer.encode("<a>b<a>", allowed_special="all") == [257, 256]


def test_ids_that_are_no_utf8_are_replaced_or_refused(small):
    ids = [*small.encode("a"), 0xFF]
    assert small.decode(ids) == "a\ufffd"
    with pytest.raises(UnicodeDecodeError):
        small.decode(ids, errors="strict")


def test_a_lone_surrogate_is_refused_with_its_place(small):
    with pytest.raises(TokenizerError, match=r"lone surrogate '\\udc80' at position 2"):
        small.encode("ab\udc80")


def test_what_was_encoded_before_is_encoded_alike():
    fresh = BPETokenizer.train(["the lowest of the lower " * 3], 280, special_tokens=["<|end|>"])
    tiny = BPETokenizer(fresh.ranks, fresh.pattern, fresh.special_tokens, cache_size=2)
    text = "the lowest of lower things, the lowest of the low " * 3
    expected = BPETokenizer(fresh.ranks, fresh.pattern).encode(text)
    assert fresh.encode(text) == tiny.encode(text) == tiny.encode(text) == expected


@given(st.lists(st.text(alphabet="abc", max_size=3) | st.just("x" * 300)), st.integers(1, 4))
def test_a_cache_gives_what_the_function_gives_and_stays_in_its_bounds(keys, size):
    computed = []
    cache = Cache(lambda key: computed.append(key) or len(key), size)
    for key in keys:
        assert cache[key] == len(key)
        assert len(cache) <= size
        assert len(cache._old) <= size
        assert "x" * 300 not in cache
    if len({key for key in keys if len(key) < 300}) <= size:
        assert len({key for key in computed if len(key) < 300}) == len([k for k in computed if len(k) < 300])


def test_a_cache_remembers_what_was_used_lately():
    computed = []
    cache = Cache(lambda key: computed.append(key) or key, 2)
    for key in ("a", "b", "c", "a", "d", "a"):
        _ = cache[key]
    assert computed.count("a") == 1


def test_a_saved_tokenizer_comes_back_whole(small, tmp_path):
    small.save(tmp_path / "bpe.json")
    loaded = Tokenizer.load(tmp_path / "bpe.json")
    assert isinstance(loaded, BPETokenizer)
    assert loaded.ranks == small.ranks
    assert loaded.special_tokens == small.special_tokens
    assert loaded.pattern == small.pattern
    assert loaded.merges == small.merges
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "bpe.json").read_bytes()


def test_a_tokenizer_goes_to_another_process(small):
    small.encode("something to remember")
    there = pickle.loads(pickle.dumps(small))
    assert (there.ranks, there.special_tokens, there.pattern) == (small.ranks, small.special_tokens, small.pattern)
    assert there.encode("the newest café 😀") == small.encode("the newest café 😀")


def test_ids_may_have_holes_and_still_come_back(tmp_path):
    tokenizer = BPETokenizer(BYTES | {b"ab": 300, b"abc": 302}, r"\S+", {"<|x|>": 301, "<|y|>": 400})
    tokenizer.save(tmp_path / "bpe.json")
    loaded = BPETokenizer.load(tmp_path / "bpe.json")
    assert (loaded.ranks, loaded.special_tokens) == (tokenizer.ranks, tokenizer.special_tokens)
    assert loaded.vocab_size == 401
    assert loaded.encode("abc ab<|x|>", allowed_special="all") == [302, 32, 300, 301]
    for unused in (256, 399):
        with pytest.raises(TokenizerError, match=f"{unused} is not used"):
            loaded.token_bytes(unused)
        with pytest.raises(TokenizerError, match=f"{unused} is not used"):
            loaded.decode([97, unused])


def test_the_file_can_be_read_by_a_person(gpt2_like, tmp_path):
    gpt2_like.save(tmp_path / "bpe.json")
    tokens = json.loads((tmp_path / "bpe.json").read_text(encoding="utf-8"))["tokens"]
    assert tokens[ord("a")] == "a"
    assert tokens[0xE9] == r"\xe9"
    assert tokens[ord("\\")] == r"\\"
    assert " lowest" in tokens


@given(st.binary(max_size=12))
def test_tokens_as_text_lose_nothing(token):
    assert from_readable(readable(token)) == token


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_different_tokens_are_different_texts(one, other):
    assert (readable(one) == readable(other)) == (one == other)


@pytest.mark.parametrize("text", ["\\", "a\\", r"\xZZ", r"\x4", r"\\\q"])
def test_a_stray_backslash_is_an_error(text):
    with pytest.raises(TokenizerError, match="backslash"):
        from_readable(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": None}, "not a list"),
        ({"tokens": []}, "have no token"),
        ({"tokens": ["a", "a"]}, "listed twice"),
        ({"tokens": [3]}, "damaged"),
        ({"tokens": [r"\q"]}, "backslash"),
        ({"pattern": "(unclosed"}, "nor a regular expression"),
        ({"special_tokens": {"<|x|>": 97}}, "share an id"),
        ({"special_tokens": {"<|x|>": -1}}, "integers from 0"),
    ],
)
def test_a_damaged_file_is_refused(gpt2_like, tmp_path, change, message):
    path = tmp_path / "bpe.json"
    gpt2_like.save(path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(TokenizerError, match=message):
        Tokenizer.load(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({b"a": 0},), r"bytes \[0, 1"),
        ((BYTES | {b"ab": 97},), "share an id"),
        ((BYTES | {b"ab": -1},), "rank an integer from 0"),
        ((BYTES | {"ab": 256},), "a token is bytes"),
        ((BYTES, "gpt2", {"<|x|>": 0}), "share an id"),
        ((BYTES, "gpt2", {"": 256}), "not empty"),
    ],
)
def test_a_vocabulary_that_cannot_work_is_refused(arguments, message):
    with pytest.raises(TokenizerError, match=message):
        BPETokenizer(*arguments)


def test_a_cache_without_room_is_refused():
    with pytest.raises(TokenizerError, match="cache_size=0"):
        BPETokenizer(BYTES, cache_size=0)


def test_the_ranks_cannot_be_changed_from_outside(gpt2_like):
    gpt2_like.ranks[b"q"] = 5
    assert gpt2_like.encode("q") == [ord("q")]
