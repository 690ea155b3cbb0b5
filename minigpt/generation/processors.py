"""From logits to the next token: what each method of sampling keeps, and how it weighs what it keeps.

Every function maps logits to logits. A token that is ruled out gets minus infinity, so that a softmax behind them gives
it probability 0. Each equals the processor of the same name in Hugging Face's `transformers`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

PADDING = -1
"""Stands in place of an id where a row of a batch has no token."""

PENALTIES = (0.001, 1000.0)
"""The smallest and the largest repetition penalty: beyond them logits leave the range of float32."""
_EXTREME = 1e20


def temperature(logits: Float[Tensor, "batch vocab_size"], value: float | int) -> Float[Tensor, "batch vocab_size"]:
    """`logits / T` (Ackley et al., 1985): below 1 the likely tokens gain, above 1 the unlikely ones.

    The softmax of this is `p^(1/T)`, made to sum to 1 again; `T = 1` changes nothing.

    Args:
        logits: of the next token.
        value: `T`, positive.

    Raises:
        ValueError: if the temperature is not positive. The limit at 0 is the argmax: `Sampling(temperature=0)`.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"temperature={value} must be positive; for the most likely token use Sampling(temperature=0)")
    if not 1 / _EXTREME < value < _EXTREME:
        # Float32 would overflow, and infinity minus infinity is no number. Beside the largest logit nothing is lost.
        logits = logits - logits.amax(dim=-1, keepdim=True)
        value = min(max(value, 1e-30), 1e30)
    return logits / value


def top_k(logits: Float[Tensor, "batch vocab_size"], k: int) -> Float[Tensor, "batch vocab_size"]:
    """Keeps the `k` most likely tokens (Fan et al., 2018, section 5.4), and those as likely as the last of them.

    Args:
        logits: of the next token.
        k: at least 1; more than there are tokens keeps all.

    Raises:
        ValueError: if `k` is smaller than 1.
    """
    if k < 1:
        raise ValueError(f"top_k={k} must be at least 1, or no token is left")
    threshold = logits.topk(min(k, logits.shape[-1]), dim=-1).values[:, -1:]
    return logits.masked_fill(logits < threshold, -torch.inf)


def top_p(logits: Float[Tensor, "batch vocab_size"], p: float | int) -> Float[Tensor, "batch vocab_size"]:
    """Keeps the most likely tokens that together reach the probability `p` ("nucleus"; Holtzman et al., 2020, eq. 2-3).

    From the least likely token up, those are dropped whose probabilities sum to at most `1 - p`; the most likely one
    always stays. Of several tokens of the same probability, those with the smaller ids are dropped first.

    Args:
        logits: of the next token.
        p: from 0 (the most likely token alone) to 1 (all).

    Raises:
        ValueError: if `p` is no probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"top_p={p} is a probability; it must be from 0 to 1")
    ascending, order = logits.sort(dim=-1, stable=True)
    dropped = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - p
    dropped[:, -1] = False
    return logits.masked_fill(dropped.scatter(-1, order, dropped), -torch.inf)


def min_p(logits: Float[Tensor, "batch vocab_size"], p: float | int) -> Float[Tensor, "batch vocab_size"]:
    """Keeps tokens at least `p` times as likely as the most likely one (Nguyen et al., 2025, section 3).

    Args:
        logits: of the next token.
        p: from 0 (keep all) to 1 (keep the most likely one).

    Raises:
        ValueError: if `p` is not from 0 to 1.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"min_p={p} is a share of the largest probability; it must be from 0 to 1")
    probabilities = logits.softmax(dim=-1)
    dropped = probabilities < p * probabilities.amax(dim=-1, keepdim=True)
    return logits.masked_fill(dropped, -torch.inf)


