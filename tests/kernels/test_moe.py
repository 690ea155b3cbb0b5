"""moe and grouped_matmul: the same as asking each expert about its tokens, one after the other."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from kernels.harness import (
    DTYPES,
    assert_as_accurate,
    draw,
    examples,
    few_examples,
    generator,
    guarded,
    needs_triton,
    on_every_device,
    reversed_programs,
)
from minigpt.kernels.dispatch import use
from minigpt.kernels.moe import _grouped_matmul, grouped_matmul, moe, route

pytestmark = on_every_device

HOW = ["torch", pytest.param("interpret", marks=needs_triton)]


def choices(tokens, k, n_experts):
    """For each token `k` different experts; the second expert is never chosen."""
    scores = torch.rand(tokens, n_experts, generator=generator(5))
    scores[:, 1] = -1
    return scores.topk(k).indices


def one_by_one(x, chosen, gates, w_in, w_out):
    result = torch.zeros_like(x)
    for expert in range(len(w_in)):
        for token, choice in (chosen == expert).nonzero().tolist():
            found = F.gelu(x[token] @ w_in[expert]) @ w_out[expert]
            result = result.index_add(0, torch.tensor([token]), (gates[token, choice] * found)[None])
    return result


@pytest.mark.parametrize("how", HOW)
def test_a_mixture_is_the_sum_over_the_experts_of_each_token_with_its_gradients(how):
    chosen = choices(10, 2, 4)
    inputs = draw(10, 20), draw(10, 2, seed=1), draw(4, 20, 33, seed=2) / 4, draw(4, 33, 20, seed=3) / 4
    results = []
    for run, dtype in ((moe, torch.float32), (one_by_one, torch.float64)):
        leaves = [x.to(dtype).requires_grad_() for x in inputs]
        x, gates, w_in, w_out = leaves
        with use(how):
            y = run(x, chosen, gates, w_in, w_out)
            results.append((y, *torch.autograd.grad(y.sin().sum(), leaves)))
    for ours, exact in zip(*results, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_row_meets_the_matrix_of_its_expert(how, dtype):
    x, weights, routes = (
        draw(150, 70, dtype=dtype),
        draw(3, 70, 67, seed=1, dtype=dtype) / 8,
        route(choices(150, 1, 3), 3),
    )
    experts = torch.searchsorted(routes.ends, torch.arange(150), right=True)
    plain = torch.einsum("rk,rkn->rn", x[routes.tokens], weights[experts])
    exact = torch.einsum("rk,rkn->rn", x[routes.tokens].double(), weights[experts].double())
    with use(how), guarded(x, weights) as (x_, weights_):
        ours = grouped_matmul(x_, weights_, routes)
    assert_as_accurate(ours, plain, exact)


@needs_triton
@examples
@given(tokens=st.sampled_from([0, 1, 64, 65, 130]), n_experts=st.sampled_from([1, 2, 7]))
def test_the_kernel_takes_every_number_of_tokens(tokens, n_experts):
    routes = route(torch.randint(n_experts, (tokens, 1), generator=generator(tokens)), n_experts)
    x, weights = draw(tokens, 16), draw(n_experts, 16, 8, seed=1)
    with use("interpret"):
        ours = grouped_matmul(x, weights, routes)
    torch.testing.assert_close(ours, grouped_matmul(x, weights, routes), rtol=1e-5, atol=1e-5)


def test_rows_of_an_expert_follow_one_another_in_the_order_of_tokens():
    routes = route(torch.tensor([[2, 0], [0, 2], [3, 0]]), 4)
    assert routes.ends.tolist() == [3, 3, 5, 6]
    assert routes.tokens.tolist() == [0, 1, 2, 0, 1, 2]


@needs_triton
def test_no_program_depends_on_another():
    routes = route(choices(70, 2, 4), 4)
    x, weights = draw(70, 20).requires_grad_(), draw(4, 20, 66, seed=1).requires_grad_()

    def results():
        y = grouped_matmul(x, weights, routes)
        return y, *torch.autograd.grad(y.sin().sum(), (x, weights))

    with use("interpret"):
        forwards = results()
        with reversed_programs():
            assert all(map(torch.equal, results(), forwards))


@needs_triton
@few_examples
@given(
    tokens=st.sampled_from([0, 1, 67]),
    k=st.sampled_from([1, 31, 64]),
    n=st.sampled_from([1, 65]),
    transposed=st.booleans(),
)
def test_gradients_of_the_kernel_are_those_of_the_formula_in_every_shape(tokens, k, n, transposed):
    routes = route(choices(tokens, 2, 5), 5)
    x, weights = draw(tokens, k), draw(5, n, k, seed=1).mT if transposed else draw(5, k, n, seed=1)
    upstream, results = draw(2 * tokens, n, seed=2), []
    for how, dtype in (("interpret", torch.float32), ("torch", torch.float64)):
        with use(how), guarded(x.to(dtype), weights.to(dtype), upstream.to(dtype)) as (x_, weights_, upstream_):
            leaves = [x_.requires_grad_(), weights_.requires_grad_()]
            results.append(torch.autograd.grad(grouped_matmul(*leaves, routes), leaves, upstream_))
    for ours, exact in zip(*results, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("how", HOW)
def test_nan_and_infinity_stay_with_their_tokens(how):
    routes = route(choices(70, 1, 3), 3)
    x, weights = draw(70, 20), draw(3, 20, 66, seed=1)
    x[5, 3], x[40, 1] = torch.nan, torch.inf
    with use(how):
        finite = grouped_matmul(x, weights, routes).isfinite().any(1)
    assert routes.tokens[~finite].sort().values.tolist() == [5, 40]


def test_finite_differences_confirm_the_gradients():
    routes, chosen = route(choices(4, 2, 3), 3), choices(4, 2, 3)
    x, w_in, w_out = (
        draw(*size, seed=i).double().requires_grad_() for i, size in enumerate([(4, 3), (3, 3, 2), (3, 2, 3)])
    )
    gates = draw(4, 2, seed=3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, w: grouped_matmul(x, w, routes), (x, w_in))
    assert torch.autograd.gradcheck(lambda x, *rest: moe(x, chosen, *rest), (x, gates, w_in, w_out))


@pytest.mark.parametrize("how", HOW)
def test_the_operator_is_registered_as_pytorch_wants_it(how):
    routes = route(choices(4, 2, 3), 3)
    x, weights = draw(4, 3).requires_grad_(), draw(3, 3, 2, seed=1).requires_grad_()
    with use(how):
        torch.library.opcheck(_grouped_matmul, (x, weights, routes.tokens, routes.ends))


def test_it_compiles_into_one_graph():
    arguments = draw(4, 3), choices(4, 2, 3), draw(4, 2, seed=1), draw(3, 3, 5, seed=2), draw(3, 5, 3, seed=3)
    compiled = torch.compile(moe, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*arguments), one_by_one(*arguments))


def test_it_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"expected \(tokens, k\)"):
        route(torch.zeros(3, dtype=torch.long), 2)
    routes = route(choices(4, 1, 3), 3)
    with pytest.raises(ValueError, match="for 3 experts"):
        grouped_matmul(draw(4, 3), draw(2, 3, 5), routes)
    with pytest.raises(ValueError, match=r"expected \(4, k\) both"):
        moe(draw(4, 3), choices(4, 2, 3), draw(4, 1), draw(3, 3, 5), draw(3, 5, 3))
