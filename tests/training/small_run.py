"""A small run for the tests: a text, a model of a few thousand weights, and its trainer."""

from __future__ import annotations

import torch

from minigpt.data.loader import Loader
from minigpt.data.shards import open_tokens, write_tokens
from minigpt.models import GPT, TransformerConfig
from minigpt.nn import Attention
from minigpt.training import Trainer, TrainingConfig, World

CONFIG = TransformerConfig(vocab_size=17, n_layers=2, d_model=16, n_heads=2, context=12, dropout=0.1)


def small_tokens(folder, n_documents: int = 60, seed: int = 0):
    """Documents in which each token is the one before plus one or two: something to learn."""
    generator = torch.Generator().manual_seed(seed)
    documents = []
    for _ in range(n_documents):
        steps = torch.randint(1, 3, (20,), generator=generator)
        documents.append((1 + steps.cumsum(0) % 15).tolist())
    path = folder / f"tokens-{seed}"
    write_tokens(documents, path, vocab_size=17, end_of_text=0)
    return open_tokens(path)


def small_trainer(folder, *, rank: int = 0, size: int = 1, out=None, model_seed: int = 0, **settings) -> Trainer:
    """A trainer of the small model; the same arguments, the same run."""
    tokens = small_tokens(folder)
    options = {"batch_size": 8 // size, "context": 12, "seed": 3, "rank": rank, "world_size": size}
    defaults = {"steps": 12, "lr": 3e-3, "evaluate_every": 4, "evaluate_batches": 2, "checkpoint_every": 4}
    return Trainer(
        GPT(CONFIG, generator=torch.Generator().manual_seed(model_seed)),
        TrainingConfig(**defaults | {"log_every": 1} | settings),
        Loader(tokens, **options),
        validation=Loader(small_tokens(folder, seed=1), **options),
        folder=out,
        world=World(rank, size),
        progress=False,
    )


def without_dropout(model: GPT) -> GPT:
    """The same model, with nothing set to zero in training."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif isinstance(module, Attention):
            module.dropout = 0.0
    return model
