"""A model of noise and the tokenizers that go with it: what the tests of this folder measure."""

import torch

from minigpt.models import GPT, TransformerConfig
from minigpt.tokenizers import BPETokenizer, CharTokenizer, Tokenizer, WordTokenizer
from minigpt.village import stories

END = "<|endoftext|>"
TEXTS = [
    "Mia has the red ball.",
    "",
    "Tom went to the garden. Then he saw a kite, and it was blue.",
    "Zoë läuft.",
    "a",
]


def characters(*texts: str) -> Tokenizer:
    """A tokenizer of the characters of some texts."""
    return CharTokenizer.train([*(texts or TEXTS)], special_tokens=[END])


def words(size: str = "hamlet", n: int = 200) -> Tokenizer:
    """A tokenizer of the words of stories."""
    return WordTokenizer.train((story.text for story in stories(n, 0, size)), special_tokens=[END])


def pairs() -> Tokenizer:
    """A BPE tokenizer with few merges, some of which hold a space."""
    return BPETokenizer.train([*TEXTS] * 5, 300, special_tokens=[END])


def model_for(tokenizer: Tokenizer, context: int = 64, seed: int = 0, std: float = 0.3) -> GPT:
    """A small model in float64 whose random weights are large enough for every token to matter."""
    config = TransformerConfig(
        vocab_size=tokenizer.vocab_size, n_layers=2, d_model=16, n_heads=2, context=context, std=float(std)
    )
    return GPT(config, generator=torch.Generator().manual_seed(seed)).double()


def by_hand(model: GPT, ids: list[int]) -> list[float]:
    """The log-probability of every token but the first, each from a pass of its own over all that comes before."""
    model.eval()
    with torch.no_grad():
        return [model(torch.tensor([ids[:t]]))[0, -1].log_softmax(-1)[ids[t]].item() for t in range(1, len(ids))]
