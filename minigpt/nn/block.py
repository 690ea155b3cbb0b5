"""The block: attention and a feed-forward network, each beside a residual connection and behind (or before) a norm."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minigpt.nn.attention import Attention
from minigpt.nn.cache import LayerCache


class Block(nn.Module):
    """A transformer block that normalises what goes into each part ("pre-norm": GPT-2, Llama; Xiong et al., 2020).

    Args:
        attention: lets positions look at one another.
        feed_forward: maps each position on its own.
        attention_norm: normalises what goes into `attention`.
        feed_forward_norm: normalises what goes into `feed_forward`.
        dropout: share of what each part adds that is set to zero in training.
    """

    def __init__(
        self,
        attention: Attention,
        feed_forward: nn.Module,
        attention_norm: nn.Module,
        feed_forward_norm: nn.Module,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention_norm = attention_norm
        self.attention = attention
        self.feed_forward_norm = feed_forward_norm
        self.feed_forward = feed_forward
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        *,
        mask: Bool[Tensor, "#batch #heads #time keys"] | None = None,
        positions: Int[Tensor, "#batch time"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Map `T` vectors to `T` vectors; the arguments are those of `Attention.forward`."""
        x = x + self.dropout(self.attention(self.attention_norm(x), mask=mask, positions=positions, cache=cache))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class PostNormBlock(Block):
    """A block that normalises the sum behind each part ("post-norm": the original Transformer, GPT-1, BERT)."""

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        *,
        mask: Bool[Tensor, "#batch #heads #time keys"] | None = None,
        positions: Int[Tensor, "#batch time"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Map `T` vectors to `T` vectors; the arguments are those of `Attention.forward`."""
        x = self.attention_norm(x + self.dropout(self.attention(x, mask=mask, positions=positions, cache=cache)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class CrossBlock(nn.Module):
    """A block of a decoder that also looks at an encoder's output (Vaswani et al., 2017, figure 1), pre-norm.

    Args:
        block: its masked self-attention and feed-forward network.
        cross_attention: attention whose keys and values come from the encoder.
        cross_norm: normalises what goes into `cross_attention`.
    """

    def __init__(self, block: Block, cross_attention: Attention, cross_norm: nn.Module) -> None:
        super().__init__()
        self.attention_norm, self.attention = block.attention_norm, block.attention
        self.cross_norm, self.cross_attention = cross_norm, cross_attention
        self.feed_forward_norm, self.feed_forward = block.feed_forward_norm, block.feed_forward
        self.dropout = block.dropout

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        memory: Float[Tensor, "batch keys d_model"] | None,
        *,
        memory_mask: Bool[Tensor, "#batch #heads #time keys"] | None = None,
        cache: LayerCache | None = None,
        memory_cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Map `T` vectors to `T` vectors.

        Args:
            x: one vector for each position of the decoder.
            memory: the encoder's output; not used once its keys and values are in `memory_cache`.
            memory_mask: `True` where a query may look at a position of the encoder.
            cache: keys and values of the decoder's positions before.
            memory_cache: where the keys and values of `memory` are kept between calls.
        """
        x = x + self.dropout(self.attention(self.attention_norm(x), cache=cache))
        x = x + self.dropout(
            self.cross_attention.cross(self.cross_norm(x), memory, mask=memory_mask, cache=memory_cache)
        )
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class PostNormCrossBlock(CrossBlock):
    """The same with the norms behind the sums, as in the original Transformer."""

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        memory: Float[Tensor, "batch keys d_model"] | None,
        *,
        memory_mask: Bool[Tensor, "#batch #heads #time keys"] | None = None,
        cache: LayerCache | None = None,
        memory_cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Map `T` vectors to `T` vectors; the arguments are those of `CrossBlock.forward`."""
        x = self.attention_norm(x + self.dropout(self.attention(x, cache=cache)))
        x = self.cross_norm(
            x + self.dropout(self.cross_attention.cross(x, memory, mask=memory_mask, cache=memory_cache))
        )
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))
