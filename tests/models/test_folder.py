"""Models in folders: written, read back, and refused when they are not whole."""

import json

import pytest
import torch

from minigpt.models import GPT, TransformerConfig, load_model, save_model
from minigpt.models.folder import config_from_dict, config_to_dict
from minigpt.nn.rotary import Llama3Scaling

CONFIG = TransformerConfig(vocab_size=11, n_layers=2, d_model=8, n_heads=2, context=16)
IDS = torch.tensor([[1, 4, 9, 2]])


@pytest.mark.parametrize("changes", [{}, {"tied": False}, {"positions": "rotary", "norm": "rms"}])
def test_a_model_comes_back_with_the_same_logits(tmp_path, changes):
    model = GPT(CONFIG.replace(**changes)).eval()
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.config == model.config
    assert not again.training
    torch.testing.assert_close(again(IDS), model(IDS), rtol=0, atol=0)


def test_half_precision_on_disk_is_float32_in_use_unless_asked_for(tmp_path):
    model = GPT(CONFIG).to(torch.bfloat16)
    save_model(model, tmp_path)
    assert load_model(tmp_path).embedding.weight.dtype == torch.float32
    assert load_model(tmp_path, dtype=torch.bfloat16).embedding.weight.dtype == torch.bfloat16


def test_a_tied_table_is_stored_once_and_stays_tied(tmp_path):
    save_model(GPT(CONFIG), tmp_path)
    model = load_model(tmp_path)
    assert model.head.weight is model.embedding.weight


def test_a_configuration_survives_json_with_its_scaling():
    config = CONFIG.replace(positions="rotary", rope_scaling=Llama3Scaling(factor=4.0))
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "missing"),
        (lambda folder: (folder / "config.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "gpt2"}'), "hugging_face"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"123456789"), "damaged"),
        (
            lambda folder: (folder / "config.json").write_text(
                (folder / "config.json").read_text().replace('"n_layers": 2', '"n_layers": 3')
            ),
            "do not fit",
        ),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path, damage, message):
    save_model(GPT(CONFIG), tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path)
