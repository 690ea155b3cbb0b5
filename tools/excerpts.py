"""Make `minigpt/tokenizers/data/excerpts.json` from the whole vocabularies (tiktoken downloads them once).

python tools/excerpts.py
"""

from __future__ import annotations

import json
from pathlib import Path

import regex
import tiktoken

from minigpt.files import atomic_write

TARGET = Path(__file__).parents[1] / "minigpt" / "tokenizers" / "data" / "excerpts.json"
SENTENCES = (
    "Canadians are friendly and approachable.",
    "Do you plan to take over the world?",
    "I get up at half past six in the morning.",
    "Morgens stehe ich um halb sieben auf.",
    "wake_up(hour=6, minute=30)",
    "🧍⏰🌅",
    "1234567 + 89 = 1234656",
    " SolidGoldMagikarp",
    "unfriendliness and friendships",
)


def excerpt_of(encoding: tiktoken.Encoding) -> dict[str, object]:
    """The entry of one vocabulary: every substring of every piece of `SENTENCES` that it holds."""
    pieces = {p.encode() for sentence in SENTENCES for p in regex.findall(encoding._pat_str, sentence)}
    substrings = {p[i:j] for p in pieces for i in range(len(p)) for j in range(i + 1, len(p) + 1)}
    ranks = {s: encoding._mergeable_ranks[s] for s in substrings if s in encoding._mergeable_ranks}
    return {
        "n_ranks": len(encoding._mergeable_ranks),
        "special_tokens": encoding._special_tokens,
        "pattern": encoding._pat_str,
        "sentences": SENTENCES,
        "ranks": {s.decode("latin-1"): rank for s, rank in sorted(ranks.items(), key=lambda item: item[1])},
    }


def main() -> None:
    """Write the file."""
    data = {
        "about": "Excerpts of the vocabularies that OpenAI publishes with tiktoken (MIT licence); bytes as Latin-1.",
        "encodings": {name: excerpt_of(tiktoken.get_encoding(name)) for name in ("r50k_base", "cl100k_base")},
    }
    with atomic_write(TARGET) as file:
        json.dump(data, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
