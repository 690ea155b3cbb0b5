"""What several commands need of a model: the device that was asked for, and the folder that `minigpt train` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from minigpt.models import GPT
    from minigpt.tokenizers import Tokenizer


def find_device(name: str) -> torch.device:
    """The device of a name; `"auto"` is the fastest there is.

    Raises:
        ValueError: if there is none of this name here.
    """
    import torch

    present = ["cpu"]
    if torch.cuda.is_available():
        present += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        present.append("mps")
    if name == "auto":
        return torch.device("cuda" if "cuda" in present else present[-1])
    if name not in present:
        raise ValueError(f"--device {name}: there is no such device here; there is {', '.join(present)}")
    return torch.device(name)


def load_folder(folder: Path, device: str, dtype: str = "float32") -> tuple[GPT, Tokenizer]:
    """The model and the tokenizer in a folder.

    Raises:
        ValueError: if one is missing or damaged, they do not belong together, or there is no such device.
    """
    import torch

    from minigpt.models import load_model
    from minigpt.tokenizers import Tokenizer

    where = find_device(device)
    if folder.is_file():
        raise ValueError(f"{str(folder)!r} is a file; give the folder of a model, which 'minigpt train --out' makes")
    if not folder.exists():
        raise ValueError(f"there is no folder {str(folder)!r}; 'minigpt train --data TEXT --out {folder}' makes one")
    if (folder / "run.json").is_file() and not (folder / "config.json").is_file():
        raise ValueError(
            f"{str(folder)!r} holds a run that has no model yet: it was stopped, or diverged, before its first "
            f"evaluation. Go on with 'minigpt train --out {folder} --resume', or, if it diverged, begin another with a "
            "lower --lr"
        )
    model = load_model(folder, dtype=getattr(torch, dtype), device=where)
    if not (folder / "tokenizer.json").is_file():
        raise ValueError(f"{str(folder)!r} has no tokenizer.json; put the tokenizer of the model there")
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    sizes = tokenizer.vocab_size, model.config.vocab_size
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"the tokenizer in {str(folder)!r} has {sizes[0]} tokens and the model {sizes[1]}; they do not belong "
            "together"
        )
    return model, tokenizer
