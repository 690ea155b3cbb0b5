"""The byte alphabet loses nothing and learns nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.tokenizers import ByteTokenizer, Tokenizer, TokenizerError


@given(st.text())
def test_ids_are_the_bytes_and_decode_undoes_encode(text):
    tokenizer = ByteTokenizer(["<|end|>"])
    ids = tokenizer.encode(text)
    assert bytes(ids) == text.encode()
    assert tokenizer.decode(ids, errors="strict") == text


def test_special_tokens_follow_the_bytes(tmp_path):
    tokenizer = ByteTokenizer(["<|a|>", "<|b|>"])
    assert tokenizer.special_tokens == {"<|a|>": 256, "<|b|>": 257}
    assert tokenizer.encode("x<|b|>", allowed_special="all") == [120, 257]
    assert tokenizer.encode("<|b|>") == list(b"<|b|>")
    assert tokenizer.decode([257, 120]) == "<|b|>x"
    assert tokenizer.token_bytes(0xFF) == b"\xff"
    assert tokenizer.token_bytes(256) == b"<|a|>"
    tokenizer.save(tmp_path / "byte.json")
    assert Tokenizer.load(tmp_path / "byte.json").special_tokens == tokenizer.special_tokens


def test_bad_special_tokens_are_refused(tmp_path):
    with pytest.raises(TokenizerError, match="is one str"):
        ByteTokenizer("<|end|>")
    with pytest.raises(TokenizerError, match="twice"):
        ByteTokenizer(["a", "a"])
    path = tmp_path / "byte.json"
    ByteTokenizer(["a"]).save(path)
    path.write_text(path.read_text().replace("256", "300"))
    with pytest.raises(TokenizerError, match="from 256 on"):
        Tokenizer.load(path)
