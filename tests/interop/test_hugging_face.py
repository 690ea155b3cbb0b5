"""Models of Hugging Face's transformers and ours compute the same, in both directions, and damage is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from minigpt.interop.hugging_face import CheckpointError, export, files, load
from minigpt.interop.hugging_face.names import NAMES, pieces
from minigpt.models import (
    BERT,
    GPT,
    EncoderDecoder,
    MaskedLanguageModel,
    SequenceClassifier,
    TokenClassifier,
    TransformerConfig,
)
from minigpt.nn import Llama3Scaling
from minigpt.nn.rotary import reorder

ROOT = Path(__file__).resolve().parents[2]
LOGITS, GRADIENTS = 1e-5, 1e-4
VOCABULARY = 29
IDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


def gpt2(**changes) -> transformers.GPT2LMHeadModel:
    """A small GPT-2 of theirs without dropout."""
    sizes = {"n_positions": 40, "n_embd": 30, "n_layer": 2, "n_head": 3} | IDS
    off = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return theirs(transformers.GPT2LMHeadModel, transformers.GPT2Config, sizes | off | changes)


def llama(**changes) -> transformers.LlamaForCausalLM:
    """A small Llama of theirs."""
    return theirs(transformers.LlamaForCausalLM, transformers.LlamaConfig, ROTARY | changes)


def mistral(**changes) -> transformers.MistralForCausalLM:
    """A small Mistral of theirs."""
    return theirs(transformers.MistralForCausalLM, transformers.MistralConfig, ROTARY | {"sliding_window": 7} | changes)


def bert(head: str, **changes) -> transformers.PreTrainedModel:
    """A small BERT of theirs, with the given class, without dropout."""
    sizes = {"hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 5, "intermediate_size": 44}
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "max_position_embeddings": 40}
    return theirs(getattr(transformers, head), transformers.BertConfig, sizes | off | IDS | changes)


ROTARY = {
    "hidden_size": 48,
    "intermediate_size": 52,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    **IDS,
}


def theirs(model_class, config_class, values) -> transformers.PreTrainedModel:
    """A model of theirs whose weights are so large that every part matters, biases and norms included."""
    config = config_class(vocab_size=VOCABULARY, **values)
    config._attn_implementation = "eager"
    model = model_class(config).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand(parameter.shape, generator=generator) - 0.5, alpha=0.3)
    return model


DECODERS = {
    "gpt2": lambda: gpt2(),
    "gpt2, 5 heads, untied, inner width": lambda: gpt2(n_head=5, n_inner=17, tie_word_embeddings=False),
    "gpt2, relu": lambda: gpt2(activation_function="relu", layer_norm_epsilon=1e-3),
    "llama, 1 query head for a key head": lambda: llama(num_key_value_heads=4),
    "llama, 2 query heads for a key head": lambda: llama(),
    "llama, one key head": lambda: llama(num_key_value_heads=1),
    "llama, 3 heads": lambda: llama(num_attention_heads=3, num_key_value_heads=3),
    "llama, 5 heads, wider heads": lambda: llama(
        hidden_size=40, num_attention_heads=5, num_key_value_heads=1, head_dim=6
    ),
    "llama, tied, all biases": lambda: llama(tie_word_embeddings=True, attention_bias=True, mlp_bias=True),
    "llama, biases in attention only": lambda: llama(attention_bias=True),
    "llama, biases in the feed-forward network only": lambda: llama(mlp_bias=True),
    "llama, linear": lambda: llama(rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0}),
    "llama, llama3": lambda: llama(rope_parameters=LLAMA3),
    "llama, base": lambda: llama(rope_parameters={"rope_type": "default", "rope_theta": 500000.0}),
    "mistral": lambda: mistral(),
    "mistral, window of 1": lambda: mistral(sliding_window=1),
    "mistral, no window": lambda: mistral(sliding_window=None),
    "mistral, one key head, tied": lambda: mistral(num_key_value_heads=1, tie_word_embeddings=True, sliding_window=3),
    "mistral, width that heads do not divide": lambda: mistral(
        num_attention_heads=3, num_key_value_heads=3, hidden_size=32, head_dim=8
    ),
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
    "rope_theta": 10000.0,
}
ENCODERS = {
    "bare": lambda: bert("BertModel"),
    "masked": lambda: bert("BertForMaskedLM"),
    "masked, untied, quick gelu": lambda: bert(
        "BertForMaskedLM", tie_word_embeddings=False, hidden_act="quick_gelu", num_attention_heads=3
    ),
    "sequence": lambda: bert("BertForSequenceClassification", num_labels=3, type_vocab_size=3),
    "sequence, a number": lambda: bert("BertForSequenceClassification", num_labels=1, hidden_act="relu"),
    "tokens": lambda: bert("BertForTokenClassification", num_labels=5, layer_norm_eps=1e-5),
}
AUTO = {
    "BertModel": transformers.AutoModel,
    "BertForMaskedLM": transformers.AutoModelForMaskedLM,
    "BertForSequenceClassification": transformers.AutoModelForSequenceClassification,
    "BertForTokenClassification": transformers.AutoModelForTokenClassification,
}
SMALLEST = {"decoder": lambda: llama(num_hidden_layers=1), "masked": ENCODERS["masked"]}


def draw_ids(batch: int, time: int, seed: int = 0) -> torch.Tensor:
    """Token ids."""
    return torch.randint(VOCABULARY, (batch, time), generator=torch.Generator().manual_seed(seed))


def padded(batch: int, time: int, side: str) -> torch.Tensor:
    """Which positions hold tokens, where row `i` has `4 i` of padding."""
    index = torch.arange(time).expand(batch, time)
    missing = 4 * torch.arange(batch).unsqueeze(1)
    return index >= missing if side == "left" else index < time - missing


def outputs(model, ids, **inputs) -> torch.Tensor:
    """What their model gives: logits, or the last hidden states of a bare one."""
    result = model(ids, **inputs)
    return result.logits if hasattr(result, "logits") else result.last_hidden_state


def described(model) -> TransformerConfig:
    """The configuration of a model of ours."""
    return model.config if hasattr(model, "config") else model.encoder.config


def all_pieces(ours, architecture: str):
    """The tensors of a checkpoint."""
    return pieces(NAMES[architecture](described(ours)), ours, described(ours))


def assert_gradients_agree(ours, model) -> None:
    """Every gradient of ours, in the names of theirs, is theirs."""
    gradients, found = dict(ours.named_parameters()), {name: p.grad for name, p in model.named_parameters()}
    compared = set()
    for piece in all_pieces(ours, type(model).__name__):
        grad = piece.of(gradients[piece.ours].grad)
        assert (grad - found[piece.theirs]).abs().max() < GRADIENTS, piece.theirs
        compared.add(piece.theirs)
    left = {name for name, grad in found.items() if grad is not None} - compared
    assert not left, f"nothing was compared with the gradients of {left}"


@pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS)
def test_a_decoder_gives_their_logits_and_gradients(make):
    model = make()
    ours = load(model).train()
    ids = draw_ids(3, 37)
    expected, found = outputs(model, ids), ours(ids)
    assert (expected - found).abs().max() < LOGITS
    for logits in (expected, found):
        F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    assert_gradients_agree(ours, model)


@pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS)
def test_a_decoder_reads_token_by_token_as_theirs_reads_all(make):
    model = make()
    ours = load(model)
    ids = draw_ids(2, 25)
    cache = ours.new_cache(25)
    with torch.no_grad():
        steps = [ours(ids[:, :6], cache=cache), *(ours(ids[:, t : t + 1], cache=cache) for t in range(6, 25))]
        assert (outputs(model, ids) - torch.cat(steps, dim=1)).abs().max() < LOGITS


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", ["gpt2", "llama, llama3", "mistral"])
def test_a_decoder_does_not_see_padding(name, side):
    model = DECODERS[name]()
    ours = load(model)
    ids, is_token = draw_ids(3, 20), padded(3, 20, side)
    positions = (is_token.cumsum(dim=1) - 1).clamp(min=0)
    with torch.no_grad():
        expected = outputs(model, ids, attention_mask=is_token.long(), position_ids=positions)
        found = ours(ids, is_token=is_token, positions=positions)
        assert (expected - found)[is_token].abs().max() < LOGITS
        cache = ours.new_cache(20)
        for t in range(20):
            step = ours(
                ids[:, t : t + 1], is_token=is_token[:, : t + 1], positions=positions[:, t : t + 1], cache=cache
            )
            assert (expected[:, t] - step[:, 0])[is_token[:, t]].abs().max() < LOGITS


@pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)
def test_an_encoder_gives_their_outputs_and_gradients(make):
    model = make()
    ours = load(model).train()
    ids, is_token = draw_ids(3, 23), padded(3, 23, "right")
    segments = (torch.arange(23) > 9).long().expand(3, 23)
    expected = outputs(model, ids, attention_mask=is_token.long(), token_type_ids=segments)
    found = ours(ids, is_token=is_token, segments=segments)
    if expected.ndim == 3:
        expected, found = expected[is_token], found[is_token]
    assert (expected - found).abs().max() < LOGITS
    for result in (expected, found):
        (result * torch.linspace(-1, 1, result.numel()).view_as(result)).mean().backward()
    assert_gradients_agree(ours, model)


def test_a_text_longer_than_the_original_context_reads_the_same():
    model = llama(rope_parameters=LLAMA3, max_position_embeddings=256)
    ids = draw_ids(1, 200)
    with torch.no_grad():
        assert (outputs(model, ids) - load(model)(ids)).abs().max() < 2 * LOGITS


def test_weights_in_the_layout_of_meta_are_reordered_rows():
    half = load(llama(attention_bias=True))
    interleaved = GPT(half.config.replace(rope_layout="interleaved"))
    state = half.state_dict()
    turned = (half.config.n_heads + half.config.n_kv_heads) * half.config.d_head
    for name in state:
        if ".qkv." in name:
            reordered = reorder(state[name][:turned], half.config.d_head, "interleaved")
            state[name] = torch.cat([reordered, state[name][turned:]])
    interleaved.load_state_dict(state)
    ids = draw_ids(2, 30)
    with torch.no_grad():
        assert (half(ids) - interleaved(ids)).abs().max() < LOGITS
    for name, weight in state.items():
        if ".qkv." in name:
            back = reorder(weight[:turned], half.config.d_head, "half")
            assert torch.equal(back, half.state_dict()[name][:turned])


@pytest.mark.parametrize("shard_size", [10**9, 3000])
@pytest.mark.parametrize("make", [*DECODERS.values(), *ENCODERS.values()], ids=[*DECODERS, *ENCODERS])
def test_a_model_survives_both_directions(make, shard_size, tmp_path):
    ours = load(make())
    export(ours, tmp_path / "out", shard_size=shard_size)
    assert (tmp_path / "out" / files.INDEX).exists() == (shard_size < 10**9)
    again = load(tmp_path / "out")
    assert type(again) is type(ours)
    assert described(again) == described(ours)
    assert not again.training
    state, new = ours.state_dict(), again.state_dict()
    assert state.keys() == new.keys()
    assert all(torch.equal(state[key], new[key]) for key in state)
    assert [name for name, _ in again.named_parameters()] == [name for name, _ in ours.named_parameters()]
    ids = draw_ids(2, 12)
    with torch.no_grad():
        assert torch.equal(again(ids), ours(ids))


@pytest.mark.parametrize("make", [*DECODERS.values(), *ENCODERS.values()], ids=[*DECODERS, *ENCODERS])
def test_theirs_opens_what_ours_exports(make, tmp_path):
    model = make()
    export(load(model), tmp_path / "out", shard_size=20_000)
    config = json.loads((tmp_path / "out" / files.CONFIG).read_text())
    auto = AUTO.get(config["architectures"][0], transformers.AutoModelForCausalLM)
    bare = {"add_pooling_layer": False} if auto is transformers.AutoModel else {}
    opened, info = auto.from_pretrained(tmp_path / "out", output_loading_info=True, **bare)
    assert not any(info.values()), info
    ids = draw_ids(2, 30)
    with torch.no_grad():
        assert (outputs(opened, ids) - outputs(model, ids)).abs().max() < LOGITS


@pytest.mark.parametrize("make", [*DECODERS.values(), *ENCODERS.values()], ids=[*DECODERS, *ENCODERS])
def test_ours_opens_what_theirs_saves(make, tmp_path):
    model = make()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    ours, direct = load(tmp_path), load(model)
    assert described(ours) == described(direct)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), direct.parameters(), strict=True))


def test_ours_in_any_shape_is_exported_and_opened(tmp_path):
    config = TransformerConfig(
        vocab_size=VOCABULARY,
        n_layers=2,
        d_model=24,
        n_heads=6,
        n_kv_heads=3,
        d_ff=40,
        norm="rms",
        gated=True,
        activation="silu",
        positions="rotary",
        rope_scaling=Llama3Scaling(original_context=32),
        bias=False,
        context=128,
        tied=False,
    )
    model = GPT(config).eval()
    export(model, tmp_path / "llama", extra={"eos_token_id": 3})
    opened = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "llama")
    ids = draw_ids(2, 100)
    with torch.no_grad():
        assert (opened(ids).logits - model(ids)).abs().max() < LOGITS
    assert opened.config.eos_token_id == 3


def test_labels_can_be_named(tmp_path):
    model = load(ENCODERS["sequence"]())
    export(model, tmp_path / "out", extra={"id2label": {0: "a", 1: "b", 2: "c"}})
    assert transformers.AutoConfig.from_pretrained(tmp_path / "out").id2label == {0: "a", 1: "b", 2: "c"}
    with pytest.raises(ValueError, match=r"3 classes \(id2label has 2\)"):
        export(model, tmp_path / "other", extra={"id2label": {0: "a", 1: "b"}})


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_keep_their_dtype_or_get_another(stored, tmp_path):
    model = llama(num_hidden_layers=1).to(stored)
    model.save_pretrained(tmp_path / "theirs")
    ours = load(tmp_path / "theirs")
    assert {p.dtype for p in ours.parameters()} == {stored}
    assert ours.blocks[0].attention.rotary.cosine.dtype == torch.float32
    export(ours, tmp_path / "ours", shard_size=9000)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours")
    assert {p.dtype for p in again.parameters()} == {stored}
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in model.state_dict().items())
    wide = load(tmp_path / "ours", dtype=torch.float64)
    assert {p.dtype for p in wide.parameters()} == {torch.float64}
    assert torch.equal(wide.embedding.weight.to(stored), ours.embedding.weight)


def test_nothing_is_shared_with_the_source():
    model = llama(num_hidden_layers=1)
    ours = load(model)
    with torch.no_grad():
        model.model.norm.weight.zero_()
    assert ours.norm.weight.abs().min() > 0


def test_a_tied_table_is_one_parameter(tmp_path):
    ours = load(llama(tie_word_embeddings=True))
    assert ours.head.weight is ours.embedding.weight
    export(ours, tmp_path / "out")
    assert "lm_head.weight" not in load_file(tmp_path / "out" / files.SINGLE)


# What old or bare checkpoints look like: names without a prefix or with one, and buffers that nobody needs.


def rewrite(folder: Path, change) -> None:
    """Replace the tensors of a checkpoint by what `change` makes of them."""
    save_file(change(load_file(folder / files.SINGLE)), folder / files.SINGLE)


def configure(folder: Path, **changes) -> None:
    """Change entries of `config.json`; None removes one."""
    path = folder / files.CONFIG
    path.write_text(json.dumps({k: v for k, v in (json.loads(path.read_text()) | changes).items() if v is not ...}))


def test_the_first_gpt2_files_are_read(tmp_path):
    model = gpt2()
    export(load(model), tmp_path / "out")
    buffers = {"h.0.attn.bias": torch.ones(1, 1, 40, 40).bool(), "h.1.attn.masked_bias": torch.tensor(-1e4)}
    rewrite(tmp_path / "out", lambda old: {k.removeprefix("transformer."): v for k, v in old.items()} | buffers)
    assert torch.equal(load(tmp_path / "out").blocks[1].attention.qkv.bias, model.transformer.h[1].attn.c_attn.bias)
    bare = transformers.GPT2Model(model.config)
    assert torch.equal(load(bare).positions.weight, bare.wpe.weight)


def test_the_first_bert_files_are_read(tmp_path):
    model = bert("BertForPreTraining")
    path = tmp_path / "out"
    model.save_pretrained(path)

    def old(tensors):
        renamed = {k.replace("LayerNorm.weight", "LayerNorm.gamma"): v for k, v in tensors.items()}
        renamed = {k.replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in renamed.items()}
        return renamed | {"bert.embeddings.position_ids": torch.arange(40)[None]}

    rewrite(path, old)
    ids = draw_ids(2, 9)
    for name, entry in (("BertForMaskedLM", "prediction_logits"), ("BertModel", None)):
        configure(path, architectures=[name])
        with torch.no_grad():
            expected = getattr(model(ids), entry) if entry else model.bert(ids).last_hidden_state
            assert (expected - load(path)(ids)).abs().max() < LOGITS


def test_frequencies_that_old_llamas_store_are_ignored(tmp_path):
    export(load(llama()), tmp_path / "out")
    key = "model.layers.1.self_attn.rotary_emb.inv_freq"
    rewrite(tmp_path / "out", lambda old: old | {key: torch.ones(6)})
    load(tmp_path / "out")


def test_a_tied_matrix_may_be_stored_twice_but_not_in_two_versions(tmp_path):
    path = tmp_path / "out"
    export(load(llama(tie_word_embeddings=True)), path)
    table = load_file(path / files.SINGLE)["model.embed_tokens.weight"]
    rewrite(path, lambda old: old | {"lm_head.weight": table.clone()})
    assert torch.equal(load(path).head.weight, table)
    rewrite(path, lambda old: old | {"lm_head.weight": table + 1})
    with pytest.raises(CheckpointError, match=r"lm_head\.weight and model\.embed_tokens\.weight differ"):
        load(path)
    configure(path, tie_word_embeddings=False)
    assert torch.equal(load(path).head.weight, table + 1)


# What is refused, and by which words.


@pytest.fixture
def folder(tmp_path) -> Path:
    """A sound checkpoint of a Llama of one layer, in one file."""
    export(load(SMALLEST["decoder"]()), tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def sharded(tmp_path) -> Path:
    """The same in several files."""
    export(load(SMALLEST["decoder"]()), tmp_path / "out", shard_size=15_000)
    return tmp_path / "out"


def test_wrong_tensors_are_listed(folder):
    def change(tensors):
        tensors["model.norm.wait"] = tensors.pop("model.norm.weight")
        tensors["layers.0.mlp.up_proj.weight"] = tensors["model.layers.0.mlp.up_proj.weight"].clone()
        tensors["model.layers.0.mlp.down_proj.weight"] = tensors["model.layers.0.mlp.down_proj.weight"].T.contiguous()
        tensors["lm_head.weight"] = tensors["lm_head.weight"].to(torch.int32)
        return tensors

    rewrite(folder, change)
    with pytest.raises(CheckpointError) as error:
        load(folder)
    for part in (
        "unknown: model.norm.wait",
        "missing: model.norm.weight",
        "twice there: layers.0.mlp.up_proj.weight = model.layers.0.mlp.up_proj.weight",
        "model.layers.0.mlp.down_proj.weight is [52, 48], expected [48, 52]",
        "lm_head.weight holds I32",
    ):
        assert part in str(error.value)


def test_parts_of_one_tensor_in_several_dtypes_need_a_decision(folder):
    key = "model.layers.0.self_attn.k_proj.weight"
    rewrite(folder, lambda old: old | {key: old[key].half()})
    with pytest.raises(CheckpointError, match=r"give a dtype\): blocks\.0\.attention\.qkv\.weight"):
        load(folder)
    assert load(folder, dtype=torch.float32).blocks[0].attention.qkv.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("make", "changes", "words"),
    [
        ("decoder", {"architectures": ["LlamaForSequenceClassification"]}, "'LlamaForSequenceClassification' is not"),
        ("decoder", {"architectures": ...}, "does not name one class"),
        ("decoder", {"architectures": [{}]}, "is not known"),
        ("decoder", {"model_type": "gemma"}, "model_type='gemma' is not known"),
        ("decoder", {"model_type": "gpt2"}, "contradict"),
        ("decoder", {"hidden_act": "mish"}, "hidden_act='mish'"),
        ("decoder", {"hidden_size": "48"}, "hidden_size='48' is no int"),
        ("decoder", {"hidden_size": True}, "hidden_size=True is no int"),
        ("decoder", {"rms_norm_eps": None}, "rms_norm_eps=None is no float"),
        ("decoder", {"rms_norm_eps": 0.0}, "norm_eps=0.0 must be positive"),
        ("decoder", {"num_attention_heads": 0}, "n_heads=0"),
        ("decoder", {"num_hidden_layers": 10**30}, "layers for 12 tensors"),
        ("decoder", {"head_dim": 10**30}, "describes no model"),
        ("decoder", {"attention_dropout": 0.1}, "attention_dropout=0.1"),
        ("decoder", {"quantization_config": {}}, "quantised"),
        ("decoder", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "rope_type='yarn'"),
        ("decoder", {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_type='dynamic'"),
        ("decoder", {"rope_scaling": {"rope_type": "linear"}}, "needs factor"),
        ("decoder", {"rope_scaling": {"rope_type": "linear", "factor": 0.5}}, "factor=0.5"),
        ("decoder", {"rope_scaling": {"rope_type": "default", "mscale": 2}}, "no entries mscale"),
        ("decoder", {"rope_scaling": [1]}, "no mapping"),
        ("decoder", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor=0.5"),
        ("decoder", {"rope_theta": 0.5}, "base=0.5"),
        ("masked", {"position_embedding_type": "relative_key"}, "position_embedding_type='relative_key'"),
        ("masked", {"is_decoder": True}, "is_decoder=True"),
        ("masked", {"hidden_dropout_prob": 0.1}, "one dropout for all"),
        ("masked", {"type_vocab_size": 0}, "type_vocab_size=0"),
        ("masked", {"id2label": 3}, "id2label=3"),
    ],
)
def test_a_configuration_that_has_no_counterpart_is_refused(make, changes, words, tmp_path):
    export(load(SMALLEST[make]()), tmp_path / "out")
    configure(tmp_path / "out", **changes)
    with pytest.raises(CheckpointError) as error:
        load(tmp_path / "out")
    assert words in str(error.value)


@pytest.mark.parametrize("entry", ["scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn"])
def test_variants_of_gpt2_are_refused(entry):
    with pytest.raises(CheckpointError, match=f"{entry}=True"):
        load(gpt2(**{entry: True}))
    with pytest.raises(CheckpointError, match="scale_attn_weights=False"):
        load(gpt2(scale_attn_weights=False))


def test_a_llama_without_a_map_to_logits_is_refused():
    model = transformers.LlamaModel(llama().config)
    with pytest.raises(CheckpointError, match=r"missing: lm_head\.weight"):
        load(model)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is no folder"):
        load(tmp_path / "absent")
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        load(tmp_path)
    (tmp_path / files.CONFIG).write_text("{}")
    with pytest.raises(CheckpointError, match="neither"):
        load(tmp_path)
    with pytest.raises(TypeError, match="source is int"):
        load(3)
    with pytest.raises(TypeError, match=r"torch\.int64 is not one for weights"):
        load(tmp_path, dtype=torch.int64)


def test_a_pickle_is_refused_and_not_opened(folder):
    (folder / files.SINGLE).rename(folder / "pytorch_model.bin")
    with pytest.raises(
        CheckpointError, match=r"pytorch_model\.bin: a pickle, which can run any code .* save_pretrained"
    ):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00\xff", "[" * 100_000, '"text"'])
def test_a_configuration_that_is_no_json_object_is_refused(folder, text):
    (folder / files.CONFIG).write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load(folder)


def test_a_file_cut_off_anywhere_is_refused(folder):
    path = folder / files.SINGLE
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for length in {*range(12), header - 1, header, header + 1, *range(0, len(whole), len(whole) // 60), len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            load(folder)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load(folder)


def test_a_header_with_a_wrong_byte_is_refused_or_says_the_same(folder):
    path = folder / files.SINGLE
    whole = path.read_bytes()
    state = load(folder).state_dict()
    end = 8 + int.from_bytes(whole[:8], "little")
    kept = 0
    for at in [*range(8), *range(8, end, 5)]:
        for flip in (1, 0x20, 0x80):
            damaged = bytearray(whole)
            damaged[at] ^= flip
            path.write_bytes(damaged)
            try:
                found = load(folder).state_dict()
            except CheckpointError:
                continue
            kept += 1
            assert all(torch.equal(found[key], state[key]) for key in state), (at, flip)
    assert kept < 40, "only changes of the metadata and of spaces are harmless"


def test_a_lost_shard_is_named(sharded):
    lost = sorted(sharded.glob("model-*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(CheckpointError, match=lost.name):
        load(sharded)


def test_an_index_that_disagrees_with_its_shards_is_refused(sharded):
    path = sharded / files.INDEX
    index = json.loads(path.read_text())
    places = index["weight_map"]
    first, *_, last = places
    for changed, words in (
        (places | {"model.more.weight": places[first]}, "model.more.weight is not in"),
        ({key: file for key, file in places.items() if key != last}, f"{last} is in"),
        (places | {first: "../elsewhere.safetensors"}, "not in its folder"),
        (places | {first: 3}, "weight_map"),
        ({}, "weight_map"),
    ):
        path.write_text(json.dumps(index | {"weight_map": changed}))
        with pytest.raises(CheckpointError) as error:
            load(sharded)
        assert words in str(error.value)
    (sharded / files.SINGLE).touch()
    with pytest.raises(CheckpointError, match="out of date"):
        load(sharded)


# Export.


@pytest.mark.parametrize("interrupt", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("function", ["_write_safetensors", "write_json"])
def test_an_interrupted_export_leaves_nothing(tmp_path, monkeypatch, interrupt, function):
    real, calls = getattr(files, function), []

    def fail_the_second_time(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise interrupt
        return real(*arguments)

    monkeypatch.setattr(files, function, fail_the_second_time)
    with pytest.raises(type(interrupt)):
        export(load(SMALLEST["decoder"]()), tmp_path / "out", shard_size=15_000)
    assert list(tmp_path.iterdir()) == []


def test_an_export_does_not_overwrite(folder, tmp_path):
    model = load(folder)
    with pytest.raises(FileExistsError, match="not an empty folder"):
        export(model, folder)
    with pytest.raises(FileNotFoundError, match="create it"):
        export(model, tmp_path / "no" / "out")
    (tmp_path / "empty").mkdir()
    export(model, tmp_path / "empty")
    load(tmp_path / "empty")


def test_exported_files_have_the_permissions_that_the_user_wants(folder):
    mask = os.umask(0)
    os.umask(mask)
    assert folder.stat().st_mode & 0o777 == 0o777 & ~mask
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o666 & ~mask}
    with safe_open(folder / files.SINGLE, "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_every_tensor_starts_at_a_multiple_of_its_numbers_width(tmp_path):
    tensors = {"a": torch.ones(3, dtype=torch.float16), "b": torch.arange(2.0, dtype=torch.float64), "c": torch.eye(3)}
    files.write_tensors(tmp_path, tensors, 10**9)
    found = load_file(tmp_path / files.SINGLE)
    assert all(torch.equal(found[key], tensor) for key, tensor in tensors.items())
    whole = (tmp_path / files.SINGLE).read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    assert length % 8 == 0
    assert all(header[key]["data_offsets"][0] % tensor.itemsize == 0 for key, tensor in tensors.items())


def small(**changes) -> TransformerConfig:
    """A configuration that GPT-2 can express, with changes."""
    return TransformerConfig(vocab_size=11, n_layers=1, d_model=8, n_heads=2, context=16).replace(**changes)


ROTARY_PARTS = {"norm": "rms", "gated": True, "positions": "rotary", "bias": False}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: GPT(small(n_kv_heads=1)), "n_kv_heads=1 (it would be 2)"),
        (lambda: GPT(small(positions="sinusoidal")), "positions='sinusoidal'"),
        (lambda: GPT(small(window=3)), "window=3"),
        (lambda: GPT(small(norm_first=False)), "norm_first=False"),
        (lambda: GPT(small(scale_embedding=True)), "scale_embedding=True"),
        (lambda: GPT(small(**ROTARY_PARTS, rope_layout="interleaved")), "rope_layout='interleaved'"),
        (lambda: GPT(small(**ROTARY_PARTS, dropout=0.1)), "model.config.replace"),
        (lambda: GPT(small(**ROTARY_PARTS, window=3).replace(qkv_bias=True)), "qkv_bias=True"),
        (lambda: GPT(small(**ROTARY_PARTS).replace(qkv_bias=True)), "qkv_bias=True"),
        (lambda: BERT(small(norm_first=False, activation="gelu")), "type_vocab_size=0"),
        (lambda: BERT(small(n_segments=2)), "norm_first=True"),
    ],
)
def test_a_model_that_theirs_cannot_express_is_not_exported(model, words, tmp_path):
    with pytest.raises(ValueError, match=r"no counterpart|type_vocab_size") as error:
        export(model(), tmp_path / "out")
    assert words in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_no_longer_what_its_configuration_says_is_not_exported(tmp_path):
    model = GPT(small())
    model.head.weight = torch.nn.Parameter(model.head.weight.detach().clone())
    with pytest.raises(ValueError, match=r"not what its configuration describes.*lm_head\.weight"):
        export(model, tmp_path / "out")
    model = GPT(small())
    model.blocks[0].adapter = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"has a place for blocks\.0\.adapter\.bias"):
        export(model, tmp_path / "out")
    with pytest.raises(ValueError, match=r"c_attn\.bias.*dtypes other than F64"):
        export(GPT(small()).to(torch.float8_e4m3fn), tmp_path / "out")


def test_export_checks_its_arguments(tmp_path):
    with pytest.raises(TypeError, match="EncoderDecoder has no counterpart"):
        export(EncoderDecoder(small()), tmp_path / "out")
    with pytest.raises(ValueError, match="shard_size=0"):
        export(GPT(small()), tmp_path / "out", shard_size=0)
    with pytest.raises(ValueError, match="extra holds n_embd"):
        export(GPT(small()), tmp_path / "out", extra={"n_embd": 3})


def test_classes_are_those_of_the_heads():
    kinds = {"bare": BERT, "masked": MaskedLanguageModel, "sequence": SequenceClassifier, "tokens": TokenClassifier}
    assert {name: type(load(ENCODERS[name]())) for name in kinds} == kinds


def test_transformers_is_not_needed(folder, tmp_path):
    code = """if True:
        import sys
        sys.modules["transformers"] = None
        from minigpt.interop.hugging_face import export, load
        export(load(sys.argv[1]), sys.argv[2])
    """
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "copy")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "copy" / files.SINGLE).read_bytes() == (folder / files.SINGLE).read_bytes()


def test_a_model_is_held_once_while_it_is_read(folder, monkeypatch):
    alive, most = [], 0
    real = files.read_tensors

    def counted(paths):
        nonlocal most
        for key, tensor in real(paths):
            alive[:] = [reference for reference in alive if reference() is not None]
            alive.append(weakref.ref(tensor))
            most = max(most, len(alive))
            yield key, tensor

    monkeypatch.setattr(files, "read_tensors", counted)
    load(folder)
    assert most <= 2
