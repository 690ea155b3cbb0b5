"""Writing with a cache gives what reading everything anew gives, row by row, also beyond the context."""

import math

import pytest
import torch
from small import VARIANTS, config_of, gpt_of
from transformers import GPT2Config, GPT2LMHeadModel

from minigpt.generation import GREEDY, Decoder, Sampling, generate, uniform_draws
from minigpt.interop.hugging_face import load
from minigpt.models import GPT

PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9]]


def by_hand(model, prompt, n_tokens, uniforms):
    """The plainest loop: read all, draw one token by adding up probabilities, append."""
    ids = list(prompt)
    for u in uniforms[:n_tokens]:
        p = model(torch.tensor([ids]))[0, -1].softmax(-1).tolist()
        total, token = 0.0, -1
        while total <= u:
            token += 1
            total += p[token]
        ids.append(token)
    return ids[len(prompt) :]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("use_cache", [True, False])
def test_a_batch_of_any_lengths_equals_the_plainest_loop(variant, use_cache):
    model = gpt_of(variant)
    uniforms = uniform_draws(3, 3, 8).tolist()
    expected = [by_hand(model, prompt, 8, row) for prompt, row in zip(PROMPTS, uniforms, strict=True)]
    assert generate(model, PROMPTS, 8, seed=3, use_cache=use_cache) == expected


def test_a_row_does_not_depend_on_its_neighbours():
    model = gpt_of("llama")
    alone = [generate(model, [prompt], 8, seed=[seed])[0] for prompt, seed in zip(PROMPTS, (5, 6, 7), strict=True)]
    assert generate(model, PROMPTS, 8, seed=[5, 6, 7]) == alone
    assert generate(model, PROMPTS[::-1], 8, seed=[7, 6, 5]) == alone[::-1]


def test_a_longer_request_begins_with_a_shorter_one_and_seeds_differ():
    model = gpt_of()
    texts = [generate(model, [[1]] * 2, 11, seed=seed) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0][0] != texts[0][1]
    assert generate(model, [[1]] * 2, 4, seed=0) == [row[:4] for row in texts[0]]


def test_no_two_rows_of_near_seeds_share_their_draws():
    draws = torch.cat([uniform_draws(seed, 4, 3) for seed in range(4)])
    assert len(draws.unique()) == draws.numel()


def test_rows_end_with_their_end_token_and_others_go_on():
    model, end = gpt_of(), {7}
    whole = generate(model, [[1]] * 12, 11, seed=2)
    cut = [row[: row.index(7) + 1] if 7 in row else row for row in whole]
    assert len({len(row) for row in cut}) > 4
    assert generate(model, [[1]] * 12, 11, seed=2, end=end) == cut


def test_rows_come_as_often_as_their_probability_says():
    """Chi-square of the two-token continuations against the exact probabilities, at the 99.9 % point."""
    model, n = gpt_of(vocab_size=4), 4000
    first = model(torch.tensor([[1, 2]]))[0, -1].softmax(-1)
    second = model(torch.tensor([[1, 2, token] for token in range(4)]))[:, -1].softmax(-1)
    expected = n * (first[:, None] * second).flatten()
    rows = torch.tensor(generate(model, [[1, 2]] * n, 2, seed=0))
    counts = (4 * rows[:, 0] + rows[:, 1]).bincount(minlength=16)
    assert float(((counts - expected.detach()) ** 2 / expected.detach()).sum()) < 37.7  # 15 degrees of freedom


@pytest.mark.parametrize("settings", [{}, {"repetition_penalty": 1.5}, {"no_repeat_ngram": 2}], ids=str)
def test_greedy_equals_hugging_face(settings):
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_positions=32, n_embd=24, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
    theirs = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        theirs.transformer.wte.weight.mul_(20)
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    names = {"no_repeat_ngram": "no_repeat_ngram_size"}
    expected = theirs.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False, pad_token_id=0, eos_token_id=None,
        **{names.get(name, name): value for name, value in settings.items()},
    )  # fmt: skip
    sampling = Sampling(temperature=0, **settings)
    assert generate(load(theirs), ids.tolist(), 20, sampling=sampling) == expected[:, 5:].tolist()


def test_a_request_that_does_not_fit_is_refused():
    model = gpt_of()  # a context of 12
    assert len(generate(model, [[1] * 5], 8)[0]) == 8  # the last token is written, and need not be read
    with pytest.raises(ValueError, match=r"a prompt of 5 tokens and 9 new ones .* 12 tokens; .* 'cut' to write 8, or"):
        generate(model, [[1] * 5], 9)
    with pytest.raises(ValueError, match=r"set overflow to 'slide'"):
        generate(model, [[1] * 13], 1)


