"""One piece is merged as the definition says, in time that does not explode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.tokenizers import BPETokenizer, TokenizerError, bpe_merge
from minigpt.tokenizers.bpe_merge import PieceMerger

words = st.text(alphabet="lowernsti", max_size=30) | st.text(alphabet="ab", max_size=30)
corpora = st.lists(words, min_size=1, max_size=10)


def merged_by_definition(piece, merges):
    """Go through the merges in the order in which they were learned and make each wherever it can be made."""
    ids = list(piece)
    for new_id, (left, right) in enumerate(merges, start=256):
        i = 0
        while i + 1 < len(ids):
            if (ids[i], ids[i + 1]) == (left, right):
                ids[i : i + 2] = [new_id]
            i += 1
    return tuple(ids)


@given(corpus=corpora, word=words)
def test_short_and_long_pieces_are_merged_as_the_definition_says(corpus, word):
    tokenizer = BPETokenizer.train([*corpus, "x"], 300, pattern=r"\S+")
    expected = merged_by_definition(word.encode(), tokenizer.merges) if word else ()
    assert tuple(tokenizer.encode(word)) == expected
    if word:
        merger = PieceMerger(tokenizer.ranks)
        assert merger(word.encode()) == expected
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bpe_merge, "_LONG", 0)
            assert merger(word.encode()) == expected


class CountingRanks(dict):
    looked_up = 0

    def get(self, key, default=None):
        self.looked_up += 1
        return super().get(key, default)


@pytest.mark.parametrize("letters", ["a", "ab", "lowest "])
def test_the_look_ups_of_a_long_piece_grow_with_its_length(letters):
    tokenizer = BPETokenizer.train(["low lowest " * 50, "a" * 5000, "ab" * 5000], 330, pattern=r"(?s).+")
    for length in (2_000, 20_000):
        ranks = CountingRanks(tokenizer.ranks)
        PieceMerger(ranks)((letters * length)[:length].encode())
        assert ranks.looked_up <= 4 * length


def test_a_megabyte_of_one_letter_comes_back():
    tokenizer = BPETokenizer.train(["a" * 1000], 300)
    text = "a" * 1_000_000
    ids = tokenizer.encode(text)
    assert len(ids) < 10_000
    assert tokenizer.decode(ids) == text


def test_merges_are_found_again_from_the_ranks(small):
    merges = small.merges
    again = BPETokenizer(small.ranks, small.pattern)
    assert again.merges == merges
    for rank, (left, right) in enumerate(merges, start=256):
        assert small.token_bytes(rank) == small.token_bytes(left) + small.token_bytes(right)


def test_a_token_that_no_merge_makes_is_named():
    ranks = {bytes([i]): i for i in range(256)} | {b"abc": 256}
    tokenizer = BPETokenizer(ranks)
    assert tokenizer.encode("abc abc") == [256, 32, 97, 98, 99]
    with pytest.raises(TokenizerError, match="makes token 256, b'abc'"):
        _ = tokenizer.merges


def test_steps_lead_from_bytes_to_tokens_by_one_merge_each(gpt2_like):
    steps = gpt2_like.merge_steps(" lowest")
    assert steps[0] == [b" ", b"l", b"o", b"w", b"e", b"s", b"t"]
    assert [len(step) for step in steps] == list(range(7, 7 - len(steps), -1))
    assert [gpt2_like.ranks[token] for token in steps[-1]] == gpt2_like.encode(" lowest")
    assert {b"".join(step) for step in steps} == {b" lowest"}


def test_the_tree_of_a_word_holds_the_merges_that_make_its_tokens(gpt2_like):
    def check(tree):
        assert gpt2_like.token_bytes(tree.token_id) == tree.token
        if tree.parts:
            left, right = tree.parts
            assert gpt2_like.merges[tree.token_id - 256] == (left.token_id, right.token_id)
            check(left)
            check(right)
        else:
            assert len(tree.token) == 1

    trees = gpt2_like.merge_tree(" lowest")
    assert [tree.token_id for tree in trees] == gpt2_like.encode(" lowest")
    for tree in trees:
        check(tree)


def test_steps_and_trees_are_of_one_piece(gpt2_like):
    with pytest.raises(TokenizerError, match="not one piece"):
        gpt2_like.merge_steps("two words")
    with pytest.raises(TokenizerError, match="not one piece"):
        gpt2_like.merge_tree("")
