"""How likely a model holds tokens to be: the one measurement that every score in this package is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.files import END_OF_TEXT
from minigpt.models import GPT
from minigpt.nn import evaluating
from minigpt.tokenizers import Tokenizer


@torch.inference_mode()
def token_log_probs(
    model: GPT,
    sequences: Sequence[Sequence[int]],
    *,
    last: Sequence[int] | None = None,
    batch_tokens: int = 8192,
) -> list[Float64[Tensor, " n_scored"]]:
    """Natural log of the probability of tokens, each given all those before it in its sequence.

    Sequences are read in batches of similar length, padded on the right, where causal attention does not look. Those
    that differ in nothing but the last token are read once. Logits are computed only for tokens that are asked for.

    Args:
        model: a decoder; dropout is switched off for the measurement.
        sequences: ids, at least 2 and at most `context + 1` each. The first token is given, not scored.
        last: how many tokens at the end of each sequence are asked for; by default all but the first.
        batch_tokens: how many tokens, padding included, are read at once; it decides memory, and no score.

    Returns:
        For each sequence the log-probabilities of the tokens asked for, in order, in float64 on the CPU.

    Raises:
        ValueError: if a sequence is too short or too long, or more of its tokens are asked for than can be had.
    """
    wanted = [len(ids) - 1 for ids in sequences] if last is None else list(last)
    _check(sequences, wanted, model.config.context)
    readers: dict[tuple[int, ...], list[int]] = {}
    for i, ids in enumerate(sequences):
        readers.setdefault(tuple(ids[:-1]), []).append(i)
    scores: list[Tensor] = [torch.empty(0, dtype=torch.float64)] * len(sequences)
    device = model.embedding.weight.device
    with evaluating(model):
        for batch in _batches(sorted(readers, key=len), batch_tokens):
            inputs = nn.utils.rnn.pad_sequence([torch.tensor(ids) for ids in batch], batch_first=True)
            hidden = model.hidden(inputs.to(device))
            asked = [(row, i) for row, ids in enumerate(batch) for i in readers[ids] if wanted[i]]
            rows = torch.cat([torch.full((wanted[i],), row) for row, i in asked] or [torch.empty(0).long()])
            ends = {row: len(ids) for row, ids in enumerate(batch)}
            times = torch.cat([torch.arange(ends[row] - wanted[i], ends[row]) for row, i in asked] or [rows])
            targets = torch.tensor([token for _, i in asked for token in sequences[i][len(sequences[i]) - wanted[i] :]])
            found = _log_probs(model, hidden[rows.to(device), times.to(device)], targets.long().to(device))
            for (_, i), values in zip(asked, found.cpu().split([wanted[i] for _, i in asked]), strict=True):
                scores[i] = values
    return scores


def _log_probs(model: GPT, hidden: Tensor, targets: Tensor) -> Tensor:
    # Some hundred rows of logits at a time: a large vocabulary makes them the largest tensor there is.
    parts = []
    for states, wanted in zip(hidden.split(512), targets.split(512), strict=True):
        logits = model.head(states)
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        parts.append(-F.cross_entropy(logits, wanted, reduction="none").double())
    return torch.cat(parts)


def _check(sequences: Sequence[Sequence[int]], wanted: Sequence[int], context: int) -> None:
    if len(wanted) != len(sequences):
        raise ValueError(f"{len(wanted)} numbers in `last` for {len(sequences)} sequences; give one for each")
    for i, (ids, n) in enumerate(zip(sequences, wanted, strict=True)):
        if not 2 <= len(ids) <= context + 1:
            raise ValueError(
                f"sequence {i} has {len(ids)} tokens; a model with a context of {context} scores 2 to {context + 1} "
                "(minigpt.evaluation.windows cuts longer ones)"
            )
        if not 0 <= n < len(ids):
            raise ValueError(f"last={n} of the {len(ids)} tokens of sequence {i}; the first one is not scored")


def _batches(inputs: list[tuple[int, ...]], batch_tokens: int) -> Iterator[list[tuple[int, ...]]]:
    # The inputs come by length, so that the last one of a batch decides how wide it is.
    batch: list[tuple[int, ...]] = []
    for ids in inputs:
        if batch and len(ids) * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(ids)
    if batch:
        yield batch


def end_of_text(tokenizer: Tokenizer) -> int:
    """The id of `<|endoftext|>`.

    Raises:
        ValueError: if the tokenizer has no such special token.
    """
    if END_OF_TEXT not in tokenizer.special_tokens:
        raise ValueError(
            f"the tokenizer has no special token {END_OF_TEXT!r}, which begins and ends every document; it has "
            f"{sorted(tokenizer.special_tokens) or 'none'}. Train it with special_tokens=[{END_OF_TEXT!r}]"
        )
    return tokenizer.special_tokens[END_OF_TEXT]
