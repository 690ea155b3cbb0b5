"""Published models: their sizes against `transformers`, and their parameters against what was published."""

import dataclasses
import importlib

import pytest
import torch
from small import ids_of

from minigpt.models import BERT, GPT, PRESETS, EncoderDecoder, MaskedLanguageModel, count_parameters, preset
from minigpt.models.presets import ALIASES, NOT_DESCRIBED
from minigpt.nn import Llama3Scaling

EXACT = {
    "gpt-1": 116_534_784,
    "gpt-2": 124_439_808,
    "gpt-2-medium": 354_823_168,
    "gpt-2-large": 774_030_080,
    "gpt-2-xl": 1_557_611_200,
    "bert-base": 109_482_240,
    "bert-large": 335_141_888,
    "distilbert": 66_362_880,
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192,
    "llama-3-8b": 8_030_261_248,
    "llama-3-70b": 70_553_706_496,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496,
    "llama-3.1-405b": 405_853_388_800,
    "llama-3.2-1b": 1_235_814_400,
    "llama-3.2-3b": 3_212_749_824,
    "mistral-7b": 7_241_732_096,
    "gemma-2b": 2_506_172_416,
    "gemma-7b": 8_537_680_896,
}

# Published numbers that the published sizes do not give, with what they give; the notes say why.
DIFFERENT = {"transformer-base": 63_045_632, "transformer-big": 214_171_648, "llama-65b": 65_285_660_672}

PUBLISHED = [name for name, model in PRESETS.items() if model.published is not None]


def counted(name: str) -> int:
    """Parameters, with those that the published number includes and the model here lacks."""
    return count_parameters(PRESETS[name].config, PRESETS[name].architecture) + PRESETS[name].outside


def test_exact_numbers_agree_to_the_digit():
    assert {name: counted(name) for name in PUBLISHED if PRESETS[name].rounded_to == 1} == EXACT
    assert {name: PRESETS[name].published for name in EXACT} == EXACT


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in EXACT])
def test_rounded_numbers_agree_within_their_rounding(name):
    model = PRESETS[name]
    agrees = abs(counted(name) - model.published) <= model.rounded_to / 2
    if name in DIFFERENT:
        assert counted(name) == DIFFERENT[name]
        assert not agrees
        assert model.note
    else:
        assert agrees


def test_the_table_of_gpt_3_decides_where_it_contradicts_itself():
    # 24 heads of 128 in the 1.3B, and the width 5,140 in the 13B, would not give 1,320 and 12,850 million.
    assert count_parameters(preset("gpt-3-1.3b", n_heads=24, d_head=128)) > 1_325_000_000
    assert count_parameters(preset("gpt-3-13b", d_model=5140, d_head=128)) > 12_855_000_000


def test_the_heads_of_pre_training_make_the_rest_of_bert():
    with torch.device("meta"):
        model = MaskedLanguageModel(BERT(preset("bert-base")))
    next_sentence = 768 * 2 + 2
    total = sum(p.numel() for p in model.parameters()) + PRESETS["bert-base"].outside + next_sentence
    assert total == 110_106_428


OTHER_NAMES = {
    "vocab_size": "vocab_size",
    "n_layers": "num_hidden_layers",
    "d_model": "hidden_size",
    "n_heads": "num_attention_heads",
    "context": "max_position_embeddings",
    "d_ff": "intermediate_size",
    "n_kv_heads": "num_key_value_heads",
    "d_head": "head_dim",
    "window": "sliding_window",
    "tied": "tie_word_embeddings",
    "n_segments": "type_vocab_size",
}


