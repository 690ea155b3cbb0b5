"""Beam search: several beginnings of a text are kept side by side, and the most likely continuations of all go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from minigpt.generation.decoder import Decoder, Overflow
from minigpt.generation.processors import no_repeat_ngram as without_repeats
from minigpt.models import GPT
from minigpt.nn import evaluating

Normalisation = Callable[[int], float]
"""What the log-probability of a text of so many tokens is divided by."""


LARGEST_POWER = 50
"""Of a length: a million tokens to the power of 50 is a number that a float can hold."""


def _check_power(alpha: float | int) -> None:
    if not -LARGEST_POWER <= alpha <= LARGEST_POWER:
        raise ValueError(
            f"alpha={alpha} must be from {-LARGEST_POWER} to {LARGEST_POWER}; the power of a length would overflow"
        )


def power(alpha: float | int) -> Normalisation:
    """`length^alpha`: 0 compares sums of log-probabilities, 1 means (as Hugging Face's `length_penalty`).

    Raises:
        ValueError: if `alpha` is not from -50 to 50.
    """
    _check_power(alpha)
    return lambda length: length**alpha


MEAN = power(1.0)
"""The mean log-probability of a token."""


def wu(alpha: float | int) -> Normalisation:
    """`((5 + length) / 6)^alpha` (Wu et al., 2016, equation 14, without the term for coverage).

    Raises:
        ValueError: if `alpha` is not from -50 to 50.
    """
    _check_power(alpha)
    return lambda length: ((5 + length) / 6) ** alpha


@dataclass(frozen=True)
class Hypothesis:
    """A text that beam search found.

    Attributes:
        ids: the new tokens, an end token included.
        log_prob: natural log of their probability.
        score: the same divided by the normalisation of their number.
    """

    ids: tuple[int, ...]
    log_prob: float
    score: float


@torch.inference_mode()
def beam_search(
    model: GPT,
    prompt: Sequence[int],
    n_tokens: int,
    *,
    n_beams: int,
    n_best: int = 1,
    end: Collection[int] = (),
    normalisation: Normalisation = MEAN,
    no_repeat_ngram: int | None = None,
    overflow: Overflow = "refuse",
) -> list[Hypothesis]:
    """The best texts that a beam of `n_beams` finds, best first.

    A step reads `n_beams` texts of one more token each, so the cost grows in proportion to `n_beams`. A text among the
    best that comes to its end leaves the beam, and others move up. The search ends when nothing in the beam can become
    better than what has ended, or after `n_tokens`. With a beam that holds every beginning it is exhaustive.

    Args:
        model: what gives the logits.
        prompt: ids, at least one.
        n_tokens: longest continuation, at least 1.
        n_beams: beginnings that are kept, at least 1; with 1 and a normalisation by `power(0)`, greedy decoding.
        n_best: how many texts to return, at most `n_beams`; there may be fewer.
        end: ids that end a text.
        normalisation: makes texts of different lengths comparable. It grows or falls with the length throughout.
        no_repeat_ngram: rules out runs of so many tokens that were there before; see `processors`.
        overflow: what to do if the text is longer than the context; see `Decoder`.

    Raises:
        ValueError: if a number is out of range, or the text does not fit into the context.
    """
    if not 1 <= n_best <= n_beams:
        raise ValueError(f"n_best={n_best} must be from 1 to n_beams={n_beams}")
    with evaluating(model):
        decoder = Decoder(model, [prompt], n_tokens, overflow=overflow)
        n_tokens = decoder.n_tokens
        beams: list[tuple[int, ...]] = [()]
        log_probs = torch.zeros(1, dtype=torch.float64)
        finished: list[Hypothesis] = []
        for length in range(1, n_tokens + 1):
            logits = decoder.logits.double().log_softmax(dim=-1)
            if no_repeat_ngram is not None:
                logits = without_repeats(logits, decoder.ids, no_repeat_ngram)
            # Twice as many as are wanted (and more for more ends): so many go on even if all of the others end.
            wanted = n_beams * max(2, 1 + len(end))
            values, parents, tokens = _best(log_probs.unsqueeze(1) + logits.cpu(), wanted)
            going_on = []
            for rank, (value, parent, token) in enumerate(zip(values, parents, tokens, strict=True)):
                if token not in end and length < n_tokens:
                    going_on.append((value, parent, token))
                elif rank < n_beams:
                    ids = (*beams[parent], token)
                    finished.append(Hypothesis(ids, value, value / normalisation(length)))
            finished = sorted(finished, key=lambda found: -found.score)[:n_beams]
            going_on = going_on[:n_beams]
            if not going_on or _settled(finished, going_on[0][0], n_beams, normalisation, length, n_tokens):
                break
            beams = [(*beams[parent], token) for _, parent, token in going_on]
            log_probs = torch.tensor([value for value, _, _ in going_on], dtype=torch.float64)
            decoder.select(torch.tensor([parent for _, parent, _ in going_on]))
            decoder.append(torch.tensor([token for _, _, token in going_on], device=decoder.logits.device))
    return finished[:n_best]


def _best(totals: Float[Tensor, "beams vocab_size"], n: int) -> tuple[list[float], list[int], list[int]]:
    # The n largest totals that are not ruled out, with their rows and columns.
    best, places = totals.flatten().topk(min(n, totals.numel()))
    possible = int((best > -math.inf).sum())
    places = places[:possible]
    return best[:possible].tolist(), (places // totals.shape[1]).tolist(), (places % totals.shape[1]).tolist()


def _settled(
    finished: list[Hypothesis], best: float, n_beams: int, normalisation: Normalisation, length: int, longest: int
) -> bool:
    # A log-probability only falls, so a text can at best keep what it has, at the length that favours it most.
    if len(finished) < n_beams:
        return False
    return finished[-1].score >= best / max(normalisation(length + 1), normalisation(longest))
