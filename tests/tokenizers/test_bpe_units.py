"""Looking up all units of a text at once gives what asking for each gives."""

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.tokenizers import BPETokenizer, bpe, unit_table
from minigpt.tokenizers.patterns import PATTERNS
from minigpt.tokenizers.unit_table import UnitTable, unit_bounds

KINDS = "aé1²'s.。 \n\r\u00a0\x1c\u0301"
texts = st.text(alphabet=KINDS + "bcdmtlver\t\u3000\U0001f600", max_size=60) | st.text(max_size=40)
texts = texts.map(lambda text: text.replace("\0", "") or "a")
known = pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)


@known
def test_units_of_ascii_begin_where_the_pattern_begins_them(pattern):
    for length in range(1, 6):
        for text in map("".join, product("a1'. \n\r\x1c", repeat=length)):
            units = [unit for unit in pattern.units(text) if unit]
            bounds = list(accumulate(map(len, units), initial=0))
            assert unit_bounds(text.encode(), pattern.line_ends).tolist() == bounds


@known
@given(text=texts)
def test_units_give_the_pieces_of_any_text(pattern, text):
    data = text.encode()
    bounds = unit_bounds(data, pattern.line_ends).tolist()
    units = [data[start:end].decode() for start, end in pairwise(bounds)]
    assert [piece for unit in units for piece in pattern.pieces(unit)] == pattern.pieces(text)


@known
@given(some=st.lists(texts, min_size=1, max_size=6))
@pytest.mark.parametrize("capacity", [64, 1024])
def test_the_table_gives_the_ids_of_each_unit_also_when_it_starts_anew(pattern, capacity, some):
    asked = []

    def encode_unit(unit):
        asked.append(unit)
        return list(unit.encode())

    table = UnitTable(encode_unit, pattern.line_ends, capacity)
    for text in [*some, *some]:
        assert table.encode(text) == list(text.encode())
    if capacity == 1024:
        assert len(asked) == len(set(asked))


@given(some=st.lists(texts, min_size=1, max_size=4))
def test_units_that_share_a_slot_are_told_apart(some):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unit_table, "_MIX_LOW", unit_table.np.uint64(0))
        table = UnitTable(str.encode, False, 1024)
        for text in [*some, *some]:
            assert table.encode(text) == list(text.encode())


def test_units_that_differ_in_the_last_of_sixteen_bytes_are_told_apart():
    words = [" " + "x" * n + last for n in range(20) for last in "ab"]
    table = UnitTable(lambda unit: [words.index(unit)], False, 1024)
    for _ in range(2):
        assert table.encode("".join(words)) == list(range(len(words)))


def test_long_and_short_texts_have_the_same_ids(small, monkeypatch):
    text = (
        "The lowest of the newest, naïve café 😀😀 日本語。\n\n\tdef f(x):\r\n    return x[1:2345] == '12 345'\n" * 500
    )
    texts = [text, text[:5000] + "\0" + text[5000:]]
    fresh = BPETokenizer(small.ranks, small.pattern)
    by_table = [fresh.encode(text) for text in texts]
    monkeypatch.setattr(bpe, "_SHORT", 2 * len(text))
    assert [small.encode(text) for text in texts] == by_table


def test_threads_may_share_a_tokenizer(small):
    texts = [f"{word} of the newest things, number {i}: {word}{i}\n" * 100 for i, word in enumerate("abcdefgh" * 3)]
    fresh = BPETokenizer(small.ranks, small.pattern)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fresh.encode, texts)) == [small.encode(text) for text in texts]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_table_that_was_stopped_half_way_gives_the_right_ids_afterwards(error):
    def fail(unit):
        raise error

    table = UnitTable(fail, False, 1024)
    with pytest.raises(error):
        table.encode("some words")
    table._encode_unit = str.encode
    assert table.encode("some words") == list(b"some words")


def test_a_table_keeps_no_more_units_and_ids_than_it_has_room_for():
    table = UnitTable(str.encode, False, 64)
    for i in range(200):
        text = f"{i} units of {'x' * (i % 40)} and {i * i}"
        assert table.encode(text) == list(text.encode())
        assert len(table._rows) <= 65
        assert table._n_ids <= 256
