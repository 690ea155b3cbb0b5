"""Writing: the model's next token is chosen, appended, and read in turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from minigpt.generation.decoder import Decoder, Overflow
from minigpt.generation.processors import Sampling
from minigpt.models import GPT
from minigpt.nn import evaluating

GREEDY = Sampling(temperature=0)
"""The most likely token at each step."""

ANCESTRAL = Sampling()
"""A draw from the model's own distribution at each step."""


def generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    n_tokens: int,
    *,
    sampling: Sampling = ANCESTRAL,
    seed: int | Sequence[int] = 0,
    end: Collection[int] = (),
    overflow: Overflow = "refuse",
    window: int | None = None,
    use_cache: bool = True,
) -> list[list[int]]:
    """Continue each prompt by at most `n_tokens` tokens.

    Args:
        model: what gives the logits.
        prompts: ids of each row; the lengths may differ. For several texts from one prompt, give it several times.
        n_tokens: at least 1.
        sampling: how a token is chosen; by default drawn from the model's distribution.
        seed: decides the draws; an integer from 0, or one for each row. Each row draws from a stream of its own, so
            that it does not depend on the others, and a longer request begins with what a shorter one gives.
        end: ids that end a row, such as that of `"<|endoftext|>"`.
        overflow: what to do if a row is longer than the context; see `Decoder`.
        window: how many of the last tokens a new one sees; see `Decoder`.
        use_cache: whether keys and values are kept; without, the tokens are the same and come slower.

    Returns:
        The new ids of each row. The last one is in `end` if the row came to its end, and then only.

    Raises:
        ValueError: if a prompt is empty, a number is out of range, or a row does not fit into the context.
    """
    rows: list[list[int]] = [[] for _ in prompts]

    def ends(row: int, token: int) -> bool:
        rows[row].append(token)
        return token in end

    options = {"overflow": overflow, "window": window, "use_cache": use_cache}
    for _ in steps(model, prompts, n_tokens, sampling=sampling, seed=seed, ends=ends, **options):
        pass
    return rows


@torch.inference_mode()
def steps(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    n_tokens: int,
    *,
    ends: Callable[[int, int], bool],
    sampling: Sampling = ANCESTRAL,
    seed: int | Sequence[int] = 0,
    overflow: Overflow = "refuse",
    window: int | None = None,
    use_cache: bool = True,
) -> Iterator[None]:
    """The loop of `generate`, one token of each row at a time.

    Args:
        model: see `generate`, as for all that is not here.
        prompts: ids of each row.
        n_tokens: at least 1.
        ends: is called with the number of a row and its new token, and says whether the row ends there.
        sampling: how a token is chosen.
        seed: decides the draws.
        overflow: see `Decoder`.
        window: see `Decoder`.
        use_cache: see `Decoder`.
    """
    with evaluating(model):
        decoder = Decoder(model, prompts, n_tokens, overflow=overflow, window=window, use_cache=use_cache)
        uniforms = uniform_draws(seed, len(prompts), decoder.n_tokens)
        rows = list(range(len(prompts)))
        open_rows = set(rows)
        for step in range(decoder.n_tokens):
            chosen = sampling.choose(decoder.logits, decoder.ids, uniforms[:, step])
            for row, token in zip(rows, chosen.tolist(), strict=True):
                if row in open_rows and ends(row, token):
                    open_rows.remove(row)
            yield
            if not open_rows or step + 1 == decoder.n_tokens:
                return
            if 2 * len(open_rows) <= len(rows):
                # Rows that have ended are carried along until they are half of all: to drop them copies the cache.
                kept = torch.tensor([i for i, row in enumerate(rows) if row in open_rows])
                rows = [rows[i] for i in kept.tolist()]
                decoder.select(kept)
                uniforms, chosen = uniforms[kept], chosen[kept.to(chosen.device)]
            decoder.append(chosen)


def row_generators(seed: int | Sequence[int], n_rows: int) -> list[torch.Generator]:
    """A generator on the CPU for each row.

    Args:
        seed: an integer from 0, from which every row gets another seed; or one for each row. Row 0 of `seed` is the row
            of `[seed]`.
        n_rows: number of rows.

    Raises:
        ValueError: if a seed is negative, or there is not one for each row.
    """
    pairs = [(seed, row) for row in range(n_rows)] if isinstance(seed, int) else [(s, 0) for s in seed]
    if len(pairs) != n_rows:
        raise ValueError(f"{len(pairs)} seeds for {n_rows} rows; give one for each, or a single integer")
    if any(s < 0 for s, _ in pairs):
        raise ValueError(f"seed={seed} is negative; use integers from 0")
    # PyTorch's generator on the CPU looks at 32 bits of its seed, so the two numbers are mixed into 32.
    mixed = [int(np.random.SeedSequence(pair).generate_state(1)[0]) for pair in pairs]
    return [torch.Generator().manual_seed(number) for number in mixed]


def uniform_draws(seed: int | Sequence[int], n_rows: int, n_steps: int) -> Float64[Tensor, "n_rows n_steps"]:
    """Numbers from 0 to below 1, each row from its own generator (`row_generators`); fewer are the first of more."""
    return torch.stack(
        [torch.rand(n_steps, generator=one, dtype=torch.float64) for one in row_generators(seed, n_rows)]
    )
