"""GPT-2, BERT, Llama and Mistral as Hugging Face's `transformers` stores them, both ways, weights and configuration.

`config` says what the two libraries call the same property, `names` what they call the same tensor, `files` reads and
writes the bytes. None of it needs `transformers`.
"""

from minigpt.interop.hugging_face.checkpoint import Model, export, load
from minigpt.interop.hugging_face.files import CheckpointError

__all__ = ["CheckpointError", "Model", "export", "load"]
