"""Models that were published, as configurations: the numbers are those of the paper, or of the released checkpoint."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from minigpt.models.config import TransformerConfig
from minigpt.models.count import Architecture
from minigpt.nn.rotary import Llama3Scaling


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A model that was published.

    Attributes:
        config: its parts and sizes.
        architecture: which model to build from them: `"gpt"`, `"bert"` or `"encoder-decoder"`.
        published: how many parameters it has, as published; `None` for the small models of this course.
        rounded_to: what the published number is rounded to: 1 if it is exact, 1,000,000 for "65 M".
        outside: parameters that the published number includes and the model that `architecture` builds does not have.
        source: where the published number stands.
        year: when it was published.
        note: what to know before the number is compared, and which choice was made where the sources disagree.
    """

    config: TransformerConfig
    architecture: Architecture = "gpt"
    published: int | None = None
    rounded_to: int = 1
    outside: int = 0
    source: str = ""
    year: int | None = None
    note: str = ""


def preset(name: str, **changes: Any) -> TransformerConfig:
    """The configuration of a published model, or one of the small ones of this course.

    `preset("gpt-2", dropout=0.0)` is GPT-2 without dropout; `preset("llama-2-7b", rope_layout="interleaved")` has the
    layout of Meta's own files in place of Hugging Face's.

    Args:
        name: a name in `PRESETS`, or another name of the same model, as `"llama-30b"` for `"llama-33b"`.
        changes: values of `TransformerConfig` that are to differ. Those that follow from others are found anew, as in
            `TransformerConfig.replace`.

    Raises:
        ValueError: if there is none of this name. Where the model is known but cannot be described by a
            `TransformerConfig`, the message says why.
        TypeError: if a change is no value of `TransformerConfig`.
    """
    name = ALIASES.get(name, name)
    if name not in PRESETS:
        for family, reason in NOT_DESCRIBED.items():
            if name.startswith(family):
                raise ValueError(f"there is no preset {name!r}: {reason}")
        near = difflib.get_close_matches(name.lower(), [*PRESETS, *ALIASES], n=3)
        raise ValueError(f"there is no preset {name!r}; use one of {', '.join(near or PRESETS)}")
    config = PRESETS[name].config
    return config.replace(**changes) if changes else config


def _gpt2(n_layers: int, d_model: int, n_heads: int, published: int, note: str = "") -> Preset:
    # Radford et al. (2019), table 2, for the sizes; epsilon and dropout are in the released configuration.
    return Preset(
        config=TransformerConfig(
            vocab_size=50257, n_layers=n_layers, d_model=d_model, n_heads=n_heads, context=1024, dropout=0.1
        ),
        published=published,
        source="released checkpoint",
        year=2019,
        note=note or "Table 2 of the paper gives 117 M, 345 M, 762 M and 1,542 M; the released models are larger.",
    )


def _gpt3(n_layers: int, d_model: int, n_heads: int, millions: int, note: str = "", *, rounded_to: int = 1) -> Preset:
    # Brown et al. (2020), table 2.1, for the sizes: context 2,048, d_ff four times d_model, GPT-2's vocabulary.
    dense = "Every second layer of GPT-3 sees a band of positions only; here all layers see all. No parameter differs."
    return Preset(
        config=TransformerConfig(vocab_size=50257, n_layers=n_layers, d_model=d_model, n_heads=n_heads, context=2048),
        published=millions * 10**6,
        rounded_to=rounded_to * 10**6,
        source="Brown et al. (2020), table D.1",
        year=2020,
        note=f"{note} {dense}".strip(),
    )


def _bert(n_layers: int, d_model: int, n_heads: int, published: int, note: str) -> Preset:
    # Devlin et al. (2019), section 3, for the sizes; epsilon and dropout are in the released configuration.
    return Preset(
        config=TransformerConfig(
            vocab_size=30522,
            n_layers=n_layers,
            d_model=d_model,
            n_heads=n_heads,
            context=512,
            activation="gelu",
            norm_eps=1e-12,
            norm_first=False,
            head_bias=True,
            n_segments=2,
            dropout=0.1,
        ),
        architecture="bert",
        published=published,
        outside=d_model * (d_model + 1),
        source="released checkpoint (uncased), encoder with pooler",
        year=2018,
        note=note,
    )


