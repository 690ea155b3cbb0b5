"""Token ids to vectors."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.nn.init import uniform_


class TokenEmbedding(nn.Module):
    """A table with one row of `d_model` numbers for each token of the vocabulary.

    Looking up row `i` is the product of a one-hot vector with the table, without the multiplications by zero. The
    gradient is non-zero only in rows whose tokens occurred.

    Args:
        vocab_size: number of token ids, at least 1.
        d_model: width of the vectors, at least 1.
        std: standard deviation of the initial weights (uniform draws). 0.02 is the value of GPT-1 and GPT-2
            (Radford et al., 2018, section 4.1).
        generator: where the initial weights are drawn from; `None` takes PyTorch's own, which `torch.manual_seed` sets.

    Raises:
        ValueError: if a size is smaller than 1.
    """

    weight: Float[nn.Parameter, "vocab_size d_model"]

    def __init__(
        self, vocab_size: int, d_model: int, *, std: float = 0.02, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if vocab_size < 1 or d_model < 1:
            raise ValueError(f"vocab_size={vocab_size} and d_model={d_model} must both be at least 1")
        self.weight = nn.Parameter(torch.empty(vocab_size, d_model))
        self.std = std
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights anew."""
        uniform_(self.weight, self.std, generator)

    def forward(self, ids: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape d_model"]:
        """Look up the vector of every id.

        Args:
            ids: int32 or int64 tensor of any shape, `0 <= id < vocab_size`.

        Raises:
            TypeError: if `ids` is no int32 or int64 tensor.
            IndexError: if an id is out of range. A GPU reports this as a device-side assertion instead, because
                looking at the values there would make the program wait for them.
        """
        dtype = getattr(ids, "dtype", type(ids).__name__)
        if dtype not in (torch.int64, torch.int32):
            raise TypeError(
                f"ids are {dtype}, expected an int64 or int32 tensor; convert with torch.as_tensor(ids).long()"
            )
        try:
            return F.embedding(ids, self.weight)
        except IndexError as error:
            raise IndexError(
                f"ids run from {ids.min()} to {ids.max()}, but this table has rows 0 to {self.vocab_size - 1}; "
                "were they made by another tokenizer?"
            ) from error

    @property
    def vocab_size(self) -> int:
        """Number of rows."""
        return self.weight.shape[0]

    @property
    def d_model(self) -> int:
        """Width of the vectors."""
        return self.weight.shape[1]

    def extra_repr(self) -> str:
        """Sizes, for `print(module)`."""
        return f"vocab_size={self.vocab_size}, d_model={self.d_model}"


class ScaledTokenEmbedding(TokenEmbedding):
    """A table whose rows are multiplied by the root of `d_model` when they are looked up, but not in the output map.

    So a table that both ends of a model share can have small entries at its output and vectors of ordinary size at its
    input (Vaswani et al., 2017, section 3.4).
    """

    def forward(self, ids: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape d_model"]:
        """Look up the vector of every id, and scale it; see `TokenEmbedding.forward`."""
        return super().forward(ids) * self.d_model**0.5
