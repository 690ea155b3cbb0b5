"""Looking up rows of a table: equal to multiplying one-hot vectors, and to PyTorch's own."""

import inspect

import pytest
import torch
from jaxtyping import TypeCheckError
from torch.nn import functional as F

from minigpt.nn import TokenEmbedding
from minigpt.nn.init import uniform_


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def embedding() -> TokenEmbedding:
    return TokenEmbedding(11, 6, generator=seeded())


@pytest.mark.parametrize("shape", [(), (7,), (3, 7), (2, 3, 7), (0,)])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_look_up_equals_one_hot_product_exactly(embedding, shape, dtype):
    ids = torch.randint(11, shape, generator=seeded(1), dtype=dtype)
    one_hot = F.one_hot(ids.long(), 11).to(embedding.weight.dtype)
    assert torch.equal(embedding(ids), one_hot @ embedding.weight)


def test_look_up_equals_pytorch(embedding):
    ids = torch.randint(11, (4, 9), generator=seeded(1))
    assert torch.equal(embedding(ids), F.embedding(ids, embedding.weight))


def test_gradient_adds_up_over_repeated_tokens_and_is_zero_elsewhere(embedding):
    ids = torch.tensor([3, 5, 3, 3])
    upstream = torch.rand(4, 6, generator=seeded(1))
    embedding(ids).backward(upstream)
    expected = torch.zeros(11, 6)
    for row, token in zip(upstream, ids, strict=True):
        expected[token] += row
    torch.testing.assert_close(embedding.weight.grad, expected)
    assert embedding.weight.grad.count_nonzero(dim=1).nonzero().flatten().tolist() == [3, 5]


def test_ids_out_of_range_are_named(embedding):
    with pytest.raises(IndexError, match="ids run from 2 to 11, but this table has rows 0 to 10"):
        embedding(torch.tensor([2, 11]))
    with pytest.raises(IndexError, match="ids run from -1 to 2"):
        embedding(torch.tensor([2, -1]))


@pytest.mark.parametrize("ids", [torch.tensor([1.0]), torch.tensor([True]), torch.tensor([1], dtype=torch.uint8), [1]])
def test_ids_of_another_type_are_rejected(embedding, ids, without_shape_checks):
    with pytest.raises(TypeError, match="expected an int64 or int32 tensor"):
        embedding(ids)


def test_shapes_in_signatures_are_checked_in_tests(embedding):
    with pytest.raises(TypeCheckError):
        embedding(torch.tensor([1.0]))


@pytest.mark.parametrize(("vocab_size", "d_model"), [(0, 4), (4, 0), (-1, 4)])
def test_sizes_below_one_are_rejected(vocab_size, d_model):
    with pytest.raises(ValueError, match="must both be at least 1"):
        TokenEmbedding(vocab_size, d_model)


def test_parameters_are_vocabulary_times_width_without_memory():
    with torch.device("meta"):
        gpt2 = TokenEmbedding(50257, 768)
    assert sum(p.numel() for p in gpt2.parameters()) == 38_597_376
    assert gpt2(torch.zeros(2, 5, dtype=torch.int64, device="meta")).shape == (2, 5, 768)


def test_compiles_into_one_graph(embedding):
    forward = inspect.unwrap(TokenEmbedding.forward)  # without the shape checks, which only tests have
    compiled = torch.compile(forward, backend="eager", fullgraph=True)
    ids = torch.tensor([[1, 2], [3, 4]])
    assert torch.equal(compiled(embedding, ids), embedding(ids))


def test_initial_weights_follow_the_seed_on_every_machine():
    # The first two draws of a Mersenne Twister with seed 0, scaled to (-sqrt(3), sqrt(3)).
    weight = TokenEmbedding(50, 40, std=1.0, generator=seeded()).weight
    assert weight.flatten()[:2].tolist() == pytest.approx([-0.013, 0.929], abs=5e-4)
    assert torch.equal(weight, TokenEmbedding(50, 40, std=1.0, generator=seeded()).weight)
    assert weight.std().item() == pytest.approx(1, abs=0.03)
    assert weight.mean().item() == pytest.approx(0, abs=0.07)


def test_initial_weights_do_not_depend_on_the_dtype():
    weight = uniform_(torch.empty(30), 0.5, seeded())
    assert torch.equal(uniform_(torch.empty(30, dtype=torch.float64), 0.5, seeded()), weight.double())
    assert torch.equal(uniform_(torch.empty(30, dtype=torch.bfloat16), 0.5, seeded()), weight.bfloat16())


@pytest.mark.parametrize("std", [-1.0, float("nan"), float("inf")])
def test_impossible_standard_deviations_are_rejected(std):
    with pytest.raises(ValueError, match="not a standard deviation"):
        uniform_(torch.empty(3), std)


def test_weights_travel_through_a_checkpoint(embedding):
    other = TokenEmbedding(11, 6, generator=seeded(9))
    other.load_state_dict(embedding.state_dict())
    assert torch.equal(other.weight, embedding.weight)
    assert list(embedding.state_dict()) == ["weight"]
    assert repr(embedding) == "TokenEmbedding(vocab_size=11, d_model=6)"