def _transformer(d_model: int, n_heads: int, dropout: float, published: int) -> Preset:
    # Vaswani et al. (2017), table 3; the vocabulary is section 5.1's, epsilon that of the authors' tensor2tensor.
    return Preset(
        config=TransformerConfig(
            vocab_size=37000,
            n_layers=6,
            d_model=d_model,
            n_heads=n_heads,
            context=1024,
            activation="relu",
            norm_eps=1e-6,
            norm_first=False,
            positions="sinusoidal",
            qkv_bias=False,
            out_bias=False,
            scale_embedding=True,
            dropout=dropout,
        ),
        architecture="encoder-decoder",
        published=published,
        rounded_to=10**6,
        source="Vaswani et al. (2017), table 3",
        year=2017,
        note=(
            "The published number does not follow from the published sizes: with 'about 37,000' tokens, 63.1 M and "
            "214.2 M are counted against 65 M and 213 M. The context is a choice: the paper has no longest sequence."
        ),
    )


def _llama(
    n_layers: int,
    d_model: int,
    n_heads: int,
    d_ff: int,
    published: int,
    *,
    source: str = "released checkpoint",
    year: int = 2023,
    rounded_to: int = 1,
    note: str = "",
    **others: Any,
) -> Preset:
    values = {"vocab_size": 32000, "context": 4096, "activation": "silu", "gated": True, "norm": "rms", "tied": False}
    values |= {"positions": "rotary", "bias": False} | others
    return Preset(
        config=TransformerConfig(n_layers=n_layers, d_model=d_model, n_heads=n_heads, d_ff=d_ff, **values),
        published=published,
        rounded_to=rounded_to,
        source=source,
        year=year,
        note=note,
    )


# Touvron et al. (2023a), table 2; widths inside and epsilon are those of the released files.
_LLAMA_1 = {"source": "Touvron et al. (2023a), table 2", "rounded_to": 10**8, "context": 2048}
# Grattafiori et al. (2024), table 3; the vocabulary of 128,000 with 256 special tokens.
_LLAMA_3 = {"vocab_size": 128256, "n_kv_heads": 8, "context": 8192, "rope_base": 500000.0, "year": 2024}
_LLAMA_31 = _LLAMA_3 | {"context": 131072, "rope_scaling": Llama3Scaling(factor=8.0)}
_LLAMA_32 = _LLAMA_3 | {"context": 131072, "rope_scaling": Llama3Scaling(factor=32.0), "tied": True}
# Gemma Team (2024), table 1.
_GEMMA = {
    "vocab_size": 256000,
    "d_head": 256,
    "context": 8192,
    "activation": "gelu_tanh",
    "norm_eps": 1e-6,
    "tied": True,
    "scale_embedding": True,
    "year": 2024,
    "note": "The checkpoint stores what the scale of a norm has beyond 1; add 1 to it.",
}


def _course(**sizes: int) -> Preset:
    return Preset(
        config=TransformerConfig(
            vocab_size=512,
            context=256,
            activation="gelu",
            norm="rms",
            positions="rotary",
            bias=False,
            token_shift=True,
            **sizes,
        ),
        note="What `minigpt train` trains on a laptop: Llama's norms and positions, GELU, and a token shift.",
    )


