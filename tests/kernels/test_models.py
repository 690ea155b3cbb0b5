"""Models call the kernels by the same names: with them, they give the same losses and gradients."""

import subprocess
import sys
from unittest import mock

import pytest
import torch

for package in ("regex", "safetensors", "tqdm"):
    pytest.importorskip(package, reason=f"{package} is not installed, which models need beside PyTorch")

from kernels.harness import BOTH, draw, generator, needs_triton, on_every_device  # noqa: E402
from minigpt.kernels import attention as kernels  # noqa: E402
from minigpt.kernels.dispatch import asked_for, use  # noqa: E402
from minigpt.models import BERT, GPT, EncoderDecoder, TransformerConfig  # noqa: E402
from minigpt.nn import Cache  # noqa: E402
from minigpt.training import language_model_loss  # noqa: E402

SIZES = {"vocab_size": 11, "context": 8, "d_model": 16, "n_heads": 2, "n_layers": 2}
LLAMA = {"norm": "rms", "positions": "rotary", "gated": True, "activation": "silu", "n_kv_heads": 1}
MODELS = {
    "GPT-2": (GPT, {}),
    "a GPT with RMS norm, rotary positions, SwiGLU and shared keys": (GPT, LLAMA),
    "a GPT with a window": (GPT, {**LLAMA, "window": 3}),
    "BERT": (BERT, {"norm_first": False, "activation": "gelu"}),
    "an encoder-decoder": (EncoderDecoder, {"positions": "sinusoidal"}),
}
each = pytest.mark.parametrize(("kind", "parts"), MODELS.values(), ids=MODELS)


def model_of(kind, parts):
    return kind(TransformerConfig(**SIZES, **parts), generator=generator(0))


def ids_of(*shape, seed=0):
    return (draw(*shape, seed=seed) * 100).long().abs() % SIZES["vocab_size"]


def loss_of(model):
    """Of each kind of model a loss; every third target does not count."""
    targets = ids_of(2, 8, seed=1)
    targets[:, ::3] = -100
    if isinstance(model, BERT):
        return language_model_loss(model(ids_of(2, 8)) @ model.embedding.weight.T, targets)
    inputs = (ids_of(2, 5, seed=2),) if isinstance(model, EncoderDecoder) else ()
    return language_model_loss(model(*inputs, ids_of(2, 8)), targets)


@on_every_device
@pytest.mark.parametrize("name", BOTH)
@each
def test_losses_and_gradients_are_those_without_kernels(name, kind, parts):
    model = model_of(kind, parts)
    results = []
    for choice in ("auto", name):
        with use(choice):
            loss = loss_of(model)
            results.append([loss, *torch.autograd.grad(loss, list(model.parameters()))])
    for plain, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


@on_every_device
@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("window", [None, 3])
def test_what_is_written_token_by_token_is_what_one_pass_gives(name, window):
    model, ids = model_of(GPT, {**LLAMA, "window": window}), ids_of(2, 8)
    with torch.no_grad():
        expected = model(ids)
        cache = Cache(SIZES["n_layers"], 8)
        with use(name):
            logits = [model(ids[:, :3], cache=cache), *(model(ids[:, t : t + 1], cache=cache) for t in range(3, 8))]
    torch.testing.assert_close(torch.cat(logits, 1), expected, rtol=1e-4, atol=1e-5)


@on_every_device
@each
def test_attention_is_asked_of_the_kernel_but_where_a_mask_or_dropout_is_in_the_way(kind, parts):
    model = model_of(kind, {**parts, "dropout": 0.1})
    with use("torch"), mock.patch.object(kernels, "_attention", wraps=kernels._attention) as called:
        loss_of(model.train())
        assert not called.called
        loss_of(model.eval())
        assert called.call_count == sum(part.__class__.__name__ == "Attention" for part in model.modules())
        if kind is BERT:
            called.reset_mock()
            model(ids_of(2, 8), is_token=torch.ones(2, 8, dtype=torch.bool))
            assert not called.called


@needs_triton
def test_models_compile_in_one_graph_through_the_kernels():
    # In a process of its own: PyTorch's compiler cannot follow the checks of shapes that tests are run with.
    code = f"""
import torch
from minigpt.kernels.dispatch import use
from minigpt.models import BERT, GPT, EncoderDecoder, TransformerConfig
ids = torch.arange(8)[None]
for kind, parts in ((GPT, {LLAMA}), (BERT, {{}}), (EncoderDecoder, {{}})):
    config = TransformerConfig(**{SIZES}, **parts)
    model = kind(config, generator=torch.Generator().manual_seed(0))
    inputs = (ids, ids) if kind is EncoderDecoder else (ids,)
    results = []
    for run in (model, torch.compile(model, fullgraph=True, backend="aot_eager")):
        with use("auto" if run is model else "interpret"):
            y = run(*inputs)
            results.append([y, *torch.autograd.grad(y.sin().sum(), list(model.parameters()))])
    for plain, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_on_a_cpu_models_calculate_as_before_unless_asked(monkeypatch):
    assert not asked_for()
    with use("auto"):
        assert not asked_for()
    monkeypatch.setenv("MINIGPT_KERNELS", "interpret")
    assert asked_for()
