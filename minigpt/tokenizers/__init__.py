"""From text to token ids and back (chapter 2)."""

from minigpt.tokenizers.base import Tokenizer, TokenizerError
from minigpt.tokenizers.bpe import BPETokenizer
from minigpt.tokenizers.bpe_naive import train_bpe_naive
from minigpt.tokenizers.byte import ByteTokenizer
from minigpt.tokenizers.char import CharTokenizer
from minigpt.tokenizers.unigram import UnigramTokenizer
from minigpt.tokenizers.word import WordTokenizer
from minigpt.tokenizers.wordpiece import WordPieceTokenizer

__all__ = [
    "BPETokenizer",
    "ByteTokenizer",
    "CharTokenizer",
    "Tokenizer",
    "TokenizerError",
    "UnigramTokenizer",
    "WordPieceTokenizer",
    "WordTokenizer",
    "train_bpe_naive",
]
