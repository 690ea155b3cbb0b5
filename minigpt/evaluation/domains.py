"""One model on several kinds of text, each by itself (Paloma: Magnusson et al., 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from minigpt.evaluation.perplexity import CorpusLoss, perplexity
from minigpt.models import GPT
from minigpt.tokenizers import Tokenizer


@dataclass(frozen=True)
class Domains:
    """What each of several kinds of text costs a model.

    A single number over all of it hides the small domains behind the large ones; the macro averages count each domain
    alike, however much text it has.

    Attributes:
        domains: name to what was measured.
    """

    domains: Mapping[str, CorpusLoss]

    @property
    def macro_loss(self) -> float:
        """Mean over domains of the nats per token."""
        return math.fsum(d.nats / d.tokens for d in self.domains.values()) / len(self.domains)

    @property
    def macro_perplexity(self) -> float:
        """Mean over domains of the perplexity."""
        return math.fsum(d.perplexity for d in self.domains.values()) / len(self.domains)

    @property
    def macro_bits_per_byte(self) -> float:
        """Mean over domains of the bits per byte."""
        return math.fsum(d.bits_per_byte.mean for d in self.domains.values()) / len(self.domains)

    @property
    def pooled(self) -> CorpusLoss:
        """All documents as one corpus, in which every token counts alike."""
        return CorpusLoss(tuple(document for d in self.domains.values() for document in d.documents))


def evaluate_domains(model: GPT, tokenizer: Tokenizer, domains: Mapping[str, Iterable[str]], **options: Any) -> Domains:
    """Measure a model on each of several kinds of text.

    Args:
        model: a decoder.
        tokenizer: that of the model.
        domains: name to documents, at least one of each.
        **options: those of `perplexity`.

    Raises:
        ValueError: if there is no domain, or one has no document.
    """
    if not domains:
        raise ValueError("there are no domains to measure; give a mapping from names to documents")
    found = {}
    for name, texts in domains.items():
        try:
            found[name] = perplexity(model, tokenizer, texts, **options)
        except ValueError as error:
            raise ValueError(f"domain {name!r}: {error}") from error
    return Domains(found)
