"""Excerpts of two published vocabularies, enough to encode a few sentences exactly without a download.

Byte-pair encoding looks up nothing but substrings of the piece it encodes. So the substrings of a sentence's pieces
that are in a vocabulary, with their ranks, give the same ids as the whole vocabulary does: the excerpt is exact for
`Excerpt.sentences`, and for them alone. `tools/excerpts.py` makes the file from the whole vocabularies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType


@dataclass(frozen=True)
class Excerpt:
    """A part of a byte-level vocabulary."""

    name: str
    """The name in tiktoken: `"r50k_base"` (GPT-2) or `"cl100k_base"` (GPT-3.5 and GPT-4)."""
    n_ranks: int
    """Number of ordinary tokens in the whole vocabulary."""
    special_tokens: Mapping[str, int]
    """All special tokens with their ids."""
    pattern: str
    """The pattern that cuts a text into pieces."""
    sentences: tuple[str, ...]
    """The texts for which the excerpt is exact."""
    ranks: Mapping[bytes, int]
    """Token bytes to rank, which is also the token's id: the token formed earlier has the lower rank."""

    @property
    def vocab_size(self) -> int:
        """Number of ids of the whole vocabulary, from 0 to the largest special token."""
        return max(self.n_ranks - 1, *self.special_tokens.values()) + 1


@cache
def excerpt(name: str) -> Excerpt:
    """The excerpt of one vocabulary.

    Raises:
        ValueError: if there is none of that name.
    """
    path = resources.files("minigpt.tokenizers") / "data" / "excerpts.json"
    encodings = json.loads(path.read_text(encoding="utf-8"))["encodings"]
    if name not in encodings:
        raise ValueError(f"there is no excerpt of {name!r}; there are {sorted(encodings)}")
    data = encodings[name]
    return Excerpt(
        name=name,
        n_ranks=data["n_ranks"],
        special_tokens=MappingProxyType(data["special_tokens"]),
        pattern=data["pattern"],
        sentences=tuple(data["sentences"]),
        ranks=MappingProxyType({token.encode("latin-1"): rank for token, rank in data["ranks"].items()}),
    )
