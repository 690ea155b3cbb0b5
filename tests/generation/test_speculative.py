"""Drafting and checking writes what the large model alone would write: the same tokens, or the same distribution."""

import pytest
import torch
from small import VARIANTS, gpt_of

from minigpt.generation import GREEDY, Sampling, acceptance, check, generate, residual, speculative


def distributions(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two distributions over six tokens, of which each rules out one."""
    p, q = torch.rand(2, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) ** 2
    p[0], q[1] = 0, 0
    return p / p.sum(), q / q.sum()


@pytest.mark.parametrize("seed", range(10))
def test_accepting_and_replacing_adds_up_to_the_large_models_distribution(seed):
    """`q min(1, p/q) + P(refused) residual = p`, to the last digit (Leviathan et al., 2023, appendix A.1)."""
    p, q = distributions(seed)
    accepted = q * acceptance(p, q)
    torch.testing.assert_close(accepted, torch.minimum(p, q))
    torch.testing.assert_close(accepted + (1 - accepted.sum()) * residual(p, q), p)


def test_a_draft_like_the_model_is_never_refused():
    p, _ = distributions(0)
    assert acceptance(p, p).tolist() == [1.0] * 6
    assert torch.equal(residual(p, p), p)


def test_the_first_refused_token_is_replaced_and_the_rest_dropped():
    p = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.4, 0.6], [1.0, 0.0, 0.0]], dtype=torch.float64)
    q = torch.tensor([[0.5, 0.5, 0.0], [0.8, 0.2, 0.0]], dtype=torch.float64)
    uniforms = torch.tensor([0.9, 0.9, 0.3], dtype=torch.float64)
    assert check(p, q, torch.tensor([0, 0]), uniforms) == [0, 2]  # residual of the second: 0, 1/4, 3/4
    assert check(p, q, torch.tensor([0, 1]), uniforms) == [0, 1, 0]
    assert check(p[:1], q[:0], torch.tensor([], dtype=torch.long), uniforms[:1]) == [1]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("n_draft", [1, 3, 20])
def test_greedy_gives_the_same_tokens(variant, n_draft):
    model, draft = gpt_of(variant), gpt_of(seed=3, n_layers=1)
    sampling = Sampling(temperature=0, no_repeat_ngram=3)
    for one in (sampling, GREEDY):
        expected = generate(model, [[1, 2]], 11, sampling=one)[0]
        found = speculative(model, draft, [1, 2], 11, n_draft=n_draft, sampling=one)
        assert list(found.ids) == expected


def test_a_model_that_drafts_for_itself_needs_few_passes():
    model = gpt_of()
    found = speculative(model, model, [1], 12, n_draft=3)
    assert (found.n_passes, found.n_drafted, found.n_accepted) == (3, 9, 9)


def test_it_ends_with_the_end_token():
    model, draft = gpt_of(), gpt_of(seed=3)
    for seed in range(20):
        ids = speculative(model, draft, [1], 12, seed=seed, end={7}).ids
        assert ids[-1] == 7 or len(ids) == 12
        assert 7 not in ids[:-1]


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.7, top_k=2, repetition_penalty=1.3)])
def test_the_distribution_is_that_of_the_large_model(sampling):
    """Chi-square of two-token texts against their exact probabilities, at the 99.9 % point."""
    model, draft, n = gpt_of(vocab_size=3, n_layers=1), gpt_of(seed=3, vocab_size=3, n_layers=1), 500
    exact = {(): 1.0}
    for _ in range(2):
        ids = torch.tensor([[1, 2, *text] for text in exact])
        p = sampling.probabilities(model(ids)[:, -1].detach(), ids)
        exact = {
            (*text, token): before * p[row, token].item()
            for row, (text, before) in enumerate(exact.items())
            for token in range(3)
        }
    counts = dict.fromkeys(exact, 0)
    for seed in range(n):
        counts[speculative(model, draft, [1, 2], 2, n_draft=2, sampling=sampling, seed=seed).ids] += 1
    assert all(count == 0 for text, count in counts.items() if exact[text] == 0)
    often = [text for text in exact if n * exact[text] >= 5]
    pairs = [(counts[text], n * exact[text]) for text in often]
    pairs.append((n - sum(count for count, _ in pairs), n - sum(expected for _, expected in pairs)))
    statistic = sum((count - expected) ** 2 / expected for count, expected in pairs if expected > 1e-9)
    degrees = len(pairs) - 1
    # Wilson and Hilferty (1931): the 99.9 % point of chi-square.
    assert statistic < degrees * (1 - 2 / (9 * degrees) + 3.09 * (2 / (9 * degrees)) ** 0.5) ** 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draft": gpt_of(vocab_size=5)}, "the models have 13 and 5 tokens; a draft needs the same vocabulary"),
        ({"n_tokens": 0}, "n_tokens=0, n_draft=4 and the prompt's length must be at least 1"),
        ({"prompt": []}, "and the prompt's length must be at least 1"),
        ({"n_tokens": 13}, "a prompt of 1 tokens and 13 new ones do not fit into the shorter context, 12"),
    ],
)
def test_mistakes_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        speculative(**{"model": gpt_of(), "draft": gpt_of(), "prompt": [1], "n_tokens": 3} | arguments)
