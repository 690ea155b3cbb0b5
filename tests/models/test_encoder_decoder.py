"""The original Transformer, beside `torch.nn.Transformer`."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.models import EncoderDecoder, TransformerConfig
from minigpt.nn import Attention

# Theirs to ours, in a layer; their in_proj holds queries, keys and values one below the other, as our qkv does.
LAYER = {
    "self_attn.in_proj_": "attention.qkv.",
    "self_attn.out_proj.": "attention.output.",
    "multihead_attn.in_proj_": "cross_attention.qkv.",
    "multihead_attn.out_proj.": "cross_attention.output.",
    "linear1.": "feed_forward.up.",
    "linear2.": "feed_forward.down.",
}
NORMS = {
    "encoder": ["attention_norm.", "feed_forward_norm."],
    "decoder": ["attention_norm.", "cross_norm.", "feed_forward_norm."],
}


def config_of(**changes) -> TransformerConfig:
    """A small original Transformer."""
    sizes = {"vocab_size": 23, "n_layers": 3, "n_encoder_layers": 2, "d_model": 24, "n_heads": 3, "d_ff": 40}
    return TransformerConfig(**sizes | {"context": 32, "activation": "relu", "positions": "sinusoidal"} | changes)


def reference(config: TransformerConfig) -> nn.Transformer:
    """PyTorch's, with the final norms that the configuration asks for."""
    options = {"dropout": 0.0, "layer_norm_eps": config.norm_eps, "batch_first": True}
    options |= {"activation": config.activation, "norm_first": config.norm_first, "bias": config.bias}
    sizes = (config.d_model, config.n_heads, config.d_ff)

    def final() -> nn.LayerNorm | None:
        return nn.LayerNorm(config.d_model, config.norm_eps, bias=config.bias) if config.norm_first else None

    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(*sizes, **options), config.n_encoder_layers, final(), enable_nested_tensor=False
    )
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(*sizes, **options), config.n_layers, final())
    model = nn.Transformer(
        *sizes[:2], custom_encoder=encoder, custom_decoder=decoder, batch_first=True, dropout=0.0, bias=config.bias
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand(parameter.shape, generator=generator) - 0.5, alpha=0.3)
    return model


def our_name(name: str) -> str:
    """The name of our parameter for one of theirs."""
    side, layers, *rest = name.split(".")
    if layers == "norm":
        return f"{side}_norm.{rest[0]}"
    inner = ".".join(rest[1:])
    for theirs, ours in LAYER.items():
        inner = inner.replace(theirs, ours)
    for i, ours in enumerate(NORMS[side], start=1):
        inner = inner.replace(f"norm{i}.", ours)
    return f"{side}.{rest[0]}.{inner}"


def pair(config: TransformerConfig) -> tuple[EncoderDecoder, nn.Transformer]:
    """Ours and theirs with the same weights."""
    ours, theirs = EncoderDecoder(config), reference(config)
    named = {our_name(name): parameter for name, parameter in theirs.named_parameters()}
    outer = {name for name, _ in ours.named_parameters()} - named.keys()
    assert outer <= {"embedding.weight", "positions.weight", "head.weight", "head.bias"}
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            if name in named:
                parameter.copy_(named[name])
            else:
                parameter.copy_(torch.rand(parameter.shape, generator=torch.Generator().manual_seed(2)) - 0.5)
    return ours, theirs


def reference_logits(ours, theirs, source, target, is_token) -> torch.Tensor:
    """What theirs gives between our embeddings and our map to the logits."""
    embed = [ours.positions(ours.embedding(ids)) for ids in (source, target)]
    time = target.shape[1]
    hidden = theirs(
        *embed,
        tgt_mask=torch.ones(time, time, dtype=torch.bool).triu(1),
        src_key_padding_mask=~is_token,
        memory_key_padding_mask=~is_token,
    )
    return F.linear(hidden, ours.head.weight, ours.head.bias)


def texts() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A source with padding, a target, and where the source holds tokens."""
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randint(23, (3, time), generator=generator) for time in (13, 9))
    return source, target, torch.arange(13) < torch.tensor([[13], [7], [1]])


SHAPES = {
    "norms first": {"norm_first": True},
    "norms behind": {"norm_first": False},
    "5 heads, gelu, untied": {"n_heads": 5, "d_model": 30, "activation": "gelu", "tied": False, "head_bias": True},
    "norms behind, no biases": {"norm_first": False, "bias": False, "positions": "learned"},
    "scaled embeddings": {"norm_first": False, "scale_embedding": True, "n_heads": 1, "norm_eps": 1e-3},
}


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
def test_it_gives_the_logits_and_gradients_of_torch(changes):
    ours, theirs = pair(config_of(**changes))
    source, target, is_token = texts()
    found = ours(source, target, is_source_token=is_token)
    expected = reference_logits(ours, theirs, source, target, is_token)
    assert (found - expected).abs().max() < 1e-5
    labels = target.roll(-1, dims=1).flatten()
    F.cross_entropy(expected.flatten(0, 1), labels).backward()
    outer = {name: p.grad.clone() for name, p in ours.named_parameters() if p.grad is not None}
    ours.zero_grad()
    F.cross_entropy(found.flatten(0, 1), labels).backward()
    gradients = outer | {our_name(name): parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        assert (parameter.grad - gradients[name]).abs().max() < 1e-4, name


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
def test_it_writes_token_by_token_what_torch_gives_at_once(changes):
    ours, theirs = (model.eval() for model in pair(config_of(**changes)))
    source, target, is_token = texts()
    with torch.no_grad():
        expected = reference_logits(ours, theirs.train(), source, target, is_token)
        state = ours.start(source, is_source_token=is_token, capacity=9)
        for t in range(9):
            assert (ours.decode_step(target[:, t : t + 1], state) - expected[:, t]).abs().max() < 1e-5


def test_padding_of_the_source_changes_nothing():
    ours, _ = pair(config_of())
    source, target, is_token = texts()
    with torch.no_grad():
        together = ours(source, target, is_source_token=is_token)
        for row, length in enumerate(is_token.sum(dim=1).tolist()):
            alone = ours(source[row : row + 1, :length], target[row : row + 1])
            assert (together[row] - alone[0]).abs().max() < 1e-5


def test_rotary_positions_turn_both_texts_but_not_what_lies_between_them():
    ours = EncoderDecoder(config_of(positions="rotary", d_head=8))
    kinds = {name: module.rotary for name, module in ours.named_modules() if isinstance(module, Attention)}
    assert all((turn is None) == ("cross" in name) for name, turn in kinds.items())
    source, target, _ = texts()
    state = ours.eval().start(source)
    with torch.no_grad():
        expected = ours(source, target)
        found = torch.stack([ours.decode_step(target[:, t : t + 1], state) for t in range(9)], dim=1)
    assert (found - expected).abs().max() < 1e-5
