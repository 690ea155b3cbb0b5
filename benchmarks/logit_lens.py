"""The logit lens of chapter 6 on several models: at which depth the right word leads, by kind of word.

Run `python benchmarks/logit_lens.py` (some minutes); it prints a line a model and writes
`benchmarks/results/logit_lens.json`. The models have the sizes and the training of the chapter, with other seeds for
the initial weights and the order of the stories; one of them is trained four times as long. None of them is the
chapter's own model, whose initial weights have seed 0.
"""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.files import atomic_write
from minigpt.models import GPT, TransformerConfig
from minigpt.tokenizers import WordTokenizer
from minigpt.village import stories
from minigpt.village.stories import grammar

RESULTS = Path(__file__).with_name("results") / "logit_lens.json"
RUNS = [(1, 500), (2, 500), (3, 500), (4, 500), (1, 2000)]  # seed, steps
SIZES = {"n_layers": 4, "d_model": 96, "n_heads": 4, "context": 104, "std": 0.08}
NEW_STORIES = 400


class Data:
    """Stories of the hamlet as rows of token ids, with -100 behind the end."""

    def __init__(self) -> None:
        texts = [story.text for story in stories(4000, 0, "hamlet")]
        self.new = list(stories(NEW_STORIES, 1, "hamlet"))
        self.tokenizer = WordTokenizer.train(texts, special_tokens=["<end>"])
        self.index = {token: i for i, token in enumerate(self.tokenizer.tokens)}
        self.train_rows, self.new_rows = self.rows(texts), self.rows([story.text for story in self.new])

    def rows(self, texts: list[str]) -> Tensor:
        """One row a text: `<end>`, its words, `<end>`, then -100."""
        end = self.index["<end>"]
        rows = [[end, *self.tokenizer.encode(text), end] for text in texts]
        longest = max(map(len, rows))
        return torch.tensor([row + [-100] * (longest - len(row)) for row in rows])

    def words(self, kind: str) -> Tensor:
        """The ids of a class of words of the grammar."""
        return torch.tensor([self.index[item.text] for item in grammar("hamlet").classes[kind]])


def loss_of(model: GPT, rows: Tensor) -> Tensor:
    """Mean cross-entropy of each next token in nats."""
    rows = rows[:, (rows >= 0).any(dim=0)]
    return F.cross_entropy(model(rows[:, :-1].clamp(min=0)).flatten(0, 1), rows[:, 1:].flatten())


def train(data: Data, seed: int, steps: int) -> GPT:
    """A model with the recipe of the chapter."""
    generator = torch.Generator().manual_seed(seed)
    model = GPT(TransformerConfig(vocab_size=data.tokenizer.vocab_size, **SIZES), generator=generator)
    rate = 5e-3
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min((step + 1) / (steps / 10), (steps - step) / (0.9 * steps))
        chosen = torch.randint(len(data.train_rows), (8,), generator=generator)
        loss = loss_of(model, data.train_rows[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def kinds(data: Data) -> dict[str, Tensor]:
    """Where the three kinds of words stand that the chapter compares, as masks over the targets."""
    inputs, targets = data.new_rows[:, :-1].clamp(min=0), data.new_rows[:, 1:]
    before, after = data.train_rows[:, :-1], data.train_rows[:, 1:]
    pairs = torch.zeros([data.tokenizer.vocab_size] * 2)
    pairs.index_put_((before[after >= 0], after[after >= 0]), torch.tensor(1.0), accumulate=True)
    usual = (pairs / pairs.sum(dim=1, keepdim=True).clamp(min=1)).max(dim=1)
    one_back = F.pad(inputs, (1, 0), value=data.index["<end>"])[:, :-1]
    coloured = torch.isin(inputs, data.words("colour")) & (one_back == data.index["the"])
    ending = ((inputs == data.index["last"]) | (inputs == data.index["end"])).int().cumsum(dim=1) > 0
    at_end = torch.isin(targets, data.words("place")) & ending
    return {
        "decided by the word before": (usual.values[inputs] > 0.99) & (usual.indices[inputs] == targets),
        "the thing behind its colour": torch.isin(targets, data.words("thing")) & coloured,
        "the place at the end": at_end & (at_end.int().cumsum(dim=1) == 1),
    }


@torch.no_grad()
def lens(model: GPT, ids: Tensor) -> list[Tensor]:
    """The likeliest next token at each position, behind the embedding and behind each block."""
    h = model.positions(model.embedding(ids))
    best = [model.head(model.norm(h)).argmax(dim=-1)]
    for block in model.blocks:
        h = block(h)
        best.append(model.head(model.norm(h)).argmax(dim=-1))
    return best


def main() -> None:
    """Train, measure, print, and store."""
    torch.set_num_threads(1)
    data = Data()
    where = kinds(data)
    inputs, targets = data.new_rows[:, :-1].clamp(min=0), data.new_rows[:, 1:]
    predictions = int((targets >= 0).sum())
    results: dict[str, object] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, one thread",
        "date": time.strftime("%Y-%m-%d"),
        "sizes": SIZES,
        "stories": NEW_STORIES,
        "places": {kind: int(mask.sum()) for kind, mask in where.items()},
        "entropy": round(-sum(story.log_prob for story in data.new) / predictions, 4),
        "without_state": round(-sum(story.log_prob_without_state for story in data.new) / predictions, 4),
        "runs": [],
    }
    for seed, steps in RUNS:
        model = train(data, seed, steps)
        best = lens(model, inputs)
        with torch.no_grad():
            loss = loss_of(model, data.new_rows).item()
        right = {k: [round((b == targets)[mask].float().mean().item(), 4) for b in best] for k, mask in where.items()}
        results["runs"].append({"seed": seed, "steps": steps, "loss": round(loss, 4), "right": right})
        print(f"seed {seed}, {steps} steps: loss {loss:.3f}, right by depth {right}", flush=True)
        with atomic_write(RESULTS) as file:
            json.dump(results, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
