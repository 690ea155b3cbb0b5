"""The fast trainer learns what the definition learns, from pieces that are counted without holding the corpus."""

import random
import string
from collections import Counter
from itertools import product

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from minigpt.tokenizers import BPETokenizer, TokenizerError, pretokenize, train_bpe_naive
from minigpt.tokenizers.bpe_train import train_merges
from minigpt.tokenizers.patterns import PATTERNS, pattern_of
from minigpt.tokenizers.pretokenize import count_pieces

few_letters = st.lists(st.text(alphabet="ab", max_size=12) | st.text(alphabet="abc ", max_size=8), max_size=8)
any_pieces = st.lists(st.text(max_size=8), max_size=8)
texts = st.lists(st.text(alphabet="aeé1²'s.。 \n\r\u00a0\x1c", max_size=30) | st.text(max_size=20), max_size=6)


@given(few_letters | any_pieces)
def test_the_merges_are_those_of_the_definition_in_the_same_order(pieces):
    assert train_merges(Counter(pieces), 60) == train_bpe_naive(pieces, 60)


def test_the_merges_of_the_words_of_the_paper():
    # Sennrich et al. (2016), section 3.2, without the end-of-word mark: e s occurs 9 times, as does s t, but (e, s) is
    # the smaller pair; then es t with 9, l o with 7, lo w with 7.
    words = ["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3
    e_s, es_t, l_o, lo_w = (*b"es",), (256, ord("t")), (*b"lo",), (258, ord("w"))
    assert train_merges(Counter(words), 4) == [e_s, es_t, l_o, lo_w]


def test_overlapping_pairs_are_merged_from_the_left():
    assert train_merges({"aaa": 2, "ab": 1}, 2) == [(97, 97), (256, 97)]
    assert train_merges({"aaaaa": 1}, 3) == [(97, 97), (256, 97), (256, 257)]


def test_ids_in_and_past_the_surrogate_range_are_as_good_as_others():
    draw = random.Random(0)
    pieces = {"".join(draw.choices(string.printable[:64], k=4)) for _ in range(60_000)}
    merges = train_merges(dict.fromkeys(sorted(pieces), 1), 100_000)
    assert len(merges) > 0xE000
    tokens = [bytes([i]) for i in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    assert len(set(tokens)) == len(tokens)
    assert {piece.encode() for piece in pieces} <= set(tokens)


@pytest.mark.parametrize("pattern", [*PATTERNS, r"\w+|\s"])
@given(texts=texts)
def test_counting_by_units_counts_the_pieces_of_each_text(pattern, texts):
    known = pattern_of(pattern)
    expected = Counter(piece for text in texts for piece in known.pieces(text))
    assert count_pieces(texts, known) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretokenize, "_MAX_UNITS", 2)
        assert count_pieces(texts, known) == expected


def test_special_tokens_are_cut_out_of_the_corpus():
    counts = count_pieces(["to be<|x|>or <|xy|>not"], pattern_of("gpt2"), ["<|x|>", "<|xy|>"])
    assert counts == {"to": 1, " be": 1, "or": 1, " ": 1, "not": 1}


def test_with_a_bound_the_rarest_pieces_are_forgotten():
    rare = [a + b for a, b in product("bdfgjk", repeat=2)]
    corpus = ["the cat"] * 100 + rare + ["the cat"] * 100
    bounded = count_pieces(corpus, pattern_of("gpt2"), max_pieces=10)
    assert len(bounded) <= 10
    assert bounded["the"] == bounded[" cat"] == 200
    tokenizer = BPETokenizer.train(corpus, 261, max_pretokens=10)
    assert {b"the", b" cat"} <= set(tokenizer.ranks)


def test_the_corpus_is_read_once_one_text_at_a_time():
    read = []

    def corpus():
        for i in range(5):
            read.append(i)
            yield "some words to learn from"

    BPETokenizer.train(corpus(), 270)
    assert read == [0, 1, 2, 3, 4]


def test_training_stops_where_every_piece_is_one_token():
    tokenizer = BPETokenizer.train(["ab ab"], 1000, special_tokens=["<|end|>"])
    assert tokenizer.vocab_size == 256 + 2 + 1
    assert tokenizer.special_tokens == {"<|end|>": 258}


def test_pieces_do_not_reach_across_texts():
    assert BPETokenizer.train(["a", "b", "a", "b"], 300).vocab_size == 256


def test_progress_goes_to_a_bar(capsys):
    BPETokenizer.train(["some words"], 260, progress=True)
    assert "merges" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": [], "vocab_size": 300}, "empty"),
        ({"texts": ["", ""], "vocab_size": 300}, "empty"),
        ({"texts": "one text", "vocab_size": 300}, "wrap it in a list"),
        ({"texts": ["a", 3], "vocab_size": 300}, "text 1"),
        ({"texts": ["a"], "vocab_size": 255}, "at least 256"),
        ({"texts": ["a"], "vocab_size": 257, "special_tokens": ["x", "y"]}, "at least 258"),
        ({"texts": ["a"], "vocab_size": 2_000_000}, "at most 1114112"),
        ({"texts": ["a"], "vocab_size": "300"}, "not an integer"),
        ({"texts": ["a"], "vocab_size": 300, "special_tokens": "<|x|>"}, "is one str"),
        ({"texts": ["a"], "vocab_size": 300, "special_tokens": ["x", "x"]}, "twice"),
        ({"texts": ["a"], "vocab_size": 300, "pattern": "(unclosed"}, "nor a regular expression"),
        ({"texts": ["a"], "vocab_size": 300, "pattern": 3}, "no str"),
        ({"texts": ["a"], "vocab_size": 300, "max_pretokens": 1}, "at least 2"),
        ({"texts": ["ok", "a\ud800"], "vocab_size": 300}, "lone surrogate"),
    ],
)
def test_bad_input_gets_an_error_that_says_what_is_wrong(arguments, message):
    with pytest.raises(TokenizerError, match=message):
        BPETokenizer.train(**arguments)


def test_a_pattern_of_your_own_cuts_and_loses_nothing():
    tokenizer = BPETokenizer.train(["one two, three"] * 3, 300, pattern=r"\w+")
    assert tokenizer.pieces("one, two") == ["one", ", ", "two"]
    assert tokenizer.decode(tokenizer.encode("one, two — drei")) == "one, two — drei"
    assert not any(regex.search(rb"\w\W|\W\w", token) for token in tokenizer.ranks if token.isascii())
