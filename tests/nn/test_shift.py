"""Token shift: against a loop by hand, in rows of several texts, and with a cache."""

import pytest
import torch

from minigpt.models import GPT, TransformerConfig
from minigpt.nn import LayerCache, TokenShift

CONFIG = TransformerConfig(
    vocab_size=19, n_layers=3, d_model=16, n_heads=2, context=24, token_shift=True, positions="rotary", norm="rms"
)
IDS = torch.arange(40).reshape(2, 20) * 7 % 19


def shifted_model() -> GPT:
    model = GPT(CONFIG, generator=torch.Generator().manual_seed(1)).eval()
    with torch.no_grad():
        for i, block in enumerate(model.blocks):
            block.attention.shift.share.uniform_(-0.5, 1.5, generator=torch.Generator().manual_seed(i))
    return model


def test_each_vector_is_mixed_with_the_one_before():
    shift = TokenShift(3)
    x = torch.rand(2, 5, 3)
    with torch.no_grad():
        shift.share.copy_(torch.tensor([0.0, 0.25, 1.0]))
    y = shift(x)
    for row in range(2):
        for t in range(5):
            before = x[row, t - 1] if t else torch.zeros(3)
            expected = (1 - shift.share) * x[row, t] + shift.share * before
            torch.testing.assert_close(y[row, t], expected)


def test_no_position_sees_the_future():
    model = shifted_model()
    logits = model(IDS)
    changed = IDS.clone()
    changed[:, 12] = (changed[:, 12] + 1) % 19
    assert torch.equal(model(changed)[:, :12], logits[:, :12])


def test_documents_side_by_side_are_each_as_if_alone():
    model = shifted_model()
    documents = torch.tensor([[0] * 7 + [1] * 13, [0] * 11 + [1] * 9])
    together = model(IDS, documents=documents)
    for row, cut in ((0, 7), (1, 11)):
        torch.testing.assert_close(together[row, :cut], model(IDS[row : row + 1, :cut])[0])
        torch.testing.assert_close(together[row, cut:], model(IDS[row : row + 1, cut:])[0])


@pytest.mark.parametrize("parts", [[20], [1] * 20, [5, 1, 1, 8, 5]])
def test_with_a_cache_the_logits_are_the_same(parts):
    model = shifted_model()
    whole = model(IDS)
    cache = model.new_cache()
    pieces = [model(part, cache=cache) for part in IDS.split(parts, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), whole)


def test_rows_of_a_cache_are_chosen_with_what_they_remember():
    model = shifted_model()
    cache = model.new_cache()
    model(IDS[:, :8], cache=cache)
    cache.select(torch.tensor([1, 1, 0]))
    rows = IDS[[1, 1, 0]]
    torch.testing.assert_close(model(rows[:, 8:9], cache=cache)[:, 0], model(rows[:, :9])[:, -1])


def test_the_cache_gives_zeros_before_the_beginning():
    cache = LayerCache(4)
    assert torch.equal(cache.shift(torch.ones(1, 2, 3)), torch.zeros(1, 1, 3))
