"""GPT: the published equations by hand, causality, the cache, and weights that a seed decides on every machine."""

import copy
import hashlib
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small import VARIANTS, config_of, gpt_of, ids_of
from torch.nn import functional as F

from minigpt.models import GPT, TransformerConfig, preset

ROOT = Path(__file__).resolve().parents[2]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digest(model: torch.nn.Module) -> str:
    """Twelve digits that change with any bit of any weight."""
    total = hashlib.sha256()
    for value in model.state_dict().values():
        total.update(value.numpy().tobytes())
    return total.hexdigest()[:12]


def test_gpt_2_by_hand():
    """`h_0 = W_e[ids] + W_p`, `h_l = block(h_{l-1})`, `logits = norm(h_n) W_e^T` (Radford et al., 2018, equation 2)."""
    model, ids = gpt_of("gpt-2"), ids_of(2, 7)
    h = model.embedding.weight[ids] + model.positions.weight[:7]
    hidden = torch.ones(7, 7, dtype=torch.bool).triu(1)
    for block in model.blocks:
        normed = layer_norm(h, block.attention_norm)
        q, k, v = (
            torch.stack(part.split(4, dim=-1), dim=1)
            for part in (normed @ block.attention.qkv.weight.T + block.attention.qkv.bias).split(16, dim=-1)
        )
        weights = (q @ k.mT / math.sqrt(4)).masked_fill(hidden, -math.inf).softmax(-1)
        mixed = torch.cat(list((weights @ v).unbind(1)), dim=-1)
        h = h + mixed @ block.attention.output.weight.T + block.attention.output.bias
        network = block.feed_forward
        inner = F.gelu(
            layer_norm(h, block.feed_forward_norm) @ network.up.weight.T + network.up.bias, approximate="tanh"
        )
        h = h + inner @ network.down.weight.T + network.down.bias
    torch.testing.assert_close(model(ids), layer_norm(h, model.norm) @ model.embedding.weight.T)


def layer_norm(x, norm):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


def test_no_prediction_depends_on_what_comes_after_it(variant):
    model, ids = gpt_of(variant), ids_of(1, 8)
    embedded = model.embedding.weight[ids].detach().requires_grad_()
    model.embedding.forward = lambda ids: embedded
    logits = model(ids)
    for i in range(8):
        (gradient,) = torch.autograd.grad(logits[0, i].sum(), embedded, retain_graph=True)
        assert gradient[0, i].any()
        assert not gradient[0, i + 1 :].any()


def test_a_window_ends_what_a_prediction_depends_on():
    # Two layers that look three positions back each: five positions in all.
    model, ids = gpt_of("mistral"), ids_of(1, 9)
    logits = model(ids)[0, -1]
    for changed in range(9):
        others = ids.clone()
        others[0, changed] = (others[0, changed] + 1) % 13
        same = torch.equal(model(others)[0, -1], logits)
        assert same == (changed < 4)


@pytest.mark.parametrize("chunks", [[1] * 10, [4, 6], [3, 1, 1, 5]], ids=str)
def test_with_a_cache_pieces_equal_the_whole(variant, chunks):
    model, ids = gpt_of(variant), ids_of(2, 10)
    cache = model.new_cache()
    pieces = [model(piece, cache=cache) for piece in ids.split(chunks, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(ids), rtol=1e-11, atol=1e-12)
    assert cache.length == 10


def test_padding_on_the_left_changes_nothing(variant):
    model, ids = gpt_of(variant), ids_of(2, 4)
    padded = torch.cat([ids_of(2, 3, seed=1), ids], dim=1)
    is_token = torch.arange(7).expand(2, 7) >= 3
    positions = (torch.arange(7) - 3).clamp(min=0).unsqueeze(0)
    whole = model(padded, is_token=is_token, positions=positions)
    torch.testing.assert_close(whole[:, 3:], model(ids))
    cache = model.new_cache()
    for i in range(7):
        step = model(
            padded[:, i : i + 1], is_token=is_token[:, : i + 1], positions=positions[:, i : i + 1], cache=cache
        )
    torch.testing.assert_close(step, whole[:, -1:])


def test_padding_on_the_right_changes_nothing(variant):
    model, ids = gpt_of(variant), ids_of(2, 7)
    is_token = torch.arange(7).expand(2, 7) < 4
    torch.testing.assert_close(model(ids, is_token=is_token)[:, :4], model(ids[:, :4]))


def test_rows_of_a_batch_do_not_see_one_another(variant):
    model, ids = gpt_of(variant), ids_of(3, 6)
    torch.testing.assert_close(model(ids), torch.cat([model(row) for row in ids.split(1)]))


def test_rows_of_a_cache_can_go_on_from_others():
    model, ids = gpt_of("llama"), ids_of(3, 6)
    cache, which = model.new_cache(), torch.tensor([2, 0, 2, 1])
    model(ids, cache=cache)
    cache.select(which)
    more = ids_of(4, 2, seed=1)
    expected = model(torch.cat([ids[which], more], dim=1))[:, 6:]
    torch.testing.assert_close(model(more, cache=cache), expected)


def test_hidden_states_are_what_the_head_sees():
    model, ids = gpt_of(), ids_of(2, 5)
    assert torch.equal(model(ids), model.head(model.hidden(ids)))
    assert model.hidden(ids).shape == (2, 5, 16)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "no positions"])
