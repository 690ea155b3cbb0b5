"""Cutting text by units, by slices and by the faster expressions gives the pieces of the pattern itself."""

from itertools import product

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from minigpt.tokenizers import patterns
from minigpt.tokenizers.patterns import PATTERNS, pattern_of

# A letter and a number, within ASCII and beyond; what begins and ends a contraction; punctuation, white space, line
# ends; what `re` takes for white space and the pattern does not; a mark, which is no letter.
KINDS = "aé1²'s.。 \n\r\u00a0\x1c\u0301"
texts = st.text(alphabet=KINDS + "sdmtlver\t\u3000\U0001f600", max_size=40) | st.text(max_size=40)
known = pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)


def plain(pattern, text):
    return regex.findall(pattern.expression, text)


@known
def test_units_give_the_pieces_of_every_short_text(pattern):
    for length in range(5):
        for text in map("".join, product(KINDS, repeat=length)):
            pieces = plain(pattern, text)
            assert pattern.pieces(text) == pieces
            assert [piece for unit in pattern.units(text) for piece in pattern.pieces(unit)] == pieces


@known
@given(text=texts)
def test_units_give_the_pieces_of_any_text(pattern, text):
    pieces = plain(pattern, text)
    assert "".join(pieces) == text
    assert pattern.pieces(text) == pieces
    assert regex.findall(pattern.portable, text) == pieces
    assert [piece for unit in pattern.units(text) for piece in pattern.pieces(unit)] == pieces


@known
@given(text=texts, more=texts)
def test_a_text_can_be_cut_at_its_safe_end_whatever_follows(pattern, text, more):
    end = pattern.safe_end(text)
    assert plain(pattern, text + more) == plain(pattern, text[:end]) + plain(pattern, text[end:] + more)


@known
@given(text=texts)
def test_slices_give_the_pieces_of_the_text(pattern, text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "_SLICE_LENGTH", 3)
        slices = list(pattern.slices(text))
    assert "".join(slices) == text
    assert [piece for part in slices for piece in plain(pattern, part)] == plain(pattern, text)


@given(text=texts)
def test_a_pattern_of_your_own_keeps_what_it_does_not_match(text):
    pieces = pattern_of(r"\p{L}+|\d(?=\d)").pieces(text)
    assert "".join(pieces) == text
    assert "" not in pieces


def test_white_space_of_the_units_is_white_space_of_the_pattern():
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    assert regex.findall(rf"[{patterns._W}]", every) == regex.findall(r"\s", every)


def test_a_pattern_is_known_by_its_name_and_by_its_expression():
    for name, pattern in PATTERNS.items():
        assert pattern_of(name) is pattern_of(pattern.expression) is pattern_of(pattern.portable) is pattern
