"""Text that grows: complete characters only, nothing of a stop string, and the same whether it streams or not."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minigpt.generation import Completion, Sampling, StopStrings, TextStream, complete, stream
from minigpt.models import GPT, TransformerConfig
from minigpt.tokenizers import (
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    UnigramTokenizer,
    WordPieceTokenizer,
    WordTokenizer,
)

TEXT = 'Mia has the red ball. "Where is it?" — größer, ☃ and 日本.\nBen gave Mia (his friend) the ball.' * 3
END = "<|endoftext|>"
TOKENIZERS = {
    "byte": ByteTokenizer([END]),
    "bpe": BPETokenizer.train([TEXT], 300, special_tokens=[END]),
    "char": CharTokenizer.train([TEXT], special_tokens=[END]),
    "word": WordTokenizer.train([TEXT], special_tokens=[END]),
    "wordpiece": WordPieceTokenizer.train([TEXT], 120, special_tokens=[END]),
    "unigram": UnigramTokenizer.train([TEXT], 400, special_tokens=[END]),
    "unigram with a space": UnigramTokenizer.train([TEXT], 400, special_tokens=[END], add_prefix_space=True),
}


def pieces_of(tokenizer, ids, prompt=(), **options):
    """What a stream gives for each id, and at the end."""
    text = TextStream(tokenizer, prompt, **options)
    pieces = []
    for token in ids:
        pieces.append(text.push(token))
        if text.finished:
            break
    return [*pieces, text.close()], text.reason


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_the_pieces_of_any_ids_are_their_text(kind, data):
    tokenizer = TOKENIZERS[kind]
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=30))
    cut = data.draw(st.integers(0, len(ids)))
    before, whole = tokenizer.decode(ids[:cut]), tokenizer.decode(ids)
    # A prompt is a text, and does not end within a character. Bytes that are no text are counted one way or another.
    assume("\N{REPLACEMENT CHARACTER}" not in before + ("" if tokenizer.joins_bytes else whole))
    pieces, _ = pieces_of(tokenizer, ids[cut:], ids[:cut])
    assert "".join(pieces) == whole[len(before) :]


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_no_piece_is_half_a_character(kind):
    tokenizer = TOKENIZERS[kind]
    ids = tokenizer.encode(TEXT)
    pieces, reason = pieces_of(tokenizer, ids)
    assert "".join(pieces) == tokenizer.decode(ids)
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(pieces)
    assert reason == "length"


def test_bytes_that_are_no_text_do_not_wait_for_ever():
    pieces, _ = pieces_of(TOKENIZERS["byte"], [0xE2, 0x98, 0x83, 0xE2, 0x41, 0xFF, 0xFF, 0xC3])
    assert pieces == ["", "", "☃", "", "\ufffdA", "\ufffd", "\ufffd", "", "\ufffd"]


@pytest.mark.parametrize(
    ("stop", "text", "expected"),
    [
        (["\n\n"], "one\ntwo\n\nthree", "one\ntwo"),
        (["ball"], "the ball", "the "),
        (["bal", "ball"], "the ball", "the "),
        (["abcd", "bc"], "abcd", "a"),
        (["bcd", "abcd"], "abcd", ""),
        (["aab"], "aaaab", "aa"),
        (["x"], "no such thing", "no such thing"),
        (["nothing here"], "noth", "noth"),
    ],
)
def test_a_stop_string_is_found_wherever_the_tokens_end(stop, text, expected):
    for kind in ("byte", "char"):
        tokenizer = TOKENIZERS["byte"] if kind == "byte" else CharTokenizer.train([text])
        pieces, reason = pieces_of(tokenizer, tokenizer.encode(text), stop=stop)
        assert "".join(pieces) == expected
        assert reason == ("length" if text == expected else "stop")
        kept, _ = pieces_of(tokenizer, tokenizer.encode(text), stop=stop, keep_stop=True)
        assert "".join(kept) == (text if text == expected else text[: StopStrings(stop).find(text).end])


def test_what_may_begin_a_stop_string_is_held_back():
    tokenizer = TOKENIZERS["byte"]
    pieces, _ = pieces_of(tokenizer, tokenizer.encode("a.b. c"), stop=[". !"])
    assert pieces == ["a", "", ".b", "", "", ". c", ""]
    assert StopStrings([". !"]).held("a.b. ") == 2


@given(text=st.text("ab", max_size=12), stop=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_the_first_stop_string_is_the_one_that_is_complete_first(text, stop):
    found = StopStrings(stop).find(text)
    ends = [end for end in range(len(text) + 1) if any(text[:end].endswith(one) for one in stop)]
    if not ends:
        assert found is None
    else:
        assert found.end == ends[0]
        assert found.end - found.start == max(len(one) for one in stop if text[: ends[0]].endswith(one))


def test_the_end_token_ends_a_text_and_is_not_shown():
    tokenizer = TOKENIZERS["byte"]
    pieces, reason = pieces_of(tokenizer, [*b"ab", 256, *b"c"], end=[256])
    assert ("".join(pieces), reason) == ("ab", "end")


@pytest.fixture(scope="module")
def model():
    config = TransformerConfig(vocab_size=257, n_layers=1, d_model=16, n_heads=2, context=128, std=0.3)
    return GPT(config, generator=torch.Generator().manual_seed(0)).eval()


@pytest.mark.parametrize("options", [{}, {"stop": ["e", "ab"]}, {"stop": ["e"], "keep_stop": True}], ids=str)
def test_streaming_gives_the_text_of_the_whole(model, options):
    tokenizer = TOKENIZERS["byte"]
    for seed in range(10):
        common = {"sampling": Sampling(top_k=60), "seed": seed} | options
        pieces = list(stream(model, tokenizer, "Once", 60, **common))
        (whole,) = complete(model, tokenizer, ["Once"], 60, **common)
        assert "".join(pieces) == whole.text
        assert "" not in pieces


def test_a_completion_says_what_it_is(model):
    tokenizer = TOKENIZERS["byte"]
    for completion in complete(model, tokenizer, ["", "Mia", "The ball"], 100, seed=3, stop=["q"]):
        ids = list(completion.ids)
        match completion.reason:
            case "end":
                assert ids[-1] == 256
                assert completion.text == tokenizer.decode(ids[:-1])
            case "stop":
                assert tokenizer.decode(ids) == completion.text + "q"
            case "length":
                assert len(ids) == 100
                assert completion.text == tokenizer.decode(ids)
        assert isinstance(completion, Completion)


def test_a_prompt_begins_a_text(model):
    tokenizer = TOKENIZERS["byte"]
    (first,) = complete(model, tokenizer, ["Mia"], 5)
    from minigpt.generation import generate

    assert generate(model, [[256, *b"Mia"]], 5) == [list(first.ids)]


def test_mistakes_are_explained(model):
    with pytest.raises(ValueError, match="hold an empty one, which would end every text at its start"):
        StopStrings(["a", ""])
    with pytest.raises(ValueError, match=r"give a list of prompts, as \[prompt\]"):
        complete(model, TOKENIZERS["byte"], "Mia", 5)
    with pytest.raises(ValueError, match=r"the prompt is empty, and the tokenizer has no <\|endoftext\|>"):
        complete(model, ByteTokenizer(), [""], 5)
    text = TextStream(TOKENIZERS["byte"], end=[1])
    text.push(1)
    with pytest.raises(ValueError, match=r"the text has ended \(end\)"):
        text.push(2)
