"""Loss, perplexity and bits per byte of texts, long ones in a sliding window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from minigpt.evaluation.scoring import end_of_text, token_log_probs
from minigpt.models import GPT
from minigpt.tokenizers import Tokenizer
from minigpt.village.entropy import Estimate, ratio


@dataclass(frozen=True)
class DocumentLoss:
    """What a text costs a model.

    Attributes:
        nats: minus the natural log of the probability of the whole document.
        tokens: number of tokens that were predicted for it.
        bytes: number of its bytes in UTF-8.
        is_exact: whether the tokenizer gives the text back as it was. If not (a word that it does not know), the loss
            is that of another text.
    """

    nats: float
    tokens: int
    bytes: int
    is_exact: bool = True

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """`exp` of the loss: among how many equally likely tokens the model seems to choose."""
        return math.exp(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Bits that the document costs, divided by its bytes; no tokenizer enters into it."""
        return self.nats / math.log(2) / self.bytes


@dataclass(frozen=True)
class CorpusLoss:
    """What a corpus costs a model, as a whole and document by document.

    Sums are taken over all tokens (or bytes) before they are divided, so that a long document counts for more than a
    short one. Every estimate has half the width of its 95 % confidence interval over documents.
    """

    documents: tuple[DocumentLoss, ...]

    def __len__(self) -> int:
        return len(self.documents)

    @cached_property
    def nats(self) -> float:
        """Nats of all documents together."""
        return math.fsum(document.nats for document in self.documents)

    @cached_property
    def tokens(self) -> int:
        """Tokens of all documents together."""
        return sum(document.tokens for document in self.documents)

    @cached_property
    def bytes(self) -> int:
        """Bytes of all documents together."""
        return sum(document.bytes for document in self.documents)

    @cached_property
    def loss(self) -> Estimate:
        """Nats per token."""
        return ratio([d.nats for d in self.documents], [d.tokens for d in self.documents])

    @cached_property
    def bits_per_byte(self) -> Estimate:
        """Bits per byte (Gao et al., 2020, section 3.1): comparable between models with different tokenizers."""
        return ratio([d.nats / math.log(2) for d in self.documents], [d.bytes for d in self.documents])

    @property
    def perplexity(self) -> float:
        """`exp` of the nats per token; its interval is `exp` of that of `loss`, from end to end."""
        return math.exp(self.nats / self.tokens)

    @property
    def inexact(self) -> int:
        """How many documents the tokenizer does not give back as they were."""
        return sum(not document.is_exact for document in self.documents)


def perplexity(
    model: GPT,
    tokenizer: Tokenizer,
    texts: Iterable[str],
    *,
    stride: int | None = None,
    whole: bool = True,
    batch_tokens: int = 8192,
) -> CorpusLoss:
    """Measure how well a model predicts texts.

    One rule for `<|endoftext|>`: it is given before the first token of every text, and never scored there; behind the
    text it is scored like any other token and counts as one byte (as in `minigpt.village.entropy`), since a model of
    documents has to say where they end. With `whole=False` the texts are passages, and it is left out at the end.

    Args:
        model: a decoder.
        tokenizer: that of the model, with the special token `<|endoftext|>`.
        texts: documents, at least one, none empty unless `whole`.
        stride: for documents longer than the context, by how many tokens the window moves on; see `windows`. By
            default half the context.
        whole: whether texts end where documents end.
        batch_tokens: how many tokens are read at once.

    Raises:
        ValueError: if there is no text, one has no token to score, or the tokenizer lacks `<|endoftext|>`.
    """
    end = end_of_text(tokenizer)
    tail = [end] if whole else []
    documents = [(text, tokenizer.encode(text)) for text in texts]
    if not documents:
        raise ValueError("there are no texts to measure; give at least one")
    parts: list[Sequence[int]] = []
    last: list[int] = []
    owners: list[int] = []
    for number, (_, ids) in enumerate(documents):
        if not ids and not whole:
            raise ValueError(f"text {number} is empty: there is no token to score; leave it out")
        sequence = [end, *ids, *tail]
        for window in windows(len(sequence) - 1, model.config.context, stride):
            parts.append(sequence[window.begin : window.end + 1])
            last.append(window.scored)
            owners.append(number)
    nats: list[list[float]] = [[] for _ in documents]
    for owner, values in zip(owners, token_log_probs(model, parts, last=last, batch_tokens=batch_tokens), strict=True):
        nats[owner] += (-values).tolist()
    return CorpusLoss(
        tuple(
            DocumentLoss(math.fsum(values), len(values), len(text.encode()) + len(tail), tokenizer.decode(ids) == text)
            for (text, ids), values in zip(documents, nats, strict=True)
        )
    )


class Window(NamedTuple):
    """A part of a sequence that is read at once: inputs `begin` to `end`, the end not included, each of which predicts
    the next token. The last `scored` predictions count; the others were made in a window before.
    """

    begin: int
    end: int
    scored: int


def windows(n: int, context: int, stride: int | None = None) -> list[Window]:
    """Cut `n` predictions into windows of at most `context` inputs, so that each counts once.

    The first window is full; each further one moves on by `stride` and scores as many new tokens, so that every token
    behind the first `context` ones is predicted from at least `context - stride + 1` tokens. With `stride=1` each is
    predicted from a full window, as if token by token, at the price of a pass for each; with `stride=context` the
    document falls into pieces that do not know of each other.

    Args:
        n: number of predictions, at least 1.
        context: the longest input.
        stride: from 1 to `context`; by default half the context.

    Raises:
        ValueError: if a number is out of range.
    """
    stride = max(1, context // 2) if stride is None else stride
    if n < 1 or context < 1:
        raise ValueError(f"n={n} predictions and context={context} must both be at least 1")
    if not 1 <= stride <= context:
        raise ValueError(f"stride={stride} must be from 1 to the context, {context}: else tokens are left out")
    found = [Window(0, min(n, context), min(n, context))]
    while found[-1].end < n:
        end = min(found[-1].end + stride, n)
        found.append(Window(end - context, end, end - found[-1].end))
    return found
