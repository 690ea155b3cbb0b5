"""attention and decode_attention: against PyTorch's own in float64, forward and backward, for every kind of mask."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from kernels.harness import (
    assert_as_accurate,
    draw,
    examples,
    few_examples,
    guarded,
    interpreted,
    needs_triton,
    on_every_device,
    reversed_programs,
)
from minigpt.kernels.attention import _attention, _decode, attention, attention_with_lse, decode_attention, merge
from minigpt.kernels.dispatch import use

pytestmark = on_every_device

CASES = {
    "causal, shared heads": ((1, 2, 1, 130, 130, 64), True, None),
    "all keys, unequal lengths": ((1, 2, 2, 70, 97, 32), False, None),
    "window": ((1, 1, 1, 200, 200, 16), True, 70),
    "odd width, late queries": ((1, 2, 1, 33, 100, 24), True, None),
    "queries before the first key": ((1, 1, 1, 100, 70, 16), True, None),
    "one query": ((1, 4, 2, 1, 70, 64), True, None),
}


def heads(shape, dtype=torch.float32):
    """Queries and values as a model has them, with time before heads in memory, and keys the other way."""
    batch, n_heads, kv_heads, n_queries, n_keys, width = shape
    q = draw(batch, n_queries, n_heads, width, dtype=dtype).transpose(1, 2)
    k = draw(batch, kv_heads, n_keys, width, seed=1, dtype=dtype)
    v = draw(batch, n_keys, kv_heads, width, seed=2, dtype=dtype).transpose(1, 2)
    return q, k, v


def by_pytorch(q, k, v, causal, window):
    behind = torch.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2] - torch.arange(k.shape[2])
    seen = (behind >= 0) & (behind < (window or k.shape[2])) if causal else torch.ones_like(behind, dtype=torch.bool)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=True)
    return out.masked_fill(~seen.any(-1)[:, None], 0)


@pytest.mark.parametrize(("shape", "causal", "window"), CASES.values(), ids=CASES)
def test_the_reference_is_pytorchs_attention_with_its_gradients(shape, causal, window):
    leaves = [x.double().requires_grad_() for x in heads(shape)]
    upstream = draw(*shape[:2], shape[3], shape[5], seed=3).double()
    out = attention(*leaves, causal=causal, window=window)
    expected = by_pytorch(*leaves, causal, window)
    torch.testing.assert_close(out, expected)
    ours, theirs = (torch.autograd.grad(y, leaves, upstream) for y in (out, expected))
    torch.testing.assert_close(ours, theirs)


@needs_triton
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("shape", "causal", "window"), CASES.values(), ids=CASES)
def test_the_kernels_are_as_accurate_as_pytorch(shape, causal, window, dtype):
    inputs = heads(shape, dtype)
    upstream = draw(*shape[:2], shape[3], shape[5], seed=3, dtype=dtype)

    def results(leaves, run):
        y = run(*leaves, causal, window)
        return y.detach(), *torch.autograd.grad(y, leaves, upstream.to(y.dtype))

    with interpreted(), guarded(*(x.requires_grad_() for x in inputs)) as leaves:
        ours = results(leaves, lambda q, k, v, causal, window: attention(q, k, v, causal=causal, window=window))
    plain = results([x.detach().requires_grad_() for x in inputs], by_pytorch)
    exact = results([x.detach().double().requires_grad_() for x in inputs], by_pytorch)
    for results_of_one in zip(ours, plain, exact, strict=True):
        assert_as_accurate(*results_of_one)


@needs_triton
@examples
@given(
    n_queries=st.sampled_from([0, 1, 63, 64, 65]),
    n_keys=st.sampled_from([0, 1, 64, 67]),
    causal=st.booleans(),
    window=st.sampled_from([None, 1, 5, 64]),
)
def test_the_kernel_takes_every_length_and_window(n_queries, n_keys, causal, window):
    q, k, v = heads((1, 1, 1, n_queries, n_keys, 16))
    window = window if causal else None
    with interpreted(), guarded(q, k, v) as (q_, k_, v_):
        ours, lse = attention_with_lse(q_, k_, v_, causal=causal, window=window)
    expected, expected_lse = attention_with_lse(q.double(), k.double(), v.double(), causal=causal, window=window)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(lse.double(), expected_lse, rtol=1e-5, atol=1e-5)


@needs_triton
@few_examples
@given(
    n_queries=st.sampled_from([0, 1, 31, 64, 65]),
    n_keys=st.sampled_from([0, 1, 64, 67]),
    width=st.sampled_from([1, 8, 16, 31]),
    causal=st.booleans(),
    window=st.sampled_from([None, 1, 5, 64]),
)
def test_the_kernels_give_gradients_for_every_length_width_and_window(n_queries, n_keys, width, causal, window):
    inputs, window = heads((1, 2, 1, n_queries, n_keys, width)), window if causal else None
    upstream, gradients = draw(1, 2, n_queries, width, seed=3), []
    for how, dtype in (("interpret", torch.float32), ("torch", torch.float64)):
        with use(how), guarded(*(x.to(dtype) for x in (*inputs, upstream))) as (*leaves, upstream_):
            leaves = [x.requires_grad_() for x in leaves]
            y = attention(*leaves, causal=causal, window=window)
            gradients.append(torch.autograd.grad(y, leaves, upstream_))
    for ours, exact in zip(*gradients, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", ["torch", pytest.param("interpret", marks=needs_triton)])
def test_what_no_query_sees_may_be_anything(how):
    q, k, v = heads((1, 2, 1, 70, 70, 16))
    with use(how):
        expected = attention(q[:, :, :40], k[:, :, :40], v[:, :, :40], causal=True)
        k[:, :, 50], q[:, :, 60] = torch.nan, torch.inf
        y = attention(q, k, v, causal=True)
    torch.testing.assert_close(y[:, :, :40], expected)
    assert y[:, :, 50:].isnan().all()


def test_finite_differences_confirm_the_gradients_of_outputs_and_sums():
    q, k, v = (x.double().requires_grad_() for x in heads((1, 2, 1, 3, 4, 2)))
    assert torch.autograd.gradcheck(lambda *x: attention_with_lse(*x, causal=True, window=2), (q, k, v))


@needs_triton
def test_the_kernels_give_the_gradient_of_the_sums_too():
    inputs = heads((1, 2, 1, 70, 70, 16))
    gradients = []
    for how, dtype in (("interpret", torch.float32), ("torch", torch.float64)):
        leaves = [x.to(dtype).requires_grad_() for x in inputs[:2]]
        with use(how):
            lse = attention_with_lse(*leaves, inputs[2].to(dtype), causal=True)[1]
            gradients.append(torch.autograd.grad(lse.sin().sum(), leaves))
    for ours, exact in zip(*gradients, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-4)


@needs_triton
def test_large_scores_do_not_overflow():
    q, k, v = heads((1, 1, 1, 64, 64, 16))
    with interpreted():
        ours = attention(q * 1000, k, v)
    # Scores of some 10,000 are rounded to 0.001, and so, relatively, are the weights.
    torch.testing.assert_close(ours, by_pytorch(q * 1000, k, v, False, None), rtol=1e-2, atol=1e-2)


@needs_triton
def test_no_program_depends_on_another():
    leaves = [x.requires_grad_() for x in heads((1, 2, 1, 130, 130, 16))]

    def results():
        y = attention(*leaves, causal=True)
        return y, *torch.autograd.grad(y.sum(), leaves)

    with interpreted():
        forwards = results()
        with reversed_programs():
            assert all(map(torch.equal, results(), forwards))


def test_attention_over_parts_of_the_keys_merges_to_attention_over_all():
    q, k, v = (x.double() for x in heads((2, 2, 2, 5, 12, 8)))
    parts = [attention_with_lse(q, k[:, :, i : i + 4], v[:, :, i : i + 4]) for i in (0, 4, 8)]
    out, lse = merge(torch.stack([out for out, _ in parts]), torch.stack([lse for _, lse in parts]))
    expected, expected_lse = attention_with_lse(q, k, v)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(lse, expected_lse)


@pytest.mark.parametrize("how", ["torch", pytest.param("interpret", marks=needs_triton)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("n_heads", "kv_heads", "width"), [(4, 2, 64), (3, 3, 24), (17, 1, 16)])
def test_decoding_sees_as_many_keys_as_each_sequence_has(how, dtype, n_heads, kv_heads, width):
    lengths = torch.tensor([0, 1, 130])
    q, k, v = heads((3, n_heads, kv_heads, 1, 140, width), dtype)
    for i, length in enumerate(lengths):
        k[i, :, length:], v[i, :, length:] = torch.nan, torch.nan  # what lies there is never used
    with use(how), guarded(q[:, :, 0], k, v, lengths) as inputs:
        ours = decode_attention(*inputs)
    for i, length in enumerate(lengths):
        of_one = [q[i : i + 1], *(x[i : i + 1, :, :length] for x in (k, v))]
        exact = by_pytorch(*(x.double() for x in of_one), False, None)[:, :, 0]
        assert_as_accurate(ours[i : i + 1], by_pytorch(*of_one, False, None)[:, :, 0], exact)


@needs_triton
@examples
@given(
    n_keys=st.sampled_from([0, 1, 63, 64, 257]),
    shared=st.sampled_from([1, 3, 16, 17]),
    width=st.sampled_from([1, 16, 31]),
    data=st.data(),
)
def test_decoding_takes_every_cache(n_keys, shared, width, data):
    lengths = torch.tensor(data.draw(st.lists(st.integers(0, n_keys + 3), min_size=2, max_size=2)))
    q, k, v = heads((2, 2 * shared, 2, 1, n_keys, width))
    with interpreted(), guarded(q[:, :, 0], k, v, lengths) as inputs:
        ours = decode_attention(*inputs)
        with reversed_programs():
            assert torch.equal(decode_attention(*inputs), ours)
    exact = decode_attention(q[:, :, 0].double(), k.double(), v.double(), lengths)
    torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", ["torch", pytest.param("interpret", marks=needs_triton)])
def test_the_operators_are_registered_as_pytorch_wants_them(how):
    inputs = [x.requires_grad_() for x in heads((1, 2, 1, 3, 4, 2))]
    with use(how):
        torch.library.opcheck(_attention, (*inputs, True, 2, 0.5))
        q, k, v = (x.detach() for x in inputs)
        torch.library.opcheck(_decode, (q[:, :, 0], k, v, torch.tensor([3]), 0.5))


def test_it_compiles_into_one_graph():
    q, k, v = heads((1, 2, 1, 3, 4, 2))
    compiled = torch.compile(lambda q, k, v: attention(q * 2, k, v).sin(), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(q, k, v), by_pytorch(2 * q, k, v, False, None).sin())


def test_it_says_what_does_not_fit():
    q, k, v = heads((1, 3, 2, 4, 4, 8))
    with pytest.raises(ValueError, match="3 heads of queries cannot share 2 heads of keys"):
        attention(q, k, v)
    with pytest.raises(ValueError, match="needs causal=True"):
        attention(q, q, q, window=4)
    with pytest.raises(ValueError, match="scale=-1"):
        attention(q, q, q, scale=-1)
    with pytest.raises(ValueError, match="convert all three to one type"):
        attention(q, q, q.double())
    with pytest.raises(ValueError, match="one query for each head"):
        decode_attention(q, q, q)


@pytest.mark.parametrize("how", ["torch", pytest.param("interpret", marks=needs_triton)])
def test_one_length_may_stand_for_all_sequences(how):
    q, k, v = heads((3, 2, 1, 1, 70, 16))
    with use(how):
        of_one = decode_attention(q[:, :, 0], k, v, torch.tensor([5]).expand(3))
        of_each = decode_attention(q[:, :, 0], k, v, torch.tensor([5, 5, 5]))
    assert torch.equal(of_one, of_each)
