"""What comes behind an encoder: words for hidden tokens, a class for a text or for each token, a number."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minigpt.models.bert import BERT
from minigpt.models.parts import Head, make_norm
from minigpt.nn import Linear
from minigpt.nn.feedforward import activation_of


class MaskedLanguageModel(nn.Module):
    """Says which token stands at each position, from both sides (Devlin et al., 2019, section 3.1).

    A linear map, the activation and a norm prepare the vectors for the product with the embedding table.

    Args:
        encoder: the model that reads.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own.
    """

    def __init__(self, encoder: BERT, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        config = encoder.config
        self.encoder = encoder
        self.transform = Linear(config.d_model, config.d_model, std=config.std, generator=generator)
        self.activation = activation_of(config.activation)
        self.norm = make_norm(config)
        self.head = Head(encoder.embedding, tied=config.tied, bias=config.head_bias, generator=generator)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        *,
        is_token: Bool[Tensor, "batch time"] | None = None,
        segments: Int[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time vocab_size"]:
        """The logits of the token at each position; the arguments are those of `BERT.forward`."""
        x = self.encoder(ids, is_token=is_token, segments=segments)
        return self.head(self.norm(self.activation(self.transform(x))))


class TokenClassifier(nn.Module):
    """A linear map of the vector of each token, behind the dropout of the encoder's configuration.

    Args:
        encoder: the model that reads.
        n_classes: how many logits a token gets; with 1, it is a number to be predicted.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own.
    """

    def __init__(self, encoder: BERT, n_classes: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(encoder.config.dropout)
        self.output = Linear(encoder.config.d_model, n_classes, std=encoder.config.std, generator=generator)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        *,
        is_token: Bool[Tensor, "batch time"] | None = None,
        segments: Int[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time n_classes"]:
        """The logits of each token; the arguments are those of `BERT.forward`."""
        return self.output(self.dropout(self.encoder(ids, is_token=is_token, segments=segments)))


class SequenceClassifier(nn.Module):
    """A class (or, with one output, a number) for a whole text, read off the vector of its first token.

    That vector goes through BERT's "pooler", a linear map and a hyperbolic tangent, then dropout and a linear map.

    Args:
        encoder: the model that reads.
        n_classes: how many logits a text gets; with 1, it is a number to be predicted.
        generator: where the initial weights are drawn from; `None` takes PyTorch's own.
    """

    def __init__(self, encoder: BERT, n_classes: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        config = encoder.config
        self.encoder = encoder
        self.pooler = Linear(config.d_model, config.d_model, std=config.std, generator=generator)
        self.dropout = nn.Dropout(config.dropout)
        self.output = Linear(config.d_model, n_classes, std=config.std, generator=generator)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        *,
        is_token: Bool[Tensor, "batch time"] | None = None,
        segments: Int[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch n_classes"]:
        """The logits of each text; the arguments are those of `BERT.forward`."""
        first = self.encoder(ids, is_token=is_token, segments=segments)[:, 0]
        return self.output(self.dropout(torch.tanh(self.pooler(first))))
