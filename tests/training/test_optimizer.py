"""The optimisers against PyTorch's, and Muon's steps against a singular value decomposition."""

import pytest
import torch
from torch import nn

from minigpt.models import GPT, TransformerConfig
from minigpt.training import AdamW, Muon, TrainingConfig, make_optimizer, parameter_groups
from minigpt.training.optimizer import orthogonalized

SHAPES = [(6, 4), (4, 6), (6, 4), (5, 5)]


def parameters(dtype=torch.float64) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.rand(shape, generator=generator, dtype=dtype) - 0.5) for shape in SHAPES]


def same_steps(ours, theirs, ours_parameters, theirs_parameters, atol=1e-10):
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        for a, b in zip(ours_parameters, theirs_parameters, strict=True):
            a.grad = torch.rand(a.shape, generator=generator, dtype=a.dtype) - 0.3
            b.grad = a.grad.clone()
        ours.step()
        theirs.step()
    for a, b in zip(ours_parameters, theirs_parameters, strict=True):
        torch.testing.assert_close(a, b, atol=atol, rtol=0)


def test_adamw_makes_the_steps_of_pytorch():
    a, b = parameters(), parameters()
    options = {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.2}
    same_steps(AdamW(a, **options), torch.optim.AdamW(b, **options), a, b)


def test_muon_makes_the_steps_of_pytorch():
    # PyTorch's goes through the iteration in bfloat16, whose eight bits show in the third digit of a step.
    a, b = parameters(torch.float32), parameters(torch.float32)
    ours = Muon(a, 0.01, momentum=0.9, weight_decay=0.1)
    theirs = torch.optim.Muon(b, lr=0.01, momentum=0.9, weight_decay=0.1)
    same_steps(ours, theirs, a, b, atol=20 * 0.01 * 2**-6)


def test_orthogonalized_keeps_directions_and_brings_every_length_near_one():
    generator = torch.Generator().manual_seed(2)
    matrix = torch.rand(40, 24, generator=generator, dtype=torch.float64) - 0.5
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalized(matrix)
    inside = u.T @ found @ v.T
    assert torch.allclose(inside, torch.diag(inside.diagonal()), atol=1e-10)
    assert inside.diagonal().min() > 0.6
    assert inside.diagonal().max() < 1.3
    torch.testing.assert_close(orthogonalized(matrix.T), found.T)
    torch.testing.assert_close(orthogonalized(torch.stack([matrix, 3 * matrix])), torch.stack([found, found]))


def test_a_matrix_of_zeros_stays_finite():
    assert torch.equal(orthogonalized(torch.zeros(3, 3)), torch.zeros(3, 3))


def test_only_matrices_decay():
    model = GPT(TransformerConfig(vocab_size=9, n_layers=1, d_model=8, n_heads=2, context=4))
    matrices, vectors = parameter_groups(model, 0.1)
    assert {p.ndim for p in matrices["params"]} == {2}
    assert {p.ndim for p in vectors["params"]} == {1}
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(model.parameters()))


@pytest.mark.parametrize("tied", [True, False])
def test_muon_gets_the_matrices_of_the_blocks_and_adamw_the_rest(tied):
    model = GPT(TransformerConfig(vocab_size=9, n_layers=2, d_model=8, n_heads=2, context=4, tied=tied))
    muon, adamw = make_optimizer(model, TrainingConfig(steps=1, optimizer="muon")).optimizers
    inside = {id(p) for p in model.blocks.parameters() if p.ndim == 2}
    assert {id(p) for group in muon.param_groups for p in group["params"]} == inside
    others = [p for group in adamw.param_groups for p in group["params"]]
    assert {id(p) for p in others} == {id(p) for p in model.parameters()} - inside


@pytest.mark.parametrize("wrong", [{"lr": 0}, {"betas": (1.0, 0.9)}, {"weight_decay": -1}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="out of range"):
        AdamW(parameters(), **wrong)


def test_muon_refuses_vectors():
    with pytest.raises(ValueError, match="no matrix"):
        Muon([nn.Parameter(torch.zeros(3))])
