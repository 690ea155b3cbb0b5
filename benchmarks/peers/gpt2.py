"""Hugging Face's GPT-2 of any shape, with random weights and nothing set to zero by chance."""

from __future__ import annotations

import transformers


def hugging_face_gpt2(
    *, vocab_size: int, context: int, layers: int, heads: int, width: int
) -> transformers.GPT2LMHeadModel:
    """The model; it is in training mode, and keeps no cache."""
    config = transformers.GPT2Config(
        vocab_size=vocab_size,
        n_positions=context,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    return transformers.GPT2LMHeadModel(config).train()