@pytest.mark.parametrize(
    ("name", "module", "other", "different"),
    [
        ("gpt-1", "openai", "OpenAIGPTConfig", {}),
        ("gpt-2", "gpt2", "GPT2Config", {}),
        ("bert-base", "bert", "BertConfig", {}),
        ("distilbert", "distilbert", "DistilBertConfig", {}),
        ("llama-7b", "llama", "LlamaConfig", {}),
        ("mistral-7b", "mistral", "MistralConfig", {"context": 131072}),
        ("gemma-7b", "gemma", "GemmaConfig", {}),
    ],
)
def test_sizes_agree_with_those_of_transformers(name, module, other, different):
    pytest.importorskip("transformers")
    theirs = getattr(importlib.import_module(f"transformers.models.{module}"), other)()
    config = preset(name)
    for ours, name_there in OTHER_NAMES.items():
        value = getattr(theirs, name_there, None)
        if value is not None:
            assert different.get(ours, getattr(config, ours)) == value, ours


OF_THE_COURSE = ["tiny", "small", "tiny-modern", "tiny-encoder", "tiny-encoder-decoder"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_where_its_number_stands(name):
    model = PRESETS[name]
    if name in OF_THE_COURSE:
        assert (model.published, model.year, model.source) == (None, None, "")
    else:
        assert model.source
        assert 2017 <= model.year <= 2024
        assert model.published > 10**7


@pytest.mark.parametrize("name", OF_THE_COURSE)
def test_the_small_models_of_the_course_run(name):
    model = PRESETS[name]
    built = {"gpt": GPT, "bert": BERT, "encoder-decoder": EncoderDecoder}[model.architecture](model.config)
    inputs = [ids_of(2, 5)] * (2 if model.architecture == "encoder-decoder" else 1)
    assert built(*inputs).shape == (2, 5, 128 if model.architecture == "bert" else 512)
    assert 400_000 < counted(name) < 1_500_000


def test_a_preset_can_be_changed():
    assert preset("gpt-2") is PRESETS["gpt-2"].config
    changed = preset("gpt-2", n_layers=2, d_model=96, n_heads=6)
    assert (changed.n_layers, changed.d_ff, changed.d_head, changed.vocab_size) == (2, 384, 16, 50257)
    with pytest.raises(TypeError, match="layers"):
        preset("gpt-2", layers=2)


def test_other_names_lead_to_the_same_model():
    assert preset("llama-30b") is preset("llama-33b")
    assert preset("gpt-3-175b") is preset("gpt-3")
    assert set(ALIASES.values()) <= set(PRESETS)
    assert not set(ALIASES) & set(PRESETS)


def test_llama_3_1_reads_longer_texts_than_llama_3_with_the_same_weights():
    old, new = preset("llama-3-8b"), preset("llama-3.1-8b")
    assert (old.context, new.context) == (8192, 131072)
    assert new == old.replace(context=131072, rope_scaling=Llama3Scaling(8.0, 1.0, 4.0, 8192))


def test_an_unknown_name_gets_those_that_are_near():
    with pytest.raises(ValueError, match=r"there is no preset 'gpt4'; use one of gpt"):
        preset("gpt4")
    with pytest.raises(ValueError, match=r"there is no preset 'Llama-2-7B'; use one of llama-2-7b"):
        preset("Llama-2-7B")
    with pytest.raises(ValueError, match=r"there is no preset 'xyz'; use one of tiny, .*gemma-7b"):
        preset("xyz")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mixtral-8x7b", "a router picks two"),
        ("t5-base", "a learned number for each distance"),
        ("bart-large", "normalises the sum of embeddings"),
        ("gemma-2-9b", "caps attention scores"),
        ("gpt-3.5-turbo", "its sizes were not published"),
    ],
)
def test_a_model_that_cannot_be_described_says_why(name, reason):
    with pytest.raises(ValueError, match=f"there is no preset '{name}': .*{reason}"):
        preset(name)


def test_reasons_stand_in_the_way_of_no_preset():
    assert all(preset(name) for name in PRESETS)
    assert all(reason and family not in PRESETS for family, reason in NOT_DESCRIBED.items())


def test_presets_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["gpt-2"].published = 1
