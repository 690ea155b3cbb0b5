"""Small models that differ as the published ones do, for the tests of this folder."""

import torch

from minigpt.models import GPT, TransformerConfig

SMALL = {"vocab_size": 13, "n_layers": 2, "d_model": 16, "n_heads": 4, "context": 12, "std": 0.3}

VARIANTS = {
    "gpt-2": {},
    "gpt-1": {"norm_first": False},
    "llama": {
        "norm": "rms",
        "gated": True,
        "activation": "silu",
        "positions": "rotary",
        "bias": False,
        "tied": False,
        "n_kv_heads": 2,
    },
    "mistral": {"norm": "rms", "positions": "rotary", "bias": False, "n_kv_heads": 1, "window": 3},
    "gemma": {"norm": "rms", "positions": "rotary", "bias": False, "d_head": 6, "scale_embedding": True},
    "sinusoidal": {"positions": "sinusoidal", "norm_first": False, "activation": "relu", "scale_embedding": True},
    "token shift": {"norm": "rms", "positions": "rotary", "token_shift": True},
    "no positions": {"positions": "none", "head_bias": True},
}
"""Small models that differ as the published ones do."""


def config_of(variant: str = "gpt-2", **changes: object) -> TransformerConfig:
    """A small configuration."""
    return TransformerConfig(**SMALL | VARIANTS[variant] | changes)


def ids_of(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random token ids of the small vocabulary."""
    return torch.randint(13, shape, generator=torch.Generator().manual_seed(seed))


def gpt_of(variant: str = "gpt-2", seed: int = 0, **changes: object) -> GPT:
    """A small model in float64, in which no bias is zero."""
    return with_biases(GPT(config_of(variant, **changes), generator=torch.Generator().manual_seed(seed)))


def with_biases(model: torch.nn.Module) -> torch.nn.Module:
    """The model in float64, with numbers in place of the zeros and ones that biases and norms begin with."""
    generator = torch.Generator().manual_seed(77)
    model = model.double().eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            noise = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) - 0.5
            parameter.data = noise if name.endswith("bias") else 1 + noise
    return model