PRESETS: dict[str, Preset] = {
    "tiny": _course(n_layers=2, d_model=128, n_heads=4),
    "small": _course(n_layers=3, d_model=192, n_heads=6),
    "tiny-modern": Preset(
        config=TransformerConfig(
            vocab_size=512,
            n_layers=4,
            d_model=128,
            n_heads=4,
            context=128,
            n_kv_heads=2,
            d_ff=344,
            activation="silu",
            gated=True,
            norm="rms",
            positions="rotary",
            bias=False,
        ),
        note="Llama's parts, as small.",
    ),
    "tiny-encoder": Preset(
        config=TransformerConfig(
            vocab_size=512, n_layers=4, d_model=128, n_heads=4, context=128, activation="gelu", n_segments=2
        ),
        architecture="bert",
        note="BERT's parts, but with norms first, which trains without warm-up.",
    ),
    "tiny-encoder-decoder": Preset(
        config=TransformerConfig(
            vocab_size=512,
            n_layers=2,
            d_model=128,
            n_heads=4,
            context=128,
            activation="relu",
            positions="sinusoidal",
            scale_embedding=True,
        ),
        architecture="encoder-decoder",
        note="The original Transformer's parts, but with norms first, which trains without warm-up.",
    ),
    "transformer-base": _transformer(512, 8, 0.1, 65 * 10**6),
    "transformer-big": _transformer(1024, 16, 0.3, 213 * 10**6),
    "gpt-1": Preset(
        # Radford et al. (2018), section 4.1.
        config=TransformerConfig(
            vocab_size=40478, n_layers=12, d_model=768, n_heads=12, context=512, norm_first=False, dropout=0.1
        ),
        published=116_534_784,
        source="released checkpoint",
        year=2018,
        note="The paper gives no number; later ones say 117 M (Radford et al., 2019) and 110 M (Devlin et al., 2019).",
    ),
    "bert-base": _bert(
        12, 768, 12, 109_482_240, "The paper says 110 M, as with the heads of pre-training: 110,106,428."
    ),
    "bert-large": _bert(24, 1024, 16, 335_141_888, "The paper says 340 M; with the heads of pre-training 336,226,108."),
    "distilbert": Preset(
        # Sanh et al. (2019), section 3: BERT-base with every second layer, without segments and pooler.
        config=_bert(6, 768, 12, 0, "").config.replace(n_segments=0),
        architecture="bert",
        published=66_362_880,
        source="released checkpoint (uncased), encoder",
        year=2019,
        note="The paper says 66 M.",
    ),
    "gpt-2": _gpt2(12, 768, 12, 124_439_808),
    "gpt-2-medium": _gpt2(24, 1024, 16, 354_823_168),
    "gpt-2-large": _gpt2(36, 1280, 20, 774_030_080),
    "gpt-2-xl": _gpt2(48, 1600, 25, 1_557_611_200),
    "gpt-3-125m": _gpt3(12, 768, 12, 125),
    "gpt-3-350m": _gpt3(24, 1024, 16, 356, "Named 350 M in table 2.1."),
    "gpt-3-760m": _gpt3(24, 1536, 16, 760),
    "gpt-3-1.3b": _gpt3(
        24,
        2048,
        16,
        1_320,
        "Table 2.1 gives 24 heads of width 128, which is not the width 2,048 of the model, and would make 1,517 M "
        "parameters; 16 heads of 128 make the published number.",
        rounded_to=10,
    ),
    "gpt-3-2.7b": _gpt3(32, 2560, 32, 2_650, rounded_to=10),
    "gpt-3-6.7b": _gpt3(32, 4096, 32, 6_660, rounded_to=10),
    "gpt-3-13b": _gpt3(
        40,
        5120,
        40,
        12_850,
        "Table 2.1 gives the width 5,140, which is not that of its 40 heads of 128, and would make 12,936 M "
        "parameters; 5,120 makes the published number.",
        rounded_to=10,
    ),
    "gpt-3": _gpt3(
        96,
        12288,
        96,
        174_600,
        "Named 175 B, and in table 2.1 175.0 B, which is 0.4 B too many.",
        rounded_to=100,
    ),
    "llama-7b": _llama(32, 4096, 32, 11008, 6_700_000_000, norm_eps=1e-6, **_LLAMA_1),
    "llama-13b": _llama(40, 5120, 40, 13824, 13_000_000_000, norm_eps=1e-6, **_LLAMA_1),
    "llama-33b": _llama(60, 6656, 52, 17920, 32_500_000_000, norm_eps=1e-6, **_LLAMA_1),
    "llama-65b": _llama(
        80, 8192, 64, 22016, 65_200_000_000, note="65,285,660,672 were cut off at 65.2 B, not rounded.", **_LLAMA_1
    ),
    # Touvron et al. (2023b), table 1: a context of 4,096, and grouped queries in the largest.
    "llama-2-7b": _llama(32, 4096, 32, 11008, 6_738_415_616),
    "llama-2-13b": _llama(40, 5120, 40, 13824, 13_015_864_320),
    "llama-2-70b": _llama(80, 8192, 64, 28672, 68_976_648_192, n_kv_heads=8),
    "llama-3-8b": _llama(32, 4096, 32, 14336, 8_030_261_248, **_LLAMA_3),
    "llama-3-70b": _llama(80, 8192, 64, 28672, 70_553_706_496, **_LLAMA_3),
    "llama-3.1-8b": _llama(32, 4096, 32, 14336, 8_030_261_248, **_LLAMA_31),
    "llama-3.1-70b": _llama(80, 8192, 64, 28672, 70_553_706_496, **_LLAMA_31),
    "llama-3.1-405b": _llama(126, 16384, 128, 53248, 405_853_388_800, **_LLAMA_31),
    "llama-3.2-1b": _llama(16, 2048, 32, 8192, 1_235_814_400, **_LLAMA_32),
    "llama-3.2-3b": _llama(28, 3072, 24, 8192, 3_212_749_824, **_LLAMA_32),
    "mistral-7b": _llama(
        # Jiang et al. (2023), table 1.
        32,
        4096,
        32,
        14336,
        7_241_732_096,
        n_kv_heads=8,
        context=8192,
        window=4096,
        note="Version 0.1. The paper says 8,192 tokens of context; the released configuration allows 32,768.",
    ),
    "gemma-2b": _llama(18, 2048, 8, 16384, 2_506_172_416, n_kv_heads=1, **_GEMMA),
    "gemma-7b": _llama(28, 3072, 16, 24576, 8_537_680_896, **_GEMMA),
}
"""Name to model, family by family. Rotary layouts are those of Hugging Face's files (`"half"`)."""