def test_a_text_longer_than_the_context_is_an_error(name):
    model = gpt_of(name)
    with pytest.raises(ValueError, match=r"13 tokens from position 0 .* rows 0 to 11; shorten the text, or"):
        model(ids_of(1, 13))
    cache = model.new_cache()
    model(ids_of(1, 12), cache=cache)
    with pytest.raises(
        ValueError, match=r"1 tokens from position 12 need positions 12 to 12|1 more positions do not fit"
    ):
        model(ids_of(1, 1), cache=cache)


def test_a_model_without_positions_reads_any_length():
    assert gpt_of("no positions")(ids_of(1, 50)).shape == (1, 50, 13)


def test_a_cache_that_is_too_small_or_too_large_is_an_error():
    model = gpt_of()
    with pytest.raises(ValueError, match="3 more positions do not fit: the cache holds 0 of 2; make it with a larger"):
        model(ids_of(1, 3), cache=model.new_cache(2))
    for capacity in (0, 13):
        with pytest.raises(ValueError, match=f"capacity={capacity} must be from 1 to the context, 12 tokens"):
            model.new_cache(capacity)


def test_every_parameter_gets_a_gradient(variant):
    model = gpt_of(variant)
    F.cross_entropy(model(ids_of(4, 12)).flatten(0, 1), ids_of(48, seed=1)).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_few_steps_learn_a_text_by_heart():
    model = GPT(config_of("llama", std=0.02), generator=seeded())
    ids = ids_of(1, 12)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(60):
        loss = F.cross_entropy(model(ids[:, :-1])[0], ids[0, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def test_before_training_all_tokens_are_about_equally_likely(variant):
    model = GPT(config_of(variant, std=0.02), generator=seeded())
    loss = F.cross_entropy(model(ids_of(4, 12)).flatten(0, 1), ids_of(48, seed=1))
    # Only where the table is scaled do logits have variance 1 at the beginning.
    assert loss.item() == pytest.approx(math.log(13), abs=1.5 if model.config.scale_embedding else 0.05)


def test_maps_back_to_the_residual_stream_begin_smaller():
    config = TransformerConfig(vocab_size=10, n_layers=8, d_model=128, n_heads=4)
    model = GPT(config, generator=seeded())
    for block in model.blocks:
        assert block.attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.03)
        assert block.feed_forward.up.weight.std().item() == pytest.approx(0.02, rel=0.03)
        for linear in (block.attention.output, block.feed_forward.down):
            assert linear.weight.std().item() == pytest.approx(0.02 / math.sqrt(2 * 8), rel=0.03)


def test_a_scaled_table_begins_with_vectors_of_ordinary_size():
    model = GPT(config_of("gemma", d_model=64, vocab_size=500), generator=seeded())
    assert model.embedding(torch.arange(500)).std().item() == pytest.approx(1, rel=0.03)


def test_the_same_seed_gives_the_same_weights(variant):
    config = config_of(variant)
    first = digest(GPT(config, generator=seeded(5)))
    assert digest(GPT(config, generator=seeded(5))) == first
    assert digest(GPT(config, generator=seeded(6))) != first
    torch.manual_seed(5)
    assert digest(GPT(config)) == first


MODEL_DIGEST = "2606160530ac"


def test_a_seed_gives_these_weights_on_this_machine():
    assert digest(GPT(config_of("llama"), generator=seeded())) == MODEL_DIGEST


@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_a_seed_gives_these_weights_whatever_the_vector_unit(capability):
    code = (
        "import sys; sys.path[:0] = ['tests/models', '.']\n"
        "from test_gpt import GPT, config_of, digest, seeded\n"
        "print(digest(GPT(config_of('llama'), generator=seeded())))"
    )
    environment = os.environ | {"ATEN_CPU_CAPABILITY": capability}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert result.stdout.strip() == MODEL_DIGEST, result.stderr


def test_building_on_the_meta_device_allocates_nothing(variant):
    with torch.device("meta"):
        model = GPT(config_of(variant))
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    assert model(torch.zeros(2, 5, dtype=torch.int64, device="meta")).shape == (2, 5, 13)


def test_the_largest_llama_can_be_built_on_the_meta_device():
    with torch.device("meta"):
        model = GPT(preset("llama-3.1-405b"))
    assert sum(p.numel() for p in model.parameters()) == 405_853_388_800


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_equal_and_their_own(variant, copied):
    model, ids = gpt_of(variant), ids_of(2, 5)
    other = copied(model)
    assert torch.equal(other(ids), model(ids))
    assert (other.head.weight is other.embedding.weight) == model.config.tied
    with torch.no_grad():
        other.embedding.weight.zero_()
    assert model.embedding.weight.any()


def test_weights_travel_through_a_checkpoint(variant):
    model, other, ids = gpt_of(variant), gpt_of(variant, seed=1), ids_of(2, 5)
    assert not torch.equal(other(ids), model(ids))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(ids), model(ids))


