"""From text to batches: corpora, token ids in files, and the order in which they are read."""

from minigpt.data.loader import Batch, Loader
from minigpt.data.packing import pack, pieces
from minigpt.data.shards import Tokens, open_tokens, write_tokens
from minigpt.data.shuffle import Shuffle, draw

__all__ = [
    "Batch",
    "Loader",
    "Shuffle",
    "Tokens",
    "draw",
    "open_tokens",
    "pack",
    "pieces",
    "write_tokens",
]
