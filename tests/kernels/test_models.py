"""Models call the kernels by the same names: with them, they give the same logits and gradients."""

import subprocess
import sys

import pytest
import torch

from kernels.harness import BOTH, draw
from minigpt.kernels.dispatch import asked_for, use
from minigpt.models import GPT, TransformerConfig

RMS = "RMS norm, rotary positions and SwiGLU"
CONFIGS = {
    "layer norm and GELU": {"norm": "layer", "activation": "gelu_tanh"},
    RMS: {
        "norm": "rms",
        "positions": "rotary",
        "gated": True,
        "activation": "silu",
    },
}


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("parts", CONFIGS.values(), ids=CONFIGS)
def test_a_model_gives_the_same_with_kernels(name, parts):
    config = TransformerConfig(vocab_size=11, context=8, d_model=16, n_heads=2, n_layers=2, **parts)
    model = GPT(config, generator=torch.Generator().manual_seed(0))
    ids = (draw(2, 8) * 100).long().abs() % 11
    results = []
    for choice in ("auto", name):
        if choice == "auto":
            logits = model(ids)
        else:
            with use(choice):
                logits = model(ids)
        with use(name):
            grads = torch.autograd.grad(logits.square().sum(), list(model.parameters()))
        results.append([logits, *grads])
    for ours, plain in zip(*results[::-1], strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


def test_a_model_compiles_in_one_graph_through_the_kernels():
    # In a process of its own: PyTorch's compiler cannot follow the checks of shapes that tests are run with.
    code = f"""
import torch
from minigpt.kernels.dispatch import use
from minigpt.models import GPT, TransformerConfig
config = TransformerConfig(vocab_size=11, context=8, d_model=16, n_heads=2, n_layers=1, **{CONFIGS[RMS]})
model = GPT(config, generator=torch.Generator().manual_seed(0))
ids = torch.arange(8)[None]
with use("torch"):
    logits = torch.compile(model, fullgraph=True, backend="aot_eager")(ids)
torch.testing.assert_close(logits, model(ids), rtol=1e-4, atol=1e-5)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_on_a_cpu_models_calculate_as_before_unless_asked(monkeypatch):
    assert not asked_for()
    with use("auto"):
        assert not asked_for()
    monkeypatch.setenv("MINIGPT_KERNELS", "interpret")
    assert asked_for()