def repetition_penalty(
    logits: Float[Tensor, "batch vocab_size"], ids: Int[Tensor, "batch time"], penalty: float | int
) -> Float[Tensor, "batch vocab_size"]:
    """Makes tokens less likely that stand in the text already (Keskar et al., 2019, section 4.1).

    Positive logits are divided by the penalty. The paper divides all; negative ones are multiplied here, as everywhere
    in use, since dividing would make such a token more likely.

    Args:
        logits: of the next token.
        ids: the text so far, prompt included; `PADDING` (-1) where a row has no token.
        penalty: above 1 to discourage repetition (1.2 in the paper), 1 for none, below 1 to encourage it; within
            `PENALTIES`.

    Raises:
        ValueError: if the penalty is out of range.
    """
    if not PENALTIES[0] <= penalty <= PENALTIES[1]:
        raise ValueError(
            f"repetition_penalty={penalty} must be positive, from {PENALTIES[0]:g} to {PENALTIES[1]:g}; 1 changes "
            "nothing"
        )
    vocab_size = logits.shape[-1]
    # One more column takes the padding.
    seen = logits.new_zeros(len(logits), vocab_size + 1, dtype=torch.bool)
    seen.scatter_(1, ids.long().where(ids != PADDING, vocab_size), True)
    return torch.where(seen[:, :-1], torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def no_repeat_ngram(
    logits: Float[Tensor, "batch vocab_size"], ids: Int[Tensor, "batch time"], n: int
) -> Float[Tensor, "batch vocab_size"]:
    """Rules out each token that would complete a run of `n` tokens that the text has already (Paulus et al., 2018).

    Args:
        logits: of the next token.
        ids: the text so far, prompt included; `PADDING` (-1) where a row has no token.
        n: at least 1.

    Raises:
        ValueError: if `n` is smaller than 1.
    """
    if n < 1:
        raise ValueError(f"no_repeat_ngram={n} must be at least 1")
    time = ids.shape[1]
    if time < n:
        return logits
    runs = ids.unfold(1, n, 1)
    begun = ids[:, time - (n - 1) :]
    repeats = (runs[:, :, :-1] == begun[:, None]).all(dim=-1) & (runs != PADDING).all(dim=-1)
    banned = logits.new_zeros(len(logits), logits.shape[-1] + 1, dtype=torch.bool)
    banned.scatter_(1, runs[:, :, -1].long().where(repeats, logits.shape[-1]), True)
    return logits.masked_fill(banned[:, :-1], -torch.inf)


def draw(logits: Float[Tensor, "batch vocab_size"], uniforms: Float64[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """One token of each row from the softmax of its logits, by inversion: the first whose cumulative probability is
    larger than a number between 0 and 1.

    So a draw takes one number, and depends on nothing else; what `torch.multinomial` gives for a seed differs between
    versions and devices. The sums are in float64, or tokens less likely than 1e-7 would come out too often or never.

    Args:
        logits: of the next token.
        uniforms: `0 <= u < 1`, one for each row.
    """
    cumulative = logits.double().softmax(dim=-1).cumsum(dim=-1)
    cumulative = cumulative / cumulative[:, -1:]
    return torch.searchsorted(cumulative, uniforms.unsqueeze(1).to(cumulative.device).contiguous(), right=True).squeeze(
        1
    )


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen: penalties first, then the temperature, then what is kept, in Hugging Face's order.

    `Sampling()` draws from the model's own distribution, `Sampling(temperature=0)` takes the most likely token.

    Args:
        temperature: 0 for the most likely token, whatever the next three say; see `temperature`.
        top_k: `None` keeps all; see `top_k`.
        top_p: `None` keeps all; see `top_p`.
        min_p: `None` keeps all; see `min_p`.
        repetition_penalty: 1 for none; see `repetition_penalty`.
        no_repeat_ngram: `None` for none; see `no_repeat_ngram`.

    Raises:
        ValueError: if a value is out of range.
    """

    temperature: float | int = 1.0
    top_k: int | None = None
    top_p: float | int | None = None
    min_p: float | int | None = None
    repetition_penalty: float | int = 1.0
    no_repeat_ngram: int | None = None

    def __post_init__(self) -> None:
        # Each function says what it accepts, so each is asked once; the temperature alone may also be 0.
        if self.temperature < 0 or not math.isfinite(self.temperature):
            raise ValueError(f"temperature={self.temperature} must be 0 (the most likely token) or positive")
        self.process(torch.zeros(1, 2), torch.zeros(1, 1, dtype=torch.long))

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is taken, so that nothing is random."""
        return self.temperature == 0

    def penalised(
        self, logits: Float[Tensor, "batch vocab_size"], ids: Int[Tensor, "batch time"]
    ) -> Float[Tensor, "batch vocab_size"]:
        """The logits behind the two penalties, which look at the text so far."""
        if self.repetition_penalty != 1:
            logits = repetition_penalty(logits, ids, self.repetition_penalty)
        if self.no_repeat_ngram is not None:
            logits = no_repeat_ngram(logits, ids, self.no_repeat_ngram)
        return logits

    def process(
        self, logits: Float[Tensor, "batch vocab_size"], ids: Int[Tensor, "batch time"]
    ) -> Float[Tensor, "batch vocab_size"]:
        """The logits whose softmax the next token is drawn from; of greedy decoding, those whose largest it takes.

        Args:
            logits: of the model.
            ids: the text so far, prompt included; `PADDING` (-1) where a row has no token.
        """
        logits = self.penalised(logits, ids)
        if not self.greedy and self.temperature != 1:
            logits = temperature(logits, self.temperature)
        if self.top_k is not None:
            logits = top_k(logits, self.top_k)
        if self.top_p is not None:
            logits = top_p(logits, self.top_p)
        if self.min_p is not None:
            logits = min_p(logits, self.min_p)
        return logits

    def probabilities(
        self, logits: Float[Tensor, "batch vocab_size"], ids: Int[Tensor, "batch time"]
    ) -> Float64[Tensor, "batch vocab_size"]:
        """The distribution of the next token; of greedy decoding, all on the most likely one."""
        if self.greedy:
            best = self.penalised(logits, ids).argmax(dim=-1, keepdim=True)
            return torch.zeros_like(logits, dtype=torch.float64).scatter_(1, best, 1.0)
        return self.process(logits, ids).double().softmax(dim=-1)

    def choose(
        self,
        logits: Float[Tensor, "batch vocab_size"],
        ids: Int[Tensor, "batch time"],
        uniforms: Float64[Tensor, " batch"],
    ) -> Int[Tensor, " batch"]:
        """The next token of each row.

        Args:
            logits: of the model.
            ids: the text so far, prompt included; `PADDING` (-1) where a row has no token.
            uniforms: `0 <= u < 1`, one for each row; greedy decoding does not look at them.
        """
        if self.greedy:
            return self.penalised(logits, ids).argmax(dim=-1)
        return draw(self.process(logits, ids), uniforms)
