"""The excerpts of the published vocabularies are exact for their sentences."""

import os

import pytest
import regex
import tiktoken

from minigpt.tokenizers.excerpts import excerpt

NAMES = ["r50k_base", "cl100k_base"]


def _whole(name):
    if "TIKTOKEN_CACHE_DIR" not in os.environ:
        pytest.skip("TIKTOKEN_CACHE_DIR does not say where the whole vocabularies are")
    return tiktoken.get_encoding(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_excerpt_holds_what_the_whole_vocabulary_holds(name):
    whole, part = _whole(name), excerpt(name)
    assert part.n_ranks == len(whole._mergeable_ranks)
    assert part.special_tokens == whole._special_tokens
    assert part.pattern == whole._pat_str
    assert part.vocab_size == whole.n_vocab
    for sentence in part.sentences:
        for piece in (p.encode() for p in regex.findall(part.pattern, sentence)):
            for i in range(len(piece)):
                for j in range(i + 1, len(piece) + 1):
                    assert part.ranks.get(piece[i:j]) == whole._mergeable_ranks.get(piece[i:j])


@pytest.mark.parametrize("name", NAMES)
def test_every_single_byte_of_the_sentences_is_a_token(name):
    part = excerpt(name)
    needed = {bytes([b]) for sentence in part.sentences for b in sentence.encode()}
    assert needed <= part.ranks.keys()


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no excerpt of 'o200k_base'"):
        excerpt("o200k_base")