@pytest.mark.parametrize("change", [torch.float64, torch.bfloat16, "cpu"])
def test_a_tied_table_stays_one(change):
    model = GPT(config_of(), generator=seeded()).to(change)
    assert model.head.weight is model.embedding.weight
    assert model.head.weight.data_ptr() == model.embedding.weight.data_ptr()
    untied = GPT(config_of(tied=False), generator=seeded()).to(change)
    assert untied.head.weight.data_ptr() != untied.embedding.weight.data_ptr()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_it_runs_and_trains_in_other_types(variant, dtype):
    model = gpt_of(variant).to(dtype)
    logits = model(ids_of(2, 6))
    assert logits.dtype == dtype
    logits.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model, ids = gpt_of(dropout=0.5), ids_of(2, 5)
    assert torch.equal(model(ids), gpt_of()(ids))
    model.train()
    assert not torch.equal(model(ids), model(ids))


def test_documents_in_a_row_are_read_as_if_each_were_alone(variant):
    model, ids = gpt_of(variant), ids_of(2, 12)
    documents = torch.tensor([[0] * 5 + [1] * 4 + [2] * 3, [0] + [1] * 11])
    logits = model(ids, documents=documents)
    for row in range(2):
        for number in documents[row].unique():
            here = documents[row] == number
            torch.testing.assert_close(logits[row, here], model(ids[row, here][None])[0])


def test_documents_may_be_given_positions_and_padding():
    model, ids = gpt_of("gpt-2"), ids_of(1, 6)
    documents = torch.tensor([[0, 0, 0, 1, 1, 1]])
    running = model(ids, documents=documents, positions=torch.arange(6)[None])
    torch.testing.assert_close(running[:, :3], model(ids)[:, :3])
    assert not torch.allclose(running[:, 3:], model(ids, documents=documents)[:, 3:])
    padded = model(ids, documents=documents, is_token=torch.tensor([[True, False, True, True, True, True]]))
    assert not torch.allclose(padded[:, 2], model(ids, documents=documents)[:, 2])
    torch.testing.assert_close(padded[:, 3:], model(ids, documents=documents)[:, 3:])


def test_documents_and_a_cache_do_not_go_together():
    model = gpt_of("gpt-2")
    with pytest.raises(ValueError, match="documents and a cache do not go together"):
        model(ids_of(1, 4), documents=torch.zeros(1, 4, dtype=torch.long), cache=model.new_cache())
