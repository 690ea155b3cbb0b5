"""The released GPT-2 in our modules computes what it computes in Transformers. `make online` runs this.

The weights come from the environment variable `MINIGPT_GPT2`, the path of a folder with `config.json` and
`model.safetensors`, or from Hugging Face's hub. Where neither is to be had, the tests are skipped and say so.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from minigpt.interop.hugging_face import export, load
from minigpt.models import PRESETS, count_parameters

pytestmark = pytest.mark.online
SENTENCE = [15496, 11, 616, 1438, 318]  # "Hello, my name is"


@pytest.fixture(scope="module")
def released() -> Path:
    """The folder with the smallest GPT-2, as it was released."""
    if "MINIGPT_GPT2" in os.environ:
        return Path(os.environ["MINIGPT_GPT2"])
    from huggingface_hub import hf_hub_download

    try:
        paths = [hf_hub_download("openai-community/gpt2", name) for name in ("config.json", "model.safetensors")]
    except Exception as error:
        # The hub's client has a kind of error for each way of not being there.
        pytest.skip(f"NOT CHECKED: the released GPT-2 cannot be fetched ({type(error).__name__}); set MINIGPT_GPT2")
    return Path(paths[0]).parent


def test_it_is_the_preset(released: Path) -> None:
    """The sizes in the file are those of `preset("gpt-2")`, and so is the number of parameters."""
    model = load(released)
    assert model.config.replace(dropout=0.0) == PRESETS["gpt-2"].config.replace(dropout=0.0)
    assert sum(p.numel() for p in model.parameters()) == count_parameters(model.config) == 124_439_808


def test_it_computes_the_same_logits_as_in_transformers(released: Path) -> None:
    """Logits of some hundred in size agree to a thousandth, which is the rounding of float32 over twelve blocks."""
    transformers = pytest.importorskip("transformers")
    theirs = transformers.GPT2LMHeadModel.from_pretrained(released).eval()
    ids = torch.randint(50257, (2, 200), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(load(released)(ids), theirs(ids).logits, rtol=1e-4, atol=1e-3)


def test_it_knows_english(released: Path) -> None:
    """A greeting is far likelier than chance, which a transposed or shuffled matrix would not give."""
    with torch.no_grad():
        logits = load(released)(torch.tensor([SENTENCE]))[0]
    assert F.cross_entropy(logits[:-1], torch.tensor(SENTENCE[1:])) < 5


def test_it_survives_the_way_out_and_back(released: Path, tmp_path: Path) -> None:
    """What `export` writes, `load` reads without a changed bit."""
    model = load(released)
    export(model, tmp_path / "copy")
    again = load(tmp_path / "copy").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())
