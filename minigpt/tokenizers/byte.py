"""The byte alphabet: every text is a string over 0x00 to 0xFF, so nothing is ever unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

from minigpt.tokenizers.base import Tokenizer, TokenizerError
from minigpt.tokenizers.vocabulary import append_special_tokens

N_BYTES = 256


class ByteTokenizer(Tokenizer):
    """Ids 0 to 255 are the bytes of the text in UTF-8; special tokens follow from 256 on.

    Nothing is learned, so there is nothing to train. `decode(encode(text)) == text` for every text that UTF-8 can hold.

    Args:
        special_tokens: names, in the order of their ids.
    """

    kind = "byte"

    def __init__(self, special_tokens: Iterable[str] = ()) -> None:
        _, self.special_tokens = append_special_tokens(range(N_BYTES), special_tokens)
        self._names = {token_id: name.encode() for name, token_id in self.special_tokens.items()}

    @property
    def joins_bytes(self) -> bool:
        return True

    @property
    def vocab_size(self) -> int:
        return N_BYTES + len(self.special_tokens)

    def token_bytes(self, token_id: int) -> bytes:
        token_id = self._checked_id(token_id)
        return bytes([token_id]) if token_id < N_BYTES else self._names[token_id]

    def safe_end(self, text: str) -> int:
        return len(text)

    def _encode_ordinary(self, text: str) -> list[int]:
        return list(text.encode("utf-8"))

    def _decode_ids(self, ids: Sequence[int], errors: Literal["replace", "strict"]) -> str:
        if self._names:
            return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors)
        return bytes(ids).decode("utf-8", errors)

    def _to_dict(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any], special_tokens: dict[str, int]) -> Self:
        tokenizer = cls(sorted(special_tokens, key=special_tokens.__getitem__))
        if tokenizer.special_tokens != special_tokens:
            raise TokenizerError(f"the ids of the special tokens of a byte tokenizer run from 256 on: {special_tokens}")
        return tokenizer
