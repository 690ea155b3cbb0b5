"""From text to batches: corpora, token ids in files, and the order in which they are read."""

from minigpt.data.catalogue import DOWNLOADS, Download
from minigpt.data.corpora import corpus, python_docs, python_docstrings, text_file, village
from minigpt.data.documents import DocumentLoader
from minigpt.data.download import cache_folder, fetch
from minigpt.data.loader import Batch, Loader
from minigpt.data.packing import pack, pieces
from minigpt.data.shards import Tokens, open_tokens, write_tokens
from minigpt.data.shuffle import Shuffle, draw

__all__ = [
    "DOWNLOADS",
    "Batch",
    "DocumentLoader",
    "Download",
    "Loader",
    "Shuffle",
    "Tokens",
    "cache_folder",
    "corpus",
    "draw",
    "fetch",
    "open_tokens",
    "pack",
    "pieces",
    "python_docs",
    "python_docstrings",
    "text_file",
    "village",
    "write_tokens",
]
