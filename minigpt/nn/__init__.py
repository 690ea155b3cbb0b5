"""The parts that a transformer is assembled from, each a `torch.nn.Module` of one idea."""

from minigpt.nn.attention import Attention, attention_reference
from minigpt.nn.block import Block, CrossBlock, PostNormBlock, PostNormCrossBlock
from minigpt.nn.cache import Cache, LayerCache, WindowLayerCache
from minigpt.nn.embedding import ScaledTokenEmbedding, TokenEmbedding
from minigpt.nn.feedforward import ACTIVATIONS, FeedForward, GatedFeedForward
from minigpt.nn.linear import Linear
from minigpt.nn.mask import causal_mask, document_mask, document_positions, padding_mask
from minigpt.nn.mode import evaluating
from minigpt.nn.norm import LayerNorm, RMSNorm, rms_norm
from minigpt.nn.position import LearnedPositions, SinusoidalPositions, frequencies, sinusoidal
from minigpt.nn.rotary import LinearScaling, Llama3Scaling, Rotary
from minigpt.nn.shift import ShiftedAttention, TokenShift

__all__ = [
    "ACTIVATIONS",
    "Attention",
    "Block",
    "Cache",
    "CrossBlock",
    "FeedForward",
    "GatedFeedForward",
    "LayerCache",
    "LayerNorm",
    "LearnedPositions",
    "Linear",
    "LinearScaling",
    "Llama3Scaling",
    "PostNormBlock",
    "PostNormCrossBlock",
    "RMSNorm",
    "Rotary",
    "ScaledTokenEmbedding",
    "ShiftedAttention",
    "SinusoidalPositions",
    "TokenEmbedding",
    "TokenShift",
    "WindowLayerCache",
    "attention_reference",
    "causal_mask",
    "document_mask",
    "document_positions",
    "evaluating",
    "frequencies",
    "padding_mask",
    "rms_norm",
    "sinusoidal",
]
