"""The training loop that people write first, and its model: what `benchmarks/training.py` compares with.

Nothing in it is from this package, and nothing is fast on purpose: one process, eager PyTorch, float32, AdamW that goes
through the parameters one by one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PlainBlock(nn.Module):
    """Masked attention and a feed-forward network, each behind a layer norm and beside a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map `T` vectors to `T` vectors."""
        batch, time, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).split(width, dim=2)
        q, k, v = (part.view(batch, time, self.heads, width // self.heads).transpose(1, 2) for part in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).contiguous().view(batch, time, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class PlainGPT(nn.Module):
    """A small GPT-2."""

    def __init__(self, vocab_size: int, context: int, layers: int, heads: int, width: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocab_size, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(PlainBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab_size, bias=False)
        self.head.weight = self.tokens.weight
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(
                    parameter, std=0.02 / (math.sqrt(2 * layers) if "out." in name or "down." in name else 1)
                )

    def forward(self, ids: Tensor) -> Tensor:
        """The logits of the next token."""
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def plain_optimizer(model: nn.Module, lr: float = 1e-3) -> torch.optim.Optimizer:
    """AdamW, neither fused nor for several parameters at once; only matrices decay."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.99), foreach=False, fused=False)


def plain_step(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, targets: Tensor) -> float:
    """One step; returns the loss."""
    logits = model(inputs)
    loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def plain_rate(step: int, steps: int, warmup: int = 100) -> float:
    """The factor of the learning rate: up in a line, then down a cosine to a tenth."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def plain_run(model: nn.Module, ids: Tensor, steps: int, *, batch: int, context: int, seed: int = 0) -> None:
    """A whole run: windows from anywhere in the text, and the learning rate moved by hand."""
    optimizer = plain_optimizer(model)
    peaks = [group["lr"] for group in optimizer.param_groups]
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for step in range(steps):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * plain_rate(step, steps)
        begins = torch.randint(len(ids) - context, (batch,), generator=generator).tolist()
        windows = torch.stack([ids[begin : begin + context + 1] for begin in begins])
        plain_step(model, optimizer, windows[:, :-1], windows[:, 1:])


@torch.no_grad()
def plain_loss(model: nn.Module, ids: Tensor, context: int) -> float:
    """The mean loss over a text, cut into windows one behind the other; what is left over at the end is not read."""
    model.eval()
    n = (len(ids) - 1) // context
    inputs, targets = (ids[shift : shift + n * context].view(n, context) for shift in (0, 1))
    losses = [
        F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
        for x, y in zip(inputs.split(64), targets.split(64), strict=True)
    ]
    return sum(losses) / (n * context)