ALIASES: dict[str, str] = {
    "gpt": "gpt-1",
    "gpt2": "gpt-2",
    "gpt2-medium": "gpt-2-medium",
    "gpt2-large": "gpt-2-large",
    "gpt2-xl": "gpt-2-xl",
    "gpt-2-small": "gpt-2",
    "gpt-3-small": "gpt-3-125m",
    "gpt-3-medium": "gpt-3-350m",
    "gpt-3-large": "gpt-3-760m",
    "gpt-3-xl": "gpt-3-1.3b",
    "gpt-3-175b": "gpt-3",
    "llama-30b": "llama-33b",
}
"""Other names of the same models."""

NOT_DESCRIBED: dict[str, str] = {
    "mixtral": "each layer has eight feed-forward networks, of which a router picks two; TransformerConfig has one",
    "t5": "it adds a learned number for each distance of two positions to the attention scores, and does not divide "
    "them by the root of d_head; TransformerConfig has neither",
    "bart": "it normalises the sum of embeddings before the first block of encoder and decoder, which EncoderDecoder "
    "does not",
    "gemma-2": "it caps attention scores and logits, has norms on both sides of each part, and a window in every "
    "second layer; TransformerConfig has none of these (gemma-2b and gemma-7b are there)",
    "gemini": "its sizes were not published",
    "gpt-3.5": "its sizes were not published",
    "gpt-4": "its sizes were not published",
    "chatgpt": "its sizes were not published",
    "palm": "attention and feed-forward network stand side by side in its blocks; those here stand one after the other",
}
"""Models that sources of the course name, by the beginning of their names, and why `TransformerConfig` has no values
for them."""
