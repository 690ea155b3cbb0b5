"""Log-probabilities of tokens: equal to a loop over single tokens, whatever the batch."""

from __future__ import annotations

import pytest
import torch
from worlds import by_hand, characters, model_for

from minigpt.evaluation import end_of_text, token_log_probs
from minigpt.models import GPT, TransformerConfig
from minigpt.tokenizers import CharTokenizer

TOKENIZER = characters()
MODEL = model_for(TOKENIZER, context=20)


def sequences(n: int = 12, seed: int = 1) -> list[list[int]]:
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 22, (n,), generator=random).tolist()
    return [torch.randint(TOKENIZER.vocab_size, (k,), generator=random).tolist() for k in lengths]


@pytest.mark.parametrize("batch_tokens", [1, 40, 8192])
def test_equal_to_one_token_at_a_time(batch_tokens):
    asked = sequences()
    for ids, found in zip(asked, token_log_probs(MODEL, asked, batch_tokens=batch_tokens), strict=True):
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, torch.tensor(by_hand(MODEL, ids), dtype=torch.float64))


def test_the_last_tokens_alone():
    asked = sequences()
    last = [i % len(ids) for i, ids in enumerate(asked)]
    for ids, n, found in zip(asked, last, token_log_probs(MODEL, asked, last=last), strict=True):
        expected = by_hand(MODEL, ids)[len(ids) - 1 - n :]
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_sequences_that_differ_in_the_last_token_are_read_once():
    read = []
    hook = MODEL.embedding.register_forward_hook(lambda module, args, out: read.append(args[0].numel()))
    found = token_log_probs(
        MODEL, [[1, 2, 3, letter] for letter in range(TOKENIZER.vocab_size)], last=[1] * TOKENIZER.vocab_size
    )
    hook.remove()
    assert read == [3]
    assert sum(float(value.exp()) for value in found) == pytest.approx(1)


def test_the_mode_of_the_model_is_left_as_it_was():
    model = GPT(TransformerConfig(vocab_size=9, n_layers=1, d_model=8, n_heads=1, context=8, dropout=0.5))
    model.train()
    first, second = (token_log_probs(model, [[1, 2, 3]])[0] for _ in range(2))
    assert torch.equal(first, second), "dropout was on"
    assert model.training


def test_half_precision_is_summed_in_more():
    model = model_for(TOKENIZER).to(torch.bfloat16)
    (found,) = token_log_probs(model, [[1, 2, 3, 4, 5]])
    exact = torch.tensor(by_hand(model_for(TOKENIZER), [1, 2, 3, 4, 5]), dtype=torch.float64)
    # bfloat16 keeps 8 bits: logits of up to 10 or so are off by some hundredths.
    torch.testing.assert_close(found, exact, rtol=0, atol=0.3)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="sequence 1 has 1 tokens"):
        token_log_probs(MODEL, [[1, 2], [3]])
    with pytest.raises(ValueError, match="scores 2 to 21"):
        token_log_probs(MODEL, [[1] * 22])
    with pytest.raises(ValueError, match="last=2 of the 2 tokens"):
        token_log_probs(MODEL, [[1, 2]], last=[2])
    with pytest.raises(ValueError, match="3 numbers in `last` for 1"):
        token_log_probs(MODEL, [[1, 2]], last=[1, 1, 1])


def test_a_tokenizer_without_end_of_text_is_named():
    assert end_of_text(TOKENIZER) == TOKENIZER.special_tokens["<|endoftext|>"]
    with pytest.raises(ValueError, match="special_tokens="):
        end_of_text(CharTokenizer.train(["abc"]))
