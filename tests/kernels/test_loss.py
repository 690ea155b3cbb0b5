"""cross_entropy and linear_cross_entropy: PyTorch's losses and gradients, also where rows are ignored or infinite."""

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
    interpreted,
    needs_triton,
    on_every_device,
    reversed_programs,
)
from minigpt.kernels.dispatch import use
from minigpt.kernels.loss import _cross_entropy, _linear_cross_entropy, cross_entropy, linear_cross_entropy

pytestmark = on_every_device

HOW = ["torch", pytest.param("interpret", marks=needs_triton)]


def words(rows, vocabulary, seed=7):
    """A target for each row, of which every third is ignored."""
    targets = torch.randint(vocabulary, (rows,), generator=generator(seed))
    targets[1::3] = -100
    return targets


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_and_gradients_are_pytorchs(how, dtype, reduction):
    logits, targets = draw(7, 5003, dtype=dtype) * 3, words(7, 5003)
    exact = logits.double().requires_grad_()
    expected = F.cross_entropy(exact, targets, reduction=reduction)
    with use(how), guarded(logits.requires_grad_(), targets) as (logits_, targets_):
        loss = cross_entropy(logits_, targets_, reduction=reduction)
        upstream = draw(*loss.shape, seed=3) if loss.ndim else torch.tensor(0.7)
        (grad,) = torch.autograd.grad(loss, logits_, upstream)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-5)
    (slope,) = torch.autograd.grad(expected, exact, upstream.double())
    assert_as_accurate(grad, slope.to(dtype), slope)


@needs_triton
@examples
@given(
    rows=st.sampled_from([0, 1, 3]),
    vocabulary=st.sampled_from([1, 2, 64, 97, 4096, 4099]),
    gaps=st.booleans(),
)
def test_the_kernel_takes_every_shape(rows, vocabulary, gaps):
    logits, targets = draw(rows, vocabulary + 5 * gaps)[:, : vocabulary or None], words(rows, vocabulary)
    with interpreted(), guarded(logits, targets) as (logits_, targets_):
        losses = cross_entropy(logits_, targets_, reduction="none")
    expected = F.cross_entropy(logits.double(), targets, reduction="none")
    torch.testing.assert_close(losses.double(), expected, rtol=1e-6, atol=1e-5)


@needs_triton
@pytest.mark.parametrize("vocabulary", [128256, 262147])  # that of Llama 3; a prime beyond that of Gemma
def test_a_vocabulary_may_be_large(vocabulary):
    logits, targets = (10 * draw(2, vocabulary, dtype=torch.bfloat16)).requires_grad_(), words(2, vocabulary)
    exact = logits.detach().double().requires_grad_()
    expected = F.cross_entropy(exact, targets, reduction="sum")
    with interpreted(), guarded(logits, targets) as (logits_, targets_):
        loss = cross_entropy(logits_, targets_, reduction="sum")
        (grad,) = torch.autograd.grad(loss, logits_)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-5)
    (slope,) = torch.autograd.grad(expected, exact)
    assert_as_accurate(grad, slope.bfloat16(), slope)