def test_a_request_that_does_not_fit_is_cut():
    model = gpt_of()
    assert generate(model, [[1] * 5], 100, overflow="cut") == generate(model, [[1] * 5], 8)
    with pytest.raises(ValueError, match="do not fit"):
        generate(model, [[1] * 13], 1, overflow="cut")


@pytest.mark.parametrize("variant", ["gpt-2", "llama", "mistral"])
def test_a_context_that_slides_forgets_its_first_half_when_it_is_full(variant):
    model = gpt_of(variant)
    uniforms = uniform_draws([4], 1, 40)[0].tolist()
    ids, first = [3, 1, 4], 0
    for u in uniforms:
        first = len(ids) - 6 if len(ids) - first > 12 else first
        ids += by_hand(model, ids[first:], 1, [u])
    for use_cache in (True, False):
        assert generate(model, [[3, 1, 4]], 40, seed=[4], overflow="slide", use_cache=use_cache) == [ids[3:]]


def test_rows_slide_one_by_one():
    model = gpt_of()
    prompts = [*PROMPTS, [2] * 30]
    alone = [generate(model, [prompt], 25, seed=[row], overflow="slide")[0] for row, prompt in enumerate(prompts)]
    assert generate(model, prompts, 25, seed=[0, 1, 2, 3], overflow="slide") == alone


def test_a_window_hides_what_lies_further_back():
    # One layer without positions: what a new token sees of the text is a set of at most four tokens.
    model = gpt_of("no positions", n_layers=1)
    with torch.inference_mode():
        decoder = Decoder(model, [[1, 2, 3]], 9, window=4)
        for token in (4, 5, 6, 7, 8):
            decoder.append(torch.tensor([token]))
        torch.testing.assert_close(decoder.logits, model(torch.tensor([[5, 6, 7, 8]]))[:, -1])


def test_the_models_own_window_changes_nothing_but_the_memory():
    model = gpt_of("mistral", context=64)
    decoder = Decoder(model, [[1, 2]], 60)
    assert generate(model, PROMPTS, 59, seed=1) == generate(model, PROMPTS, 59, seed=1, use_cache=False)
    assert decoder.cache.layers[0]._keys.shape[2] == 6


def test_a_model_in_training_writes_without_dropout_and_goes_on_training():
    config = config_of(dropout=0.5)
    model = GPT(config, generator=torch.Generator().manual_seed(0))
    written = generate(model.train(), [[1]], 10, sampling=GREEDY)
    assert model.training
    assert written == generate(model.eval(), [[1]], 10, sampling=GREEDY)


def test_half_precision_is_sampled_in_single():
    decoder = Decoder(gpt_of().to(torch.bfloat16), [[1]], 2)
    assert decoder.logits.dtype == torch.float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompts": []}, "there is no prompt, or an empty one"),
        ({"prompts": [[1], []]}, "there is no prompt, or an empty one"),
        ({"prompts": [1, 2]}, r"give a list of prompts, as \[ids\]"),
        ({"n_tokens": 0}, "n_tokens=0 must be at least 1"),
        ({"overflow": "wrap"}, "overflow='wrap' is not known; use one of refuse, cut, slide"),
        ({"window": 0}, "window=0 must be at least 1"),
        ({"window": 3, "use_cache": False}, "window=3 is a property of the cache"),
        ({"seed": [1, 2]}, "2 seeds for 1 rows"),
        ({"seed": -1}, "seed=-1 is negative"),
    ],
)
def test_mistakes_are_explained(arguments, message, without_shape_checks):
    with pytest.raises(ValueError, match=message):
        generate(gpt_of(), **{"prompts": [[1]], "n_tokens": 3} | arguments)


def test_a_decoder_reads_no_more_than_was_announced():
    decoder = Decoder(gpt_of(), [[1]], 1)
    decoder.append(torch.tensor([2]))
    with pytest.raises(ValueError, match="all of the n_tokens=1 announced tokens were read"):
        decoder.append(torch.tensor([2]))


def test_the_logits_are_those_of_the_model():
    model = gpt_of("llama")
    decoder = Decoder(model, PROMPTS, 3)
    decoder.append(torch.tensor([1, 2, 3]))
    decoder.select(torch.tensor([2, 0]))
    for row, ids in zip(decoder.logits, ([*PROMPTS[2], 3], [*PROMPTS[0], 1]), strict=True):
        torch.testing.assert_close(row, model(torch.tensor([ids]))[0, -1])
    assert math.isclose(float(decoder.ids[1, 0]), -1)
