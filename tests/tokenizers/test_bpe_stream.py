"""A stream of chunks gives the ids of the whole text, in memory that does not grow with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.tokenizers import BPETokenizer, ByteTokenizer, TokenizerError, base

texts = st.text(alphabet="ab1 .\n'é。<|x>", max_size=60) | st.text(max_size=30)
chunk_lists = st.lists(texts, max_size=8)


@pytest.fixture(scope="module", params=["gpt2", "cl100k", r"\w+"])
def tokenizer(request):
    return BPETokenizer.train(
        ["ab ab.\nab'1 é。ab ab1"], 270, pattern=request.param, special_tokens=["<|x|>", "<|x|>a", "b <"]
    )


def streamed(tokenizer, chunks, length, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "_STREAM_LENGTH", length)
        return [i for ids in tokenizer.encode_stream(chunks, **options) for i in ids]


@given(chunks=chunk_lists, length=st.integers(1, 20))
def test_a_stream_gives_the_ids_of_the_whole_text(tokenizer, chunks, length):
    assert streamed(tokenizer, chunks, length) == tokenizer.encode("".join(chunks))


@given(chunks=chunk_lists, length=st.integers(1, 20))
def test_special_tokens_are_found_across_chunks(tokenizer, chunks, length):
    expected = tokenizer.encode("".join(chunks), allowed_special="all")
    assert streamed(tokenizer, chunks, length, allowed_special="all") == expected


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_special_token_cut_anywhere_is_found(tokenizer, cut):
    text = "ab <|x|>ab <|x|>"
    expected = tokenizer.encode(text, allowed_special="all")
    assert streamed(tokenizer, [text[:cut], text[cut:]], 1, allowed_special="all") == expected


class Recording(BPETokenizer):
    kind = "bpe-recording"
    longest = 0

    def _encode_ordinary(self, text):
        self.longest = max(self.longest, len(text))
        return super()._encode_ordinary(text)


@pytest.mark.parametrize("line", ["def f(x):\n    return x + 1  # 'one' more\n", "吾輩は猫である。名前はまだ無い。\n"])
def test_what_is_held_does_not_grow_with_the_text(line):
    tokenizer = Recording.train([line], 280, special_tokens=["<|end|>"])
    for options in ({}, {"allowed_special": "all"}):
        chunks = (line for _ in range(20_000))
        n_tokens = sum(map(len, tokenizer.encode_stream(chunks, **options)))
        assert n_tokens >= 20_000
        assert tokenizer.longest < 2 * base._STREAM_LENGTH


def test_bytes_are_streamed_too():
    tokenizer = ByteTokenizer(["<|end|>"])
    expected = tokenizer.encode("héllo<|end|>x", allowed_special="all")
    assert streamed(tokenizer, ["hé", "llo<|e", "nd|>x"], 1, allowed_special="all") == expected


def test_an_empty_stream_has_no_ids(tokenizer):
    assert streamed(tokenizer, [], 1) == streamed(tokenizer, ["", ""], 1) == []


def test_bad_chunks_get_an_error(tokenizer):
    with pytest.raises(TokenizerError, match="wrap it in a list"):
        list(tokenizer.encode_stream("text"))
    with pytest.raises(TokenizerError, match="chunks of str, not bytes"):
        list(tokenizer.encode_stream([b"text"]))
    with pytest.raises(TokenizerError, match="lone surrogate"):
        list(tokenizer.encode_stream(["a\ud800"]))
