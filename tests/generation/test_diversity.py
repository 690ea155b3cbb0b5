"""Repetition and distinctness by hand, and BLEU by its definition."""

import math
from collections import Counter

import pytest

from minigpt.generation import distinct, repeated, self_bleu
from minigpt.generation.diversity import n_grams


def test_repetition_within_a_text():
    assert repeated("abcabc", 1) == 3 / 6
    assert repeated("abcabc", 3) == 1 / 4  # abc bca cab abc
    assert repeated("aaaa", 2) == pytest.approx(2 / 3)
    assert repeated("ab", 3) == 0


def test_distinctness_of_several_texts():
    assert distinct(["ab", "ab", "ac"], 1) == 3 / 6
    assert distinct(["abc", "abd"], 2) == 3 / 4
    assert distinct([["a", "b"], ["b", "a"]], 2) == 1


def plain_bleu(text, references, n):
    precisions = []
    for length in range(1, n + 1):
        own = Counter(n_grams(text, length))
        others = [Counter(n_grams(reference, length)) for reference in references]
        precisions.append(sum(min(own[run], max(o[run] for o in others)) for run in own) / sum(own.values()))
    nearest = min((len(reference) for reference in references), key=lambda r: (abs(r - len(text)), r))
    brevity = 1 if len(text) >= nearest else math.exp(1 - nearest / len(text))
    return brevity * math.prod(precisions) ** (1 / n)


def test_self_bleu_by_its_definition():
    texts = ["the cat sat on the mat", "the cat sat on the cat", "on the mat the dog sat down", "a cat on the mat"]
    words = [text.split() for text in texts]
    for n in (1, 2, 3):
        expected = sum(plain_bleu(words[i], words[:i] + words[i + 1 :], n) for i in range(4)) / 4
        assert self_bleu(words, n) == pytest.approx(expected, rel=1e-12)
    assert self_bleu([words[0]] * 3) == 1
    assert self_bleu(["abcd", "efgh"]) == 0


def test_mistakes_are_explained():
    with pytest.raises(ValueError, match="n=0 must be at least 1"):
        repeated("abc", 0)
    with pytest.raises(ValueError, match="none of the 2 texts has 4 tokens"):
        distinct(["a", "bc"], 4)
    with pytest.raises(ValueError, match="at least two texts of at least 4 tokens; there are 1"):
        self_bleu(["abcdef"])