@needs_triton
@few_examples
@given(
    rows=st.sampled_from([0, 1, 31, 70]),
    d_model=st.sampled_from([1, 17, 64]),
    vocabulary=st.sampled_from([1, 2, 97, 128]),
    chunk=st.sampled_from([1, 7, 64]),
)
def test_the_fused_kernels_take_every_shape(rows, d_model, vocabulary, chunk):
    x, weight, targets = draw(rows, d_model), draw(vocabulary, d_model, seed=1), words(rows, vocabulary)
    leaves = [x.double().requires_grad_(), weight.double().requires_grad_()]
    expected = F.cross_entropy(leaves[0] @ leaves[1].T, targets, reduction="sum")
    with interpreted(), guarded(x.requires_grad_(), weight.requires_grad_(), targets) as inputs:
        loss = linear_cross_entropy(*inputs, reduction="sum", chunk=max(chunk, rows // 8))
        gradients = torch.autograd.grad(loss, inputs[:2])
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-4)
    for ours, exact in zip(gradients, torch.autograd.grad(expected, leaves), strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", HOW)
def test_infinite_logits_and_unknown_words(how):
    logits = draw(6, 70)
    logits[0, 3:] = -torch.inf  # all but three words ruled out
    logits[1] = -torch.inf  # all of them
    logits[2, 5] = torch.inf
    logits[3, 5] = torch.nan
    targets = torch.tensor([1, 1, 1, 1, 70, -1])  # the last two are no words
    with use(how):
        losses = cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses[:1], F.cross_entropy(logits[:1], targets[:1], reduction="none"))
    assert losses[1].isnan()
    assert not losses[2].isfinite()
    assert losses[3:].isnan().all()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_linear_map_can_be_part_of_it(how, reduction, dtype):
    x, weight, targets = draw(70, 64, dtype=dtype) / 4, draw(131, 64, seed=1, dtype=dtype) / 4, words(70, 131)
    leaves = [x.double().requires_grad_(), weight.double().requires_grad_()]
    expected = F.cross_entropy(leaves[0] @ leaves[1].T, targets, reduction=reduction) * 3
    exact = torch.autograd.grad(expected, leaves)
    with use(how), guarded(x.requires_grad_(), weight.requires_grad_(), targets) as inputs:
        loss = linear_cross_entropy(*inputs, reduction=reduction, chunk=33) * 3
        gradients = torch.autograd.grad(loss, inputs[:2])
    # Logits are rounded to the type before the loss is taken, as they are without the fusion.
    plain = [x.detach().requires_grad_(), weight.detach().requires_grad_()]
    unfused = F.cross_entropy((plain[0] @ plain[1].T).float(), targets, reduction=reduction) * 3
    assert_as_accurate(loss.detach(), unfused.detach(), expected.detach())
    for results in zip(gradients, torch.autograd.grad(unfused, plain), exact, strict=True):
        assert_as_accurate(*results)


def test_finite_differences_confirm_both_gradients():
    x, weight, targets = draw(4, 3).double().requires_grad_(), draw(5, 3, seed=1).double().requires_grad_(), words(4, 5)
    assert torch.autograd.gradcheck(lambda x, w: linear_cross_entropy(x, w, targets, chunk=3), (x, weight))
    assert torch.autograd.gradcheck(lambda x, w: cross_entropy(x @ w.T, targets), (x, weight))


def test_no_piece_is_larger_than_it_may_be(monkeypatch):
    sizes = []
    from minigpt.kernels.reference import loss as reference

    whole = reference.cross_entropy
    monkeypatch.setattr(reference, "cross_entropy", lambda x, *rest: sizes.append(len(x)) or whole(x, *rest))
    linear_cross_entropy(draw(100, 4), draw(6, 4, seed=1), words(100, 6), chunk=30)
    assert sizes == [30, 30, 30, 10]


def test_a_batch_in_which_nothing_counts_has_the_mean_of_nothing_and_no_gradient():
    x = draw(3, 4).requires_grad_()
    loss = linear_cross_entropy(x, draw(6, 4, seed=1), torch.full((3,), -100))
    assert loss.isnan()
    assert linear_cross_entropy(x, draw(6, 4, seed=1), torch.full((3,), -100), reduction="sum") == 0


@needs_triton
def test_no_program_depends_on_another():
    x, weight, targets = draw(70, 64).requires_grad_(), draw(131, 64, seed=1).requires_grad_(), words(70, 131)

    def results():
        loss = linear_cross_entropy(x, weight, targets, chunk=33)
        return loss, *torch.autograd.grad(loss, (x, weight))

    with interpreted():
        forwards = results()
        with reversed_programs():
            assert all(map(torch.equal, results(), forwards))


@pytest.mark.parametrize("how", HOW)
def test_the_operators_are_registered_as_pytorch_wants_them(how):
    x, weight, targets = draw(4, 3).requires_grad_(), draw(5, 3, seed=1).requires_grad_(), words(4, 5)
    with use(how):
        torch.library.opcheck(_linear_cross_entropy, (x, weight, targets, -100, True, 3, True))
        torch.library.opcheck(_cross_entropy, (x, targets, -100))


def test_it_compiles_into_one_graph():
    x, weight, targets = draw(4, 3), draw(5, 3, seed=1), words(4, 5)
    compiled = torch.compile(
        lambda x, w: linear_cross_entropy(x * 2, w, targets).sin(), fullgraph=True, backend="aot_eager"
    )
    torch.testing.assert_close(compiled(x, weight), F.cross_entropy(2 * x @ weight.T, targets).sin())


def test_it_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"targets must be \(2,\), not \(3,\)"):
        cross_entropy(draw(2, 5), torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="'median' is not known"):
        cross_entropy(draw(2, 5), torch.zeros(2, dtype=torch.long), reduction="median")
    with pytest.raises(ValueError, match=r"expected \(\.\.\., d_model\), \(vocabulary, d_model\)"):
        linear_cross_entropy(draw(2, 5), draw(7, 4), torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match="chunk=0"):
        linear_cross_entropy(draw(2, 5), draw(7, 5), torch.zeros(2, dtype=torch.long), chunk=0)
