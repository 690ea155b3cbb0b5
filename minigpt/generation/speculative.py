"""Speculative decoding: a small model drafts several tokens, and the large one checks them in a single pass.

What comes out has exactly the distribution of the large model alone (Leviathan et al., 2023; Chen et al., 2023).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from minigpt.generation.decoder import widened
from minigpt.generation.generate import ANCESTRAL, row_generators
from minigpt.generation.processors import Sampling
from minigpt.models import GPT
from minigpt.nn import Cache, evaluating


@dataclass(frozen=True)
class Speculation:
    """What speculative decoding wrote, and what it cost.

    Attributes:
        ids: the new tokens, an end token included.
        n_passes: how often the large model read.
        n_drafted: tokens that the small model proposed.
        n_accepted: those of them that the large model let stand.
    """

    ids: tuple[int, ...]
    n_passes: int
    n_drafted: int
    n_accepted: int


def acceptance(
    p: Float64[Tensor, "*batch vocab_size"], q: Float64[Tensor, "*batch vocab_size"]
) -> Float64[Tensor, "*batch vocab_size"]:
    """The chance that a drafted token is accepted, `min(1, p / q)` (Leviathan et al., 2023, section 2.3).

    Args:
        p: probabilities of the large model.
        q: probabilities of the small one; where they are 0, nothing is drafted, and the value does not matter.
    """
    return torch.where(q > 0, (p / q).clamp(max=1), torch.ones_like(p))


def residual(
    p: Float64[Tensor, "*batch vocab_size"], q: Float64[Tensor, "*batch vocab_size"]
) -> Float64[Tensor, "*batch vocab_size"]:
    """The distribution from which a token is drawn in place of one that was refused, `max(0, p - q)` made to sum to 1.

    Where `p` and `q` are the same, nothing is ever refused, and `p` itself is returned.
    """
    rest = (p - q).clamp(min=0)
    total = rest.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, rest / total, p)


@torch.inference_mode()
def speculative(
    model: GPT,
    draft: GPT,
    prompt: Sequence[int],
    n_tokens: int,
    *,
    n_draft: int = 4,
    sampling: Sampling = ANCESTRAL,
    seed: int = 0,
    end: Collection[int] = (),
) -> Speculation:
    """Continue a prompt as `generate` would, with fewer passes of the large model. Greedy gives the same tokens; with
    sampling the distribution is the same, but not the draws of a seed.

    Args:
        model: the large model.
        draft: the small one; both have the same vocabulary.
        prompt: ids, at least one.
        n_tokens: at least 1.
        n_draft: how many tokens are drafted at a time, at least 1.
        sampling: how a token is chosen, by both.
        seed: decides the draws.
        end: ids that end the text.

    Raises:
        ValueError: if the vocabularies differ, a number is out of range, or the text does not fit into a context.
    """
    sizes = model.config.vocab_size, draft.config.vocab_size
    if sizes[0] != sizes[1]:
        raise ValueError(f"the models have {sizes[0]} and {sizes[1]} tokens; a draft needs the same vocabulary")
    if n_tokens < 1 or n_draft < 1 or not prompt:
        raise ValueError(f"n_tokens={n_tokens}, n_draft={n_draft} and the prompt's length must be at least 1")
    longest, context = len(prompt) + n_tokens - 1, min(model.config.context, draft.config.context)
    if longest > context:
        raise ValueError(
            f"a prompt of {len(prompt)} tokens and {n_tokens} new ones do not fit into the shorter context, {context}"
        )
    device = model.embedding.weight.device
    text = torch.tensor([list(prompt)], device=device)
    (generator,) = row_generators(seed, 1)
    caches = model.new_cache(longest), draft.new_cache(longest)
    n_passes = n_drafted = n_accepted = 0
    with evaluating(model), evaluating(draft):
        while (left := n_tokens - (text.shape[1] - len(prompt))) > 0:
            n = min(n_draft, left - 1)
            uniforms = torch.rand(2 * n + 1, generator=generator, dtype=torch.float64)
            drafted, q = _draft(draft, caches[1], text, n, sampling, uniforms[:n])
            both = torch.cat([text, drafted], dim=1)
            logits = widened(model(both[:, caches[0].length :], cache=caches[0])[0, -(n + 1) :])
            p = torch.stack(
                [sampling.probabilities(logits[i : i + 1], both[:, : text.shape[1] + i])[0] for i in range(n + 1)]
            )
            new = check(p, q, drafted[0], uniforms[n:])
            n_passes, n_drafted, n_accepted = n_passes + 1, n_drafted + n, n_accepted + len(new) - 1
            ended = next((i for i, token in enumerate(new) if token in end), None)
            new = new if ended is None else new[: ended + 1]
            text = torch.cat([text, torch.tensor([new], device=device)], dim=1)
            if ended is not None:
                break
            for cache in caches:
                # What was refused is forgotten; the last token has not been read by anybody.
                cache.truncate(min(cache.length, text.shape[1] - 1))
    return Speculation(tuple(text[0, len(prompt) :].tolist()), n_passes, n_drafted, n_accepted)


def check(
    p: Float64[Tensor, "drafted_and_one vocab_size"],
    q: Float64[Tensor, "drafted vocab_size"],
    drafted: Int[Tensor, " drafted"],
    uniforms: Float64[Tensor, " drafted_and_one"],
) -> list[int]:
    """The tokens that stand: those of the draft up to the first that is refused, and one of the large model's own.

    Args:
        p: probabilities of the large model at each drafted token, and behind the last.
        q: probabilities of the small model at each.
        drafted: the tokens.
        uniforms: a number from 0 to below 1 for each decision, and one for the draw at the end.
    """
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] >= acceptance(p[i], q[i])[token]:
            return [*drafted[:i].tolist(), _drawn(residual(p[i], q[i]), uniforms[-1])]
    return [*drafted.tolist(), _drawn(p[-1], uniforms[-1])]


def _draft(
    draft: GPT, cache: Cache, text: Tensor, n: int, sampling: Sampling, uniforms: Tensor
) -> tuple[Tensor, Tensor]:
    # n tokens of the small model, and the distributions that they were drawn from.
    probabilities = []
    start = text.shape[1]
    for i in range(n):
        logits = widened(draft(text[:, cache.length :], cache=cache)[:, -1])
        probabilities.append(sampling.probabilities(logits, text)[0])
        token = _drawn(probabilities[-1], uniforms[i])
        text = torch.cat([text, text.new_tensor([[token]])], dim=1)
    q = torch.stack(probabilities) if n else torch.empty(0, draft.config.vocab_size, dtype=torch.float64)
    return text[:, start:], q


def _drawn(probabilities: Tensor, uniform: Tensor) -> int:
    cumulative = probabilities.cumsum(dim=-1)
    return int(torch.searchsorted(cumulative / cumulative[-1], uniform.to(cumulative.device), right=True))
