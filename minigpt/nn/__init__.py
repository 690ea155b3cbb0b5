"""The parts that a transformer is assembled from, each a `torch.nn.Module` of one idea."""

from minigpt.nn.embedding import TokenEmbedding
from minigpt.nn.position import LearnedPositions, SinusoidalPositions, frequencies, sinusoidal

__all__ = ["LearnedPositions", "SinusoidalPositions", "TokenEmbedding", "frequencies", "sinusoidal"]
