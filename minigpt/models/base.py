"""The model of the course that can write: trained on the village by `make base-model`, and part of the package."""

from __future__ import annotations

from pathlib import Path

from minigpt.models.folder import TOKENIZER, load_model
from minigpt.models.gpt import GPT
from minigpt.tokenizers import Tokenizer

BASE_MODEL = Path(__file__).parent / "base_model"
"""Its folder: configuration, weights, tokenizer, and a card that says how it was made and how good it is."""


def base_model() -> tuple[GPT, Tokenizer]:
    """The base model, ready for use (`eval()`), and its tokenizer. A story begins and ends with `<|endoftext|>`."""
    return load_model(BASE_MODEL), Tokenizer.load(BASE_MODEL / TOKENIZER)
